// One origin for the demo and the tests: OHIF's files, our extension, and what lies behind.
import { createReadStream, statSync } from 'node:fs';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/**
 * Serves a viewer at http://127.0.0.1:port.
 *
 * dist: folder of the built OHIF; files: paths that take precedence, each with a file or (as a function) a text;
 * proxies: path prefixes, each with `host:port` or a function that gives it.
 */
export async function startViewer({ dist, files, proxies, port = 0 }) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const proxy = Object.entries(proxies).find(([prefix]) => pathname.startsWith(prefix));
    if (proxy) forward(request, response, typeof proxy[1] === 'function' ? proxy[1]() : proxy[1]);
    else give(response, pathname, dist, files);
  });
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

/** Passes a request on and streams the answer back. A client that goes away takes the request with it. */
function forward(request, response, target) {
  const [host, port] = target.split(':');
  const { method, url, headers } = request;
  const onward = http.request({ host, port, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    response.flushHeaders();
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  onward.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { 'Content-Type': 'text/plain' }).end(`nothing answers at ${target}\n`);
  });
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}

function give(response, pathname, dist, files) {
  const special = files[pathname];
  if (typeof special === 'function') {
    response.writeHead(200, head(pathname)).end(special());
    return;
  }
  const wanted = special ?? join(dist, normalize(decodeURIComponent(pathname)));
  // Every path without an ending is a route of the viewer.
  const path = isFile(wanted) ? wanted : extname(pathname) ? undefined : join(dist, 'index.html');
  if (!path) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, head(path));
  createReadStream(path).pipe(response);
}

function head(path) {
  return {
    'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
    'Cache-Control': 'no-cache',
    // With these the viewer may share memory between its workers.
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
  };
}

function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
