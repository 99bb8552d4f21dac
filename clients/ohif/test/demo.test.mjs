// The demo starts, shows its studies, and ends whole with Ctrl-C, however often that is pressed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { start, until } from '../dev/child.mjs';
import { port } from '../dev/ports.mjs';
import { DIST, fixtures, HERE, PROGRAM } from './world.mjs';

test('one command, one Ctrl-C', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spinefx-demo-'));
  const ports = {
    SPINEFX_DEMO_PORT: await port(),
    SPINEFX_DEMO_ORTHANC_PORT: await port(),
    SPINEFX_DEMO_SERVER_PORT: await port(),
  };
  const args = [join(HERE, 'dev/demo.mjs'), PROGRAM, DIST, folder, join(fixtures(), 'water')];
  const demo = start(process.execPath, args, { log: join(folder, 'demo.log'), env: ports });
  try {
    await until(
      () => demo.isOver() || demo.output().includes('not for diagnosis'),
      60,
      () => demo.output(),
    );
    const [address] = /http:\S+\/viewer\?StudyInstanceUIDs=\S+/.exec(demo.output()) ?? [];
    assert.ok(address, demo.output());
    assert.match(await (await fetch(address)).text(), /<html/);
    demo.signal('SIGINT');
    demo.signal('SIGINT');
    await demo.ended;
    for (const at of Object.values(ports)) {
      await assert.rejects(fetch(`http://127.0.0.1:${at}/`), `something still listens at ${at}`);
    }
  } finally {
    await demo.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
