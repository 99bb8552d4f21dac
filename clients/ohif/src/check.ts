import type { Result } from './gen/segplugin/v1/segmentation_plugin_pb';
import { indexOf, type Point } from './geometry';

/** A slice of a segmentation, as the viewer holds it in memory. */
export interface ShownSlice {
  /** Centre of the first voxel, mm LPS. */
  position: Point;
  /** Unit vectors along which columns and rows are counted. */
  alongRow: Point;
  downColumn: Point;
  /** Millimetres between columns, and between rows. */
  spacingMm: readonly [number, number];
  columns: number;
  /** Row by row; anything but 0 is set. */
  voxels: ArrayLike<number>;
}

/** How far off a voxel may lie, in voxels: text of DICOM has rounded positions. */
const OFF_VOXELS = 0.1;

/**
 * Whether the viewer holds the very mask that the server found: nothing outside the findings' boxes, and as many
 * voxels as they have together. Some viewers misread the bits of some segmentations, and would show a fracture where
 * there is none.
 */
export function isMaskOf(result: Result, slices: Iterable<ShownSlice>): boolean {
  const { grid, findings } = result;
  if (!grid) return true;
  let found = 0;
  let onGrid = true;
  for (const slice of slices) {
    const { spacingMm, columns, voxels } = slice;
    const first = indexOf(slice.position, grid);
    const step = (direction: Point, mm: number) => {
      const next = slice.position.map((value, axis) => value + mm * (direction[axis] ?? 0));
      return indexOf(next, grid).map((value, axis) => value - (first[axis] ?? 0));
    };
    const [column, row] = [step(slice.alongRow, spacingMm[0]), step(slice.downColumn, spacingMm[1])];
    onGrid &&= [first, column, row].flat().every((value) => Math.abs(value - Math.round(value)) < OFF_VOXELS);
    for (let at = 0; at < voxels.length; at++) {
      if (!voxels[at]) continue;
      found++;
      const [right, down] = [at % columns, Math.floor(at / columns)];
      const index = first.map((value, axis) => value + right * (column[axis] ?? 0) + down * (row[axis] ?? 0));
      if (!findings.some(({ boxMinVox, boxMaxVox }) => within(index, boxMinVox, boxMaxVox))) return false;
    }
  }
  // An uneven series is segmented on another grid than its own slices, and has other numbers of voxels there.
  if (!onGrid) return true;
  const voxelMm3 = grid.spacingMm.reduce((volume, mm) => volume * mm, 1);
  const meant = findings.reduce((sum, { volumeMm3 }) => sum + Math.round(volumeMm3 / voxelMm3), 0);
  return found === meant;
}

/** With a voxel's room on either side: on another grid, the nearest voxel may be the next one. */
function within(index: readonly number[], least: readonly bigint[], most: readonly bigint[]): boolean {
  return index.every((value, axis) => value > Number(least[axis]) - 1 && value < Number(most[axis]) + 1);
}
