// How long after Run the overlay is there, beside `spinefx segment` on the same files. Prints Markdown for
// docs/performance.md; called by `make bench`.
//
//   node bench/overlay.mjs [NAME=FOLDER...]     further CTs beside the generated one of the tests
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { seriesOf, store, studies } from '../dev/dicomweb.mjs';
import { openBrowser, openPage, openStudy, part, waitForState } from '../test/browser.mjs';
import { fixtures, openWorld, PROGRAM, ROOT, realServer, VERSION } from '../test/world.mjs';

const REPEATS = 3;
const SETTLE_MS = 15_000;

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function seconds(work) {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Wall time of some stages of a SegmentSeries call without a viewer. */
function stages(server, root, study, series) {
  const request = JSON.stringify({ source: { root, study_uid: study, series_uid: series } });
  const method = 'segplugin.v1.SegmentationPluginService/SegmentSeries';
  const call = ['-plaintext', '-d', request, server.address, method];
  const answer = execFileSync(join(ROOT, '.tools/bin/grpcurl'), call, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const took = (stage) => Number(new RegExp(`"STAGE_${stage}",\\s*"seconds": ([\\d.e-]+)`).exec(answer)[1]);
  return { fetch: took('FETCH'), store: took('STORE') };
}

async function measure(browser, name, folder) {
  const serve = realServer;
  const world = await openWorld({ names: [], serve, config: (archive) => ({ archiveRoot: archive.root }) });
  try {
    await store(world.archive.root, folder);
    const [{ uid }] = await studies(world.archive.root);
    const [{ uid: series }] = await seriesOf(world.archive.root, uid);
    const [alone, viewer] = [[], []];
    const out = join(world.folder, 'alone');
    for (let turn = 0; turn < REPEATS; turn++) {
      alone.push(
        await seconds(() => execFileSync(PROGRAM, ['segment', folder, '-o', out], { stdio: 'ignore' })),
      );
      rmSync(out, { recursive: true });
      const { page, close } = await openPage(browser);
      await openStudy(page, world.viewer.url, uid);
      // The viewer goes on loading and decoding slices of its own for a while, on the same cores.
      await page.waitForLoadState('networkidle');
      await page.waitForTimeout(SETTLE_MS);
      const run = async () => {
        await part(page, 'run').click();
        await waitForState(page, 'done', 600);
      };
      viewer.push(await seconds(run));
      await close();
    }
    const { fetch, store: stored } = stages(world.server, world.archive.root, uid, series);
    const [a, v] = [median(alone), median(viewer)];
    const cells = [a, v, v - a].map((value) => value.toFixed(1));
    console.log(
      `| ${[name, ...cells, (v / a).toFixed(2), fetch.toFixed(2), stored.toFixed(2)].join(' | ')} |`,
    );
  } finally {
    await world.close();
  }
}

console.log('## Overlay in OHIF\n');
console.log(
  `Seconds from Run, in a viewer that has loaded its slices, until the overlay is seen: OHIF ${VERSION} in Chromium`,
  `that draws in software on the same cores, Orthanc beside it; medians of ${REPEATS}, in turns with`,
  '`spinefx segment` on the same files.',
  'Fetching and storing are of one call without a viewer.\n',
);
console.log('| CT | `spinefx segment` s | overlay s | difference s | ratio | fetch s | store s |');
console.log('|---|---:|---:|---:|---:|---:|---:|');
const browser = await openBrowser();
const generated = `generated spine=${join(fixtures(), 'whole')}`;
for (const argument of [generated, ...process.argv.slice(2)]) {
  const [name, folder] = argument.split('=');
  await measure(browser, name, folder);
}
await browser.close();
