// The demo: an archive, the server and OHIF on this computer alone. Ctrl-C ends all three.
//
//   node demo.mjs PROGRAM OHIF_DIST OUT STUDY_FOLDER...
//
// Ports: SPINEFX_DEMO_PORT (the viewer, 3000), SPINEFX_DEMO_ORTHANC_PORT, SPINEFX_DEMO_SERVER_PORT (free ones).
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { store, studies } from './dicomweb.mjs';
import { startOrthanc } from './orthanc.mjs';
import { port } from './ports.mjs';
import { startViewer } from './serve.mjs';
import { startSpinefx } from './spinefx.mjs';
import { viewerFiles, viewerProxies } from './wiring.mjs';

const [program, dist, out, ...folders] = process.argv.slice(2);
const { SPINEFX_DEMO_PORT = 3000, SPINEFX_DEMO_ORTHANC_PORT, SPINEFX_DEMO_SERVER_PORT } = process.env;
const running = [];

let stopping;

/** Ends what runs, the last first: the archive outlives whoever might be storing to it. Once, however often asked. */
function stop() {
  stopping ??= (async () => {
    for (const one of running.toReversed()) await one.stop();
  })();
  return stopping;
}

async function main() {
  mkdirSync(out, { recursive: true });
  const archive = await startOrthanc({ folder: out, wantedPort: SPINEFX_DEMO_ORTHANC_PORT });
  running.push(archive);
  console.log(`archive  ${archive.root}`);
  const listen = `127.0.0.1:${await port(SPINEFX_DEMO_SERVER_PORT)}`;
  const log = join(out, 'spinefx.log');
  const server = await startSpinefx({ program, args: ['--archive', archive.root], log, listen });
  running.push(server);
  console.log(`server   ${server.address} (log: ${log})`);
  const viewer = await startViewer({
    dist: resolve(dist),
    files: viewerFiles({ archiveRoot: archive.root }),
    proxies: viewerProxies(archive, () => server.address),
    port: Number(SPINEFX_DEMO_PORT),
  });
  running.push(viewer);
  for (const folder of folders)
    console.log(`stored   ${await store(archive.root, folder)} images of ${folder}`);
  console.log('\nOpen one of these, choose SpineFx in the toolbar, press Run. Ctrl-C ends the demo.\n');
  for (const { uid, description } of await studies(archive.root)) {
    console.log(`  ${viewer.url}/viewer?StudyInstanceUIDs=${uid}  ${description}`);
  }
  console.log('\nResearch only: not for diagnosis.');
  await Promise.race([archive.ended, server.ended]);
  if (!stopping) throw new Error(`a part of the demo ended:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, async () => {
    await stop();
    process.exit(0);
  });
}
try {
  await main();
} catch (error) {
  console.error(`ohif-demo: ${error.message}`);
  process.exitCode = 1;
  await stop();
}
