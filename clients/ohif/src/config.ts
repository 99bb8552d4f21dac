/** What app-config.js may say: `window.config = { …, spinefx: { … } }`. */
export interface Config {
  /** Address of the server, or a path of this origin. Default: this origin. */
  server?: string;
  /** The archive's DICOMweb root as the *server* reaches it. Default: the viewer's own, made absolute. */
  archiveRoot?: string;
  /** Bearer token for the server; sent to the configured address alone. */
  token?: string;
}

const KEY = 'spinefx.server';

/** `address` as an absolute URL without a slash at its end. Throws where it is none of http or https. */
export function absolute(address: string): string {
  const url = new URL(address, location.origin);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error(`no web address: ${address}`);
  return url.href.replace(/\/+$/, '');
}

/** The address that app-config.js gives, or this origin. One that is no address fails when it is called. */
export function configuredServer(config: Config): string {
  const address = config.server ?? '/';
  try {
    return absolute(address);
  } catch {
    return address;
  }
}

/** The address that was typed the last time, or the configured one. */
export function rememberedServer(config: Config): string {
  try {
    const typed = localStorage.getItem(KEY);
    if (typed) return absolute(typed);
  } catch {
    // No storage, or something else in it: as if nothing had been typed.
  }
  return configuredServer(config);
}

/** Keeps a typed address; the configured one is forgotten, so that a change of configuration takes effect. */
export function rememberServer(config: Config, address: string): void {
  try {
    if (address === configuredServer(config)) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, address);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
