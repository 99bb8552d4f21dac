// Child processes that end with this one.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';

const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGTERM');
});

/**
 * Starts a program whose output goes to the file `log`. `stop()` asks it to end and waits until it has.
 * Its own process group, so that a Ctrl-C reaches it through `stop()` alone, in the order its owner wants.
 */
export function start(program, args, { log, env = {} }) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  });
  alive.add(child);
  const file = createWriteStream(log, { flags: 'a' });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => {
      text += bytes;
      file.write(bytes);
    });
  }
  const ended = new Promise((resolve) => {
    child.on('error', (error) => {
      text += `${program}: ${error.message}\n`;
      resolve();
    });
    child.on('close', resolve);
  });
  let isOver = false;
  ended.then(() => {
    isOver = true;
    alive.delete(child);
    file.end();
  });
  return {
    pid: child.pid,
    ended,
    output: () => text,
    isOver: () => isOver,
    signal: (name) => isOver || child.kill(name),
    stop: async () => {
      if (!isOver) child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(hard);
    },
  };
}

/** Waits until a child is ready, which `test` says; ends it and throws with its words where it is not. */
export async function ready(child, name, test) {
  try {
    await until(
      async () => child.isOver() || (await test()),
      120,
      () => `${name} does not answer`,
    );
    if (child.isOver()) throw new Error(`${name} ended`);
  } catch (error) {
    await child.stop();
    throw new Error(`${error.message}:\n${child.output().slice(-2000)}`);
  }
}

/** Waits until `test` returns something true; throws with the text of `describe` after `seconds`. */
export async function until(test, seconds, describe) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await test();
    if (found) return found;
    if (Date.now() > end) throw new Error(`after ${seconds} s: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
