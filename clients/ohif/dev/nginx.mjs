// The real nginx with the site of clients/ohif/nginx.conf, its addresses and paths replaced.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ready, start } from './child.mjs';
import { port } from './ports.mjs';

/** Starts nginx in `folder` for a built OHIF with our `files` (see wiring.mjs), an archive and a server. */
export async function startNginx({ folder, dist, files, archive, server, site }) {
  const at = await port();
  const at443 = `127.0.0.1:${at}`;
  const root = join(folder, 'ohif');
  cpSync(dist, root, { recursive: true });
  mkdirSync(join(root, 'ext'));
  for (const [path, file] of Object.entries(files)) {
    writeFileSync(join(root, path), typeof file === 'function' ? file() : readFileSync(file));
  }
  const [crt, key] = certificate(folder);
  const replaced = [
    ['listen 443', `listen ${at443}`],
    ['/srv/ohif', root],
    ['/etc/ssl/viewer.crt', crt],
    ['/etc/ssl/viewer.key', key],
    ['127.0.0.1:8042', new URL(archive.url).host],
    ['127.0.0.1:50051', server.address],
  ].reduce(
    (text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`nginx.conf has no ${from}`);
      return text.replace(`${from};`, `${to};`).replace(`${from} `, `${to} `);
    },
    readFileSync(site, 'utf8'),
  );
  writeFileSync(join(folder, 'site.conf'), replaced);
  writeFileSync(join(folder, 'nginx.conf'), main(folder));
  const child = start('/usr/sbin/nginx', ['-c', resolve(folder, 'nginx.conf'), '-g', 'daemon off;'], {
    log: join(folder, 'nginx.log'),
  });
  await ready(child, 'nginx', () => answers(`https://${at443}/`));
  return { url: `https://${at443}`, host: at443, certificate: crt, stop: child.stop };
}

function answers(url) {
  try {
    execFileSync('curl', ['-skfo', '/dev/null', url]);
    return true;
  } catch {
    return false;
  }
}

function certificate(folder) {
  const [crt, key] = ['viewer.crt', 'viewer.key'].map((name) => join(folder, name));
  const wanted = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', crt, ...wanted];
  execFileSync('openssl', request, { stdio: 'ignore' });
  return [crt, key];
}

/** What /etc/nginx/nginx.conf is elsewhere, with all that nginx writes in `folder`. */
function main(folder) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${join(folder, name)};`)
    .join('\n');
  // Started by root, nginx would work as somebody who may not read the folder.
  const user = process.getuid() === 0 ? 'user root;\n' : '';
  return `${user}pid ${join(folder, 'nginx.pid')};
error_log stderr;
events {}
http {
  include /etc/nginx/mime.types;
  access_log off;
${temporary}
  include ${join(folder, 'site.conf')};
}
`;
}
