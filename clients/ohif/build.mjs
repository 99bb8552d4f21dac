// Builds dist/spinefx.js, the one file that OHIF loads, from src and the protocol: node build.mjs
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { build } from 'esbuild';

process.chdir(new URL('.', import.meta.url).pathname);
const protocols = ['segplugin/v1/segmentation_plugin.proto', 'google/rpc/error_info.proto'];
// TypeScript for the extension, JavaScript for the tests' stand-in of the server.
for (const [out, target] of [
  ['src/gen', 'ts'],
  ['test/gen', 'js'],
]) {
  mkdirSync(out, { recursive: true });
  execFileSync(
    'protoc',
    [
      ...['-I', '../../proto', '-I', 'proto', '--plugin=node_modules/.bin/protoc-gen-es'],
      ...[`--es_out=${out}`, `--es_opt=target=${target}`, ...protocols],
    ],
    { stdio: 'inherit' },
  );
}
await build({
  entryPoints: ['src/index.ts'],
  outfile: 'dist/spinefx.js',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  loader: { '.css': 'text' },
});
