// Viewer and server of different origins, and archives that the server does not serve.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { port } from '../dev/ports.mjs';
import { openBrowser, openPage, openStudy, part, waitForState } from './browser.mjs';
import { openWorld, realServer } from './world.mjs';

let world;
let browser;
const viewerPort = await port();

before(async () => {
  world = await openWorld({
    names: ['water'],
    serve: (archive, folder) =>
      realServer(archive, folder, ['--cors-origin', `http://127.0.0.1:${viewerPort}`]),
    config: (archive, server) => ({ server: `http://${server.address}`, archiveRoot: archive.root }),
    viewerPort,
  });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await world?.close();
});

test('an allowed page of another origin: a whole run', async () => {
  const { page, faults, close } = await openPage(browser);
  await openStudy(page, world.viewer.url, world.study('water'));
  await part(page, 'run').click();
  await waitForState(page, 'done');
  assert.deepEqual(faults, []);
  await close();
});

test('a page that is not allowed is told what may be wrong', async () => {
  const stranger = await world.openViewer({ server: `http://${world.server.address}` });
  // What Chromium writes of a request that CORS forbids.
  const { page, faults, close } = await openPage(browser, { expected: [/CORS policy/, /net::ERR_FAILED/] });
  await openStudy(page, stranger.url, world.study('water'));
  await part(page, 'absent').waitFor();
  assert.match(await part(page, 'absent').innerText(), /--cors-origin/);
  assert.deepEqual(faults, []);
  await close();
  await stranger.stop();
});

test('an archive that is not on the server’s list: its reason', async () => {
  // Without archiveRoot the server is sent to the viewer's own origin.
  const viewer = await world.openViewer({});
  const { page, faults, close } = await openPage(browser);
  await openStudy(page, viewer.url, world.study('water'));
  await part(page, 'run').click();
  await waitForState(page, 'failed');
  assert.match(await part(page, 'failure').innerText(), /ARCHIVE_NOT_ALLOWED/);
  assert.deepEqual(faults, []);
  await close();
  await viewer.stop();
});
