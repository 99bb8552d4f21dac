import { type Config, rememberedServer, rememberServer } from './config';
import { connect, manifestOf, type Plugin } from './connection';
import { type Failure, failureOf } from './failure';
import type { Manifest } from './gen/segplugin/v1/segmentation_plugin_pb';
import { Store } from './store';

/** Whether there is a server. */
export type ServerState =
  | { kind: 'connecting'; address: string }
  | { kind: 'absent'; address: string; failure: Failure }
  | { kind: 'ready'; address: string; plugin: Plugin; manifest: Manifest };

/** The server that the panel talks to. */
export class Server {
  readonly state: Store<ServerState>;
  readonly #config: Config;
  #attempt = new AbortController();

  constructor(config: Config) {
    this.#config = config;
    this.state = new Store<ServerState>({ kind: 'connecting', address: rememberedServer(config) });
  }

  /** Asks the server at `address` (absolute) what it is; an attempt that is under way is given up. */
  async connect(address = this.state.get().address): Promise<void> {
    this.#attempt.abort();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.state.set({ kind: 'connecting', address });
    try {
      const plugin = connect(this.#config, address);
      const manifest = await manifestOf(plugin, attempt.signal);
      if (attempt.signal.aborted) return;
      rememberServer(this.#config, address);
      this.state.set({ kind: 'ready', address, plugin, manifest });
    } catch (cause) {
      if (attempt.signal.aborted) return;
      this.state.set({ kind: 'absent', address, failure: failureOf(cause) });
    }
  }

  /** Gives up an attempt that is under way. */
  leave(): void {
    this.#attempt.abort();
  }
}
