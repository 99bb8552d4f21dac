// The whole way: real viewer, real archive, real server.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../dev/child.mjs';
import { openBrowser, openPage, openStudy, part, tabTo, waitForState } from './browser.mjs';
import { colouredPixels, overlayOf, places } from './overlay.mjs';
import { foundIn, noticesCancel, openWorld, picture, realServer } from './world.mjs';

let world;
let browser;
let mask;
let findings;
let grid;
const opened = [];

before(async () => {
  world = await openWorld({
    names: ['ct', 'odd', 'water', 'whole'],
    serve: realServer,
    config: (archive) => ({ archiveRoot: archive.root }),
  });
  browser = await openBrowser();
  ({ mask, findings, grid } = foundIn('ct'));
});

after(async () => {
  await browser?.close();
  await world?.close();
});

afterEach(async () => {
  while (opened.length > 0) await opened.pop().close();
});

async function open(study, options) {
  const one = await openPage(browser, options);
  opened.push(one);
  await openStudy(one.page, world.viewer.url, world.study(study));
  return one;
}

/** The place along the stack of the image that the viewport shows. */
function shownSlice(page) {
  return page.evaluate(() => {
    const { viewport } = window.cornerstone.getEnabledElements()[0];
    const plane = window.cornerstone.metaData.get('imagePlaneModule', viewport.getCurrentImageId());
    return plane.imagePositionPatient[2].toFixed(2);
  });
}

test('the overlay is the mask, on the right slices of the stack, and findings lead there', async () => {
  const { page, faults } = await open('fractures');
  await part(page, 'run').click();
  await waitForState(page, 'done', 120);
  assert.equal(findings.length, await part(page, 'finding').count());
  assert.ok(findings.length >= 2, 'the phantom has two fractures');
  assert.deepEqual(await overlayOf(page), mask);

  const drawn = await page.evaluate(async () => {
    const { viewport } = window.cornerstone.getEnabledElements()[0];
    const seen = [];
    for (const [index, imageId] of viewport.getImageIds().entries()) {
      await viewport.setImageIdIndex(index);
      viewport.render();
      await new Promise((resolve) => setTimeout(resolve, 150));
      const canvas = viewport.getCanvas();
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let red = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] - data[at + 1] > 40) red++;
      const plane = window.cornerstone.metaData.get('imagePlaneModule', imageId);
      if (red > 0) seen.push(plane.imagePositionPatient[2].toFixed(2));
    }
    return seen;
  });
  assert.deepEqual(drawn.sort(), Object.keys(mask).sort());

  for (const [n, finding] of findings.entries()) {
    const button = part(page, 'finding').nth(n);
    await button.click();
    const index = await page.evaluate(() =>
      window.cornerstone.getEnabledElements()[0].viewport.getCurrentImageIdIndex(),
    );
    assert.match(await button.innerText(), new RegExp(`slice ${index + 1}\\b`));
    const expected = grid.origin_lps[2] + finding.slice * grid.spacing_mm[2];
    assert.equal(await shownSlice(page), expected.toFixed(2), `finding ${finding.id}`);
    assert.equal(await button.getAttribute('aria-current'), 'true');
  }
  assert.deepEqual(faults, []);
});

test('frames that do not fill whole bytes: the overlay is the mask, at once and after a reload', async () => {
  const odd = foundIn('odd');
  assert.ok((odd.grid.size[0] * odd.grid.size[1]) % 8 !== 0);
  const { page, faults } = await open('odd');
  await part(page, 'run').click();
  await waitForState(page, 'done', 120);
  assert.equal(odd.findings.length, await part(page, 'finding').count());
  assert.deepEqual(await overlayOf(page), odd.mask);
  await assertColoured(page, 1);

  const later = await open('odd');
  await layOver(later.page);
  assert.deepEqual(await overlayOf(later.page), odd.mask);
  assert.deepEqual([...faults, ...later.faults], []);
});

test('MPR: the overlay in all three planes, and findings lead there', async () => {
  const { page, faults } = await open('fractures');
  await openMpr(page);
  await part(page, 'run').click();
  await waitForState(page, 'done', 120);
  for (const [n, finding] of findings.entries()) {
    await part(page, 'finding').nth(n).click();
    const expected = [...finding.centroid_lps_mm];
    expected[2] = grid.origin_lps[2] + finding.slice * grid.spacing_mm[2];
    const shown = await places(page);
    assert.equal(shown.length, 3);
    for (const { id, point, normal } of shown) {
      const off = normal.reduce((mm, value, axis) => mm + value * (point[axis] - expected[axis]), 0);
      assert.ok(Math.abs(off) < 0.01, `${id} is ${off} mm beside finding ${finding.id}`);
    }
    await assertColoured(page, 3);
  }
  assert.deepEqual(faults, []);
});

test('a run before MPR: the overlay stays, in all three planes; the same run again shows the same', async () => {
  const { page, faults } = await open('fractures');
  await part(page, 'run').click();
  await waitForState(page, 'done', 120);
  await openMpr(page);
  await part(page, 'finding').first().click();
  await assertColoured(page, 3);
  await part(page, 'run').click();
  await waitForState(page, 'running');
  await waitForState(page, 'done', 120);
  await part(page, 'finding').first().click();
  await assertColoured(page, 3);
  const series = await world.series(world.study('fractures'));
  assert.equal(series.filter(({ modality }) => modality === 'SEG').length, 1, 'the same mask is one series');
  assert.deepEqual(faults, []);
});

test('the SEG survives a reload: it is in the list and can be laid over again', async () => {
  const { page, faults } = await open('fractures');
  await layOver(page);
  assert.deepEqual(await overlayOf(page), mask);
  assert.deepEqual(faults, []);
});

test('cancel in mid-run stops the server: the next run has no wait', async () => {
  const { page, faults } = await open('whole');
  await part(page, 'run').click();
  await page.getByText('Running the model').waitFor({ timeout: 60_000 });
  await noticesCancel(world.server, () => part(page, 'cancel').click());
  await waitForState(page, 'cancelled');
  assert.deepEqual(faults, []);
});

test('two tabs: the second waits its turn and says so; closing the first cancels its run', async () => {
  const first = await open('whole');
  const second = await open('fractures');
  await part(first.page, 'run').click();
  await first.page.getByText('Running the model').waitFor({ timeout: 60_000 });
  await part(second.page, 'run').click();
  await waitForState(second.page, 'queued');
  assert.match(await part(second.page, 'status').innerText(), /one request is before this one/);
  await first.page.close();
  await waitForState(second.page, 'done', 120);
  assert.deepEqual([...first.faults, ...second.faults], []);
});

test('a server that dies in mid-run, is down, and is back: the reason, Retry, the overlay', async () => {
  const expected = [/502 \(Bad Gateway\)/, /net::ERR_/];
  const running = await open('whole', { expected });
  await part(running.page, 'run').click();
  await running.page.getByText('Running the model').waitFor({ timeout: 60_000 });
  world.server.signal('SIGKILL');
  await waitForState(running.page, 'failed');
  assert.match(await part(running.page, 'failure').innerText(), /connection|ended the call/i);
  await running.page.close();

  const { page, faults } = await open('fractures', { expected });
  await part(page, 'absent').waitFor();
  world.server = await realServer(world.archive, world.folder);
  await part(page, 'retry').click();
  await part(page, 'run').click();
  await waitForState(page, 'done', 120);
  assert.deepEqual(await overlayOf(page), mask);
  assert.deepEqual([...running.faults, ...faults], []);
});

test('no finding: said so, and the study opens again as before', async () => {
  const { page, faults } = await open('water');
  await part(page, 'run').click();
  await waitForState(page, 'done', 60);
  assert.match(await part(page, 'status').innerText(), /^No finding/);
  assert.match(await part(page, 'note').innerText(), /no bone/);
  await openStudy(page, world.viewer.url, world.study('water'));
  assert.deepEqual(faults, []);
});

test('keyboard alone: Tab to Run, Enter, Tab to a finding, Enter', async () => {
  const { page, faults } = await open('fractures');
  await tabTo(page, 'run');
  await page.keyboard.press('Enter');
  await waitForState(page, 'done', 120);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.cy), 'spinefx-run', 'focus stays');
  await tabTo(page, 'finding');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const expected = grid.origin_lps[2] + findings[1].slice * grid.spacing_mm[2];
  assert.equal(await shownSlice(page), expected.toFixed(2));
  assert.deepEqual(faults, []);
});

test('pictures for the documentation', { skip: picture('') ? false : 'not asked for' }, async () => {
  const { page } = await open('whole');
  await part(page, 'run').click();
  await page.getByText('Running the model').waitFor({ timeout: 120_000 });
  await page.getByText(/[2-9]\d % · /).waitFor({ timeout: 120_000 });
  await part(page, 'panel').screenshot({ path: picture('running.png') });
  await waitForState(page, 'done', 300);
  await part(page, 'finding').first().click();
  await page.waitForTimeout(2000);
  await page.screenshot({ path: picture('stack.png') });
  await openMpr(page);
  await page.waitForTimeout(3000);
  await part(page, 'finding').first().click();
  await page.waitForTimeout(2000);
  await page.screenshot({ path: picture('mpr.png') });
  await assertColoured(page, 3);
});

/** Changes to MPR, and waits until all three planes have the volume: a jump before that is lost in OHIF. */
async function openMpr(page) {
  await page.evaluate(() =>
    window.commandsManager.runCommand('toggleHangingProtocol', { protocolId: 'mpr' }),
  );
  await page.waitForFunction(() => {
    const planes = window.cornerstone.getEnabledElements();
    return planes.length === 3 && planes.every(({ viewport }) => viewport.getImageData?.());
  });
}

/** Lays the study's segmentation over its CT by OHIF's own list of series. */
async function layOver(page) {
  await page.locator('[data-cy="study-browser-thumbnail-no-image"]').dblclick();
  await until(
    async () => Object.keys(await overlayOf(page)).length > 0,
    30,
    () => 'the viewer does not show the segmentation',
  );
}

async function assertColoured(page, count) {
  await until(
    async () => {
      const drawn = await colouredPixels(page);
      return drawn.length === count && drawn.every(({ coloured }) => coloured > 100);
    },
    10,
    () => 'a plane shows no overlay',
  );
}
