import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { HERE } from './world.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

/** Debian's Chromium, without a screen. */
export function openBrowser(more = []) {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: [...FLAGS, ...more], headless: true });
}

/**
 * A page that keeps what goes wrong in it: errors of the console, exceptions, rejections that nobody caught.
 * `faults` are those that the test does not expect.
 */
export async function openPage(browser, { context: options = {}, expected = [] } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults = [];
  const keep = (text) => {
    if (!expected.some((pattern) => pattern.test(text))) faults.push(text);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') keep(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => keep(`${error.stack ?? error}`));
  return { page, faults, close: () => context.close() };
}

/** Opens a study and waits until its images are drawn. */
export async function openStudy(page, viewerUrl, studyUid, more = '') {
  await page.goto(`${viewerUrl}/viewer?StudyInstanceUIDs=${studyUid}${more}`, {
    waitUntil: 'domcontentloaded',
  });
  await page.waitForSelector('.cornerstone-viewport-element canvas', { timeout: 60_000 });
  await page.waitForFunction(
    () => window.cornerstone?.getEnabledElements?.()[0]?.viewport.getImageData?.(),
    null,
    { timeout: 60_000 },
  );
  await page.locator('[data-cy="SpineFx"]').click();
  await page.waitForSelector('[data-cy="spinefx-panel"]', { timeout: 30_000 });
}

/** A part of the panel. */
export const part = (page, name) => page.locator(`[data-cy="spinefx-${name}"]`);

/** Waits until the run is in a state. */
export async function waitForState(page, kind, seconds = 60) {
  await page.waitForSelector(`[data-cy="spinefx-state"][data-state="${kind}"]`, { timeout: seconds * 1000 });
}

/** What axe-core has against the panel: rule and element. */
export async function barriers(page) {
  await page.evaluate(readFileSync(join(HERE, 'node_modules/axe-core/axe.min.js'), 'utf8'));
  return page.evaluate(async () => {
    const { violations } = await window.axe.run('.spinefx');
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

/** Presses Tab until a part of the panel has the focus. */
export async function tabTo(page, name) {
  for (let presses = 0; presses < 100; presses++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((cy) => document.activeElement?.dataset.cy === cy, `spinefx-${name}`)) return;
  }
  throw new Error(`Tab does not reach ${name}`);
}
