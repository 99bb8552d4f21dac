import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const BATCH = 40;

/** Stores every file of a folder (STOW-RS), some at a time. Returns how many. */
export async function store(root, folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.dcm'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  for (let at = 0; at < files.length; at += BATCH) await storeBatch(root, files.slice(at, at + BATCH));
  return files.length;
}

async function storeBatch(root, files) {
  const boundary = 'spinefx-part';
  const parts = files.flatMap((file) => [
    Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`),
    readFileSync(file),
    Buffer.from('\r\n'),
  ]);
  const answer = await fetch(`${root}/studies`, {
    method: 'POST',
    headers: {
      'Content-Type': `multipart/related; type="application/dicom"; boundary=${boundary}`,
      Accept: 'application/dicom+json',
    },
    body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
  });
  if (!answer.ok) throw new Error(`STOW-RS: HTTP ${answer.status}: ${await answer.text()}`);
}

/** All studies of an archive: `{ uid, description }`. */
export async function studies(root) {
  const found = await query(`${root}/studies?includefield=00081030`);
  return found.map((study) => ({ uid: value(study, '0020000D'), description: value(study, '00081030') }));
}

/** The series of a study: `{ uid, modality, description }`. */
export async function seriesOf(root, studyUid) {
  const found = await query(`${root}/studies/${studyUid}/series?includefield=0008103E`);
  return found.map((one) => ({
    uid: value(one, '0020000E'),
    modality: value(one, '00080060'),
    description: value(one, '0008103E'),
  }));
}

async function query(url) {
  const answer = await fetch(url, { headers: { Accept: 'application/dicom+json' } });
  if (answer.status === 204) return [];
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  return answer.json();
}

function value(dataset, tag) {
  return dataset[tag]?.Value?.[0] ?? '';
}
