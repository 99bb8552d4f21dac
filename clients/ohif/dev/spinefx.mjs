import { ready, start } from './child.mjs';

/** Starts `spinefx serve` with further arguments and waits until it listens; `address` is host:port. */
export async function startSpinefx({ program, args = [], log, listen = '127.0.0.1:0' }) {
  const child = start(program, ['serve', '--listen', listen, ...args], { log });
  const address = () => /listening on ([\d.]+:\d+)/.exec(child.output())?.[1];
  await ready(child, 'spinefx', address);
  return { ...child, address: address() };
}
