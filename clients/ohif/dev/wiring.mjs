// How the viewer is put together with our extension, the archive and the server: for the demo and the tests.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const HERE = resolve(new URL('.', import.meta.url).pathname, '..');
const SERVICE = '/segplugin.v1.SegmentationPluginService/';

/** Our files at their places: the extension and app-config.js, with `config` as its `spinefx`. */
export function viewerFiles(config) {
  const text = readFileSync(resolve(HERE, 'app-config.js'), 'utf8');
  return {
    '/app-config.js': () => `${text}\nwindow.config.spinefx = ${JSON.stringify(config)};\n`,
    '/ext/spinefx.js': resolve(HERE, 'dist/spinefx.js'),
    '/ext/spinefx.js.map': resolve(HERE, 'dist/spinefx.js.map'),
  };
}

/** The archive and the server below the viewer's own origin; `server()` gives host:port. */
export function viewerProxies(archive, server) {
  const host = new URL(archive.url).host;
  return { '/dicom-web/': host, '/wado': host, [SERVICE]: server };
}
