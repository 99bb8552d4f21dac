import { createServer } from 'node:net';

/** `wanted`, or a free port of the loopback interface. */
export async function port(wanted) {
  if (wanted) return Number(wanted);
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return free;
}
