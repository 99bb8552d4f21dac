// What needs no browser: the run's states, the geometry of a jump, the check of a mask.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { event, pause } from './standin.mjs';
import { HERE } from './world.mjs';

let folder;
let Run;
let geometry;
let isMaskOf;

before(async () => {
  folder = mkdtempSync(join(HERE, 'dist/unit-'));
  const entryPoints = ['run', 'geometry', 'check'].map((name) => join(HERE, `src/${name}.ts`));
  await build({ entryPoints, outdir: folder, bundle: true, format: 'esm', outExtension: { '.js': '.mjs' } });
  ({ Run } = await import(join(folder, 'run.mjs')));
  geometry = await import(join(folder, 'geometry.mjs'));
  ({ isMaskOf } = await import(join(folder, 'check.mjs')));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const order = (segmentSeries) => ({
  plugin: { segmentSeries },
  series: { studyUid: '1', seriesUid: '2', displaySetUid: 'd' },
  archiveRoot: 'http://archive',
});

test('a server that falls silent is given up', async () => {
  const run = new Run(async () => {}, 50);
  await run.start(
    order(async function* (_, { signal }) {
      yield event.accepted();
      await pause(10_000, signal);
      signal.throwIfAborted();
    }),
  );
  assert.equal(run.state.get().kind, 'failed');
  assert.match(run.state.get().failure.message, /said nothing for 0\.05 s/);
  assert.equal(run.busy, false);
});

test('events of a cancelled run change nothing, and another one can start at once', async () => {
  let go;
  const run = new Run(async () => {});
  const slow = run.start(
    order(async function* () {
      await new Promise((resolve) => {
        go = resolve;
      });
      yield event.accepted(3);
    }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  run.cancel();
  assert.equal(run.state.get().kind, 'cancelled');
  const quick = run.start(
    order(async function* () {
      yield event.result({ findings: [] });
      yield event.completed();
    }),
  );
  go();
  await Promise.all([slow, quick]);
  assert.equal(run.state.get().kind, 'done');
});

test('a viewer that cannot show the mask does not undo the run', async () => {
  for (const [thrown, said] of [
    [new Error('no viewport'), 'no viewport'],
    [{ status: 400 }, 'the archive answered the viewer with HTTP 400'],
  ]) {
    const run = new Run(async () => {
      throw thrown;
    });
    await run.start(
      order(async function* () {
        yield event.result({ findings: [{ id: 1 }] });
        yield event.stored({ seriesUid: '3' });
        yield event.completed();
      }),
    );
    assert.equal(run.state.get().kind, 'done');
    assert.equal(run.state.get().overlayFailure, said);
  }
});

test('a finding is looked at on the slice where it is largest, on an oblique grid too', () => {
  const [c, s] = [Math.cos(0.3), Math.sin(0.3)];
  const grid = {
    spacingMm: [1, 1, 2],
    originLps: [10, 20, 30],
    // Columns: i along L, j and k turned about L.
    direction: [1, 0, 0, 0, c, -s, 0, s, c],
  };
  const position = (i, j, k) => [10 + i, 20 + c * j - s * 2 * k, 30 + s * j + c * 2 * k];
  const point = geometry.pointOf({ centroidLps: position(4, 5, 6.4), slice: 8n }, grid);
  position(4, 5, 8).forEach((value, axis) => {
    assert.ok(Math.abs(value - point[axis]) < 1e-9);
  });
  // The viewer counts from the other end.
  const positions = Array.from({ length: 12 }, (_, n) => position(0, 0, 11 - n));
  assert.equal(geometry.nearestImage(point, grid, positions), 3);
  assert.equal(geometry.nearestImage(point, grid, [undefined]), undefined);
});

test('a mask is checked voxel by voxel, on an oblique grid too', () => {
  const [c, s] = [Math.cos(0.3), Math.sin(0.3)];
  const grid = {
    spacingMm: [1, 2, 3],
    originLps: [10, 20, 30],
    direction: [1, 0, 0, 0, c, -s, 0, s, c],
  };
  const finding = { boxMinVox: [1n, 1n, 1n], boxMaxVox: [2n, 1n, 2n], volumeMm3: 3 * 6 };
  const result = { grid, findings: [finding] };
  const columns = 5;
  const slice = (k, set) => ({
    position: [10, 20 - s * 3 * k, 30 + c * 3 * k],
    alongRow: [1, 0, 0],
    downColumn: [0, c, s],
    spacingMm: [1, 2],
    columns,
    voxels: Array.from({ length: 20 }, (_, at) => Number(set.some(([i, j]) => at === j * columns + i))),
  });
  const shown = (second) => [
    slice(0, []),
    slice(1, [
      [1, 1],
      [2, 1],
    ]),
    slice(2, second),
  ];
  assert.equal(isMaskOf(result, shown([[1, 1]])), true);
  assert.equal(isMaskOf(result, shown([])), false, 'a voxel is missing');
  assert.equal(
    isMaskOf(
      result,
      shown([
        [1, 1],
        [2, 1],
      ]),
    ),
    false,
    'one too many',
  );
  assert.equal(isMaskOf(result, shown([[4, 1]])), false, 'one beside the box');
  // Slices of an uneven series lie between those of the grid: numbers differ, places do not.
  const between = (j) => [slice(1.4, [[1, j]])];
  assert.equal(isMaskOf(result, between(1)), true);
  assert.equal(isMaskOf(result, between(3)), false);
});
