// Masks as they are in a file, and as the viewer has them: for each slice the numbers of its voxels.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/**
 * The mask of an NRRD file: a map from the slice's place along the stack (mm, rounded to 0.01) to the sorted
 * numbers of the voxels that are set, row by row. Axial stacks alone.
 */
export function maskOf(path) {
  const bytes = readFileSync(path);
  const end = bytes.indexOf('\n\n');
  const header = Object.fromEntries(
    bytes
      .subarray(0, end)
      .toString('latin1')
      .split('\n')
      .filter((line) => line.includes(': '))
      .map((line) => line.split(': ')),
  );
  const body = bytes.subarray(end + 2);
  const voxels = header.encoding === 'raw' ? body : gunzipSync(body);
  const [columns, rows, slices] = header.sizes.split(' ').map(Number);
  const numbers = (text) => text.match(/-?[\d.]+(e-?\d+)?/gi).map(Number);
  const [, , origin] = numbers(header['space origin']);
  const [, , step] = numbers(header['space directions']).slice(6);
  if (voxels.length !== columns * rows * slices) throw new Error(`${path}: ${voxels.length} voxels`);
  const mask = {};
  for (let k = 0; k < slices; k++) {
    const slice = voxels.subarray(k * columns * rows, (k + 1) * columns * rows);
    const set = indices(slice);
    if (set.length > 0) mask[(origin + k * step).toFixed(2)] = set;
  }
  return mask;
}

/** The same from the viewer: cornerstone's labelmap images of the segmentation that is laid over a stack. */
export function overlayOf(page) {
  return page.evaluate(() => {
    const { segmentationService, viewportGridService } = window.services;
    const viewportId = viewportGridService.getActiveViewportId();
    const shown = segmentationService.getSegmentationRepresentations(viewportId, {});
    const mask = {};
    for (const { segmentationId } of shown) {
      const { Labelmap } = segmentationService.getSegmentation(segmentationId).representationData;
      for (const imageId of Labelmap.imageIds) {
        const image = window.cornerstone.cache.getImage(imageId);
        const plane = window.cornerstone.metaData.get('imagePlaneModule', image.referencedImageId);
        const set = [];
        image.voxelManager.getScalarData().forEach((value, index) => {
          if (value > 0) set.push(index);
        });
        if (set.length > 0) mask[plane.imagePositionPatient[2].toFixed(2)] = set;
      }
    }
    return mask;
  });
}

/** How many pixels of each viewport are drawn in a colour rather than grey. */
export function colouredPixels(page) {
  return page.evaluate(() =>
    window.cornerstone.getEnabledElements().map(({ viewport }) => {
      const canvas = viewport.getCanvas();
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      for (let at = 0; at < data.length; at += 4) {
        const [r, g, b] = [data[at], data[at + 1], data[at + 2]];
        if (Math.max(r, g, b) - Math.min(r, g, b) > 40) coloured++;
      }
      return { id: viewport.id, coloured };
    }),
  );
}

/** Where each viewport is: its kind, and the point at its centre (stack: the position of its image). */
export function places(page) {
  return page.evaluate(() =>
    window.cornerstone.getEnabledElements().map(({ viewport }) => {
      const { focalPoint, viewPlaneNormal } = viewport.getCamera();
      return { id: viewport.id, type: viewport.type, point: [...focalPoint], normal: [...viewPlaneNormal] };
    }),
  );
}

function indices(slice) {
  const set = [];
  slice.forEach((value, index) => {
    if (value > 0) set.push(index);
  });
  return set;
}
