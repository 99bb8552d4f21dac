// Debian's Orthanc with its DICOMweb plugin: an archive for the demo and the tests, for this computer alone.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ready, start } from './child.mjs';
import { port } from './ports.mjs';

/** Starts an archive that keeps its files in `folder`; `root` is its DICOMweb root. */
export async function startOrthanc({ folder, wantedPort }) {
  const at = await port(wantedPort);
  const storage = resolve(folder, 'storage');
  mkdirSync(storage, { recursive: true });
  const config = join(folder, 'orthanc.json');
  writeFileSync(config, JSON.stringify(configuration(storage, at, await port()), null, 2));
  const child = start('Orthanc', [config], { log: join(folder, 'orthanc.log') });
  const url = `http://127.0.0.1:${at}`;
  await ready(child, 'Orthanc', async () => (await fetch(`${url}/system`).catch(() => undefined))?.ok);
  return { url, root: `${url}/dicom-web`, ended: child.ended, stop: child.stop };
}

function configuration(storage, httpPort, dicomPort) {
  return {
    Name: 'spinefx',
    StorageDirectory: storage,
    IndexDirectory: storage,
    Plugins: ['/usr/share/orthanc/plugins/libOrthancDicomWeb.so'],
    HttpPort: httpPort,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    DicomServerEnabled: false,
    DicomPort: dicomPort,
    HttpThreadsCount: 16,
    OverwriteInstances: true,
    DicomWeb: {
      Enable: true,
      Root: '/dicom-web/',
      EnableWado: true,
      WadoRoot: '/wado',
      StudiesMetadata: 'Full',
      SeriesMetadata: 'Full',
      EnableMetadataCache: false,
    },
  };
}
