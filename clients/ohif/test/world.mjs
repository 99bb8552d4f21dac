// What the browser tests share: an archive with studies, a viewer in front of it, a real Chromium.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../dev/child.mjs';
import { seriesOf, store, studies } from '../dev/dicomweb.mjs';
import { startOrthanc } from '../dev/orthanc.mjs';
import { startViewer } from '../dev/serve.mjs';
import { startSpinefx } from '../dev/spinefx.mjs';
import { viewerFiles, viewerProxies } from '../dev/wiring.mjs';
import { maskOf } from './overlay.mjs';

export const HERE = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
export const ROOT = resolve(HERE, '../..');
/** Which OHIF is under test: a folder of .tools/ohif. */
export const VERSION = process.env.OHIF_VERSION ?? '3.13.2';
export const PROGRAM = process.env.SPINEFX_PROGRAM ?? join(ROOT, 'target/release/spinefx');

export const DIST = join(ROOT, '.tools/ohif', VERSION, 'dist');

/**
 * An archive with the studies named (see fixtures.py, or a folder), a server and a viewer that leads to both.
 *
 * `serve(archive, folder)` starts the server; it can be started anew by setting `world.server`. `config(archive,
 * server)` is what app-config.js has for us beside its example.
 */
export async function openWorld({ names, serve, config = () => ({}), viewerPort = 0 }) {
  const made = fixtures();
  const folder = mkdtempSync(join(tmpdir(), 'spinefx-ohif-'));
  const world = { folder };
  world.openViewer = (own, port) =>
    startViewer({
      dist: DIST,
      files: viewerFiles(own),
      proxies: viewerProxies(world.archive, () => world.server.address),
      port,
    });
  world.close = async () => {
    for (const part of [world.viewer, world.server, world.archive]) await part?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await furnish(world, { folders: names.map((name) => join(made, name)), serve, config, viewerPort });
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}

async function furnish(world, { folders, serve, config, viewerPort }) {
  const archive = await startOrthanc({ folder: world.folder });
  world.archive = archive;
  for (const folder of folders) await store(archive.root, folder);
  world.server = await serve(archive, world.folder);
  world.viewer = await world.openViewer(config(archive, world.server), viewerPort);
  const found = await studies(archive.root);
  world.study = (description) => found.find((study) => study.description.includes(description)).uid;
  world.series = (study) => seriesOf(archive.root, study);
}

/** The real server, which may talk to the world's archive. */
export async function realServer(archive, folder, more = []) {
  const log = join(folder, 'spinefx.log');
  return startSpinefx({ program: PROGRAM, args: ['--archive', archive.root, ...more], log });
}

/** Cancels a call by `act`, and waits until the server's log says that it has noticed. */
export async function noticesCancel(server, act) {
  const before = server.output().length;
  const log = () => server.output().slice(before);
  await act();
  await until(
    () => /request failed.*CANCELLED/.test(log()),
    10,
    () => `no CANCELLED in the log:\n${log()}`,
  );
}

/** Folder of the test studies, made once for a run of the tests by `spinefx phantom` and fixtures.py. */
export function fixtures() {
  const out = process.env.SPINEFX_FIXTURES ?? join(tmpdir(), `spinefx-ohif-fixtures-${process.ppid}`);
  if (existsSync(join(out, 'done'))) return join(out, 'studies');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  // Seed and number of a phantom with two large fractures near each other.
  const which = ['--seed', '20261', '--first', '9', '--prevalence', '1', '--spacing', '1.44,1.44,4'];
  execFileSync(PROGRAM, ['phantom', ...which, '--format', 'dicom', '-o', join(out, 'phantom')]);
  const phantom = readdirSync(join(out, 'phantom')).find((name) => name.startsWith('phantom-'));
  const python = join(ROOT, '.venv/bin/python');
  const dicom = join(out, 'phantom', phantom, 'dicom');
  const made = join(out, 'studies');
  execFileSync(python, [join(HERE, 'test/fixtures.py'), dicom, made]);
  // What the server's answer is compared with: the same program, without server, archive and viewer.
  for (const name of ['ct', 'odd']) {
    execFileSync(PROGRAM, ['segment', join(made, name), '-o', join(made, `${name}-mask`)]);
  }
  const binary = ['odd-mask/mask.seg.dcm', 'odd', 'odd-binary/seg.dcm'].map((path) => join(made, path));
  execFileSync(python, [join(HERE, 'test/binary_seg.py'), ...binary]);
  mkdirSync(join(out, 'done'));
  return made;
}

/** What `spinefx segment` found in a test study: the mask as maskOf() has it, the findings, the grid. */
export function foundIn(name) {
  const folder = join(fixtures(), `${name}-mask`);
  const { findings, grid } = JSON.parse(readFileSync(join(folder, 'findings.json'), 'utf8'));
  return { mask: maskOf(join(folder, 'mask.nrrd')), findings, grid };
}

/** Where screenshots for the documentation go, or undefined when none are wanted. */
export function picture(name) {
  if (!process.env.SPINEFX_WRITE_DOCS) return undefined;
  const folder = join(ROOT, 'docs/ohif');
  mkdirSync(folder, { recursive: true });
  return join(folder, name);
}
