// nginx.conf in the real nginx: viewer, archive and server behind one origin with TLS.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startNginx } from '../dev/nginx.mjs';
import { viewerFiles } from '../dev/wiring.mjs';
import { openBrowser, openPage, openStudy, part, waitForState } from './browser.mjs';
import { overlayOf } from './overlay.mjs';
import { DIST, fixtures, foundIn, HERE, noticesCancel, openWorld, ROOT, realServer } from './world.mjs';

let world;
let nginx;
let browser;

before(async () => {
  world = await openWorld({ names: ['ct', 'whole'], serve: realServer });
  const { folder, archive, server } = world;
  const files = viewerFiles({ archiveRoot: archive.root });
  nginx = await startNginx({ folder, dist: DIST, files, archive, server, site: join(HERE, 'nginx.conf') });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await nginx?.stop();
  await world?.close();
});

test('the panel through nginx: run, overlay; cancel reaches the server', async () => {
  const { page, faults, close } = await openPage(browser, { context: { ignoreHTTPSErrors: true } });
  await openStudy(page, nginx.url, world.study('fractures'));
  await part(page, 'run').click();
  // Unbuffered: progress is seen while the work goes on.
  await page.getByText('Running the model').waitFor({ timeout: 60_000 });
  await waitForState(page, 'done', 120);
  assert.deepEqual(await overlayOf(page), foundIn('ct').mask);

  await openStudy(page, nginx.url, world.study('whole'));
  await part(page, 'run').click();
  await page.getByText('Running the model').waitFor({ timeout: 60_000 });
  const cancel = () => page.evaluate(() => window.commandsManager.runCommand('spinefx.cancel'));
  await noticesCancel(world.server, cancel);
  assert.deepEqual(faults, []);
  await close();
});

test('gRPC through nginx: manifest, health, and a series by grpcurl', async () => {
  const call = (method, request) =>
    execFileSync(
      join(ROOT, '.tools/bin/grpcurl'),
      [
        ...['-cacert', nginx.certificate, '-import-path', join(ROOT, 'proto')],
        ...['-proto', 'segplugin/v1/segmentation_plugin.proto', '-d', JSON.stringify(request)],
        ...[nginx.host, `segplugin.v1.SegmentationPluginService/${method}`],
      ],
      { encoding: 'utf8' },
    );
  assert.match(call('GetManifest', {}), /"protocol": "segplugin\.v1"/);
  const study = world.study('fractures');
  const ct = (await world.series(study)).find(({ modality }) => modality === 'CT');
  const source = { root: world.archive.root, study_uid: study, series_uid: ct.uid };
  const answer = call('SegmentSeries', { source });
  assert.match(answer, /"stored"/);
  assert.match(answer, /"completed"/);
});

test('gRPC-web errors come through nginx whole', () => {
  const { stdout } = spawnSync(
    'curl',
    [
      ...['-sk', '-i', '-H', 'content-type: application/grpc-web+proto', '--data-binary', '@-'],
      `${nginx.url}/segplugin.v1.SegmentationPluginService/SegmentSeries`,
    ],
    // One empty message: a request without a source.
    { input: Buffer.from([0, 0, 0, 0, 0]), encoding: 'latin1' },
  );
  assert.match(stdout, /^HTTP\/2 200/);
  assert.match(stdout, /content-type: application\/grpc-web\+proto/i);
  assert.match(stdout, /grpc-status: ?3\b/);
  assert.match(stdout, /grpc-status-details-bin/);
});
