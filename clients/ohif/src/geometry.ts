import type { Finding, Grid } from './gen/segplugin/v1/segmentation_plugin_pb';

/** Three numbers: millimetres LPS, which are cornerstone's world coordinates. */
export type Point = readonly number[];

/**
 * The point to look at for a finding: its centre of mass, moved along the stack to the slice on which it is
 * largest, since the centre itself may lie beside a bent region.
 */
export function pointOf(finding: Finding, grid: Grid): Point {
  const normal = normalOf(grid);
  const centre = finding.centroidLps;
  const wantedMm = dot(normal, grid.originLps) + Number(finding.slice) * (grid.spacingMm[2] ?? 0);
  const missingMm = wantedMm - dot(normal, centre);
  return centre.map((value, axis) => value + (normal[axis] ?? 0) * missingMm);
}

/** Index of the image whose slice is nearest to `point`; undefined where no image has a position. */
export function nearestImage(point: Point, grid: Grid, positions: (Point | undefined)[]): number | undefined {
  const normal = normalOf(grid);
  const wanted = dot(normal, point);
  const distances = positions.map((p) => (p ? Math.abs(dot(normal, p) - wanted) : Number.POSITIVE_INFINITY));
  const least = Math.min(...distances);
  return Number.isFinite(least) ? distances.indexOf(least) : undefined;
}

/** Index of a point along i, j and k; between two voxels it is no whole number. */
export function indexOf(point: Point, grid: Grid): number[] {
  const offset = point.map((value, axis) => value - (grid.originLps[axis] ?? 0));
  return [0, 1, 2].map((axis) => dot(axisOf(grid, axis), offset) / (grid.spacingMm[axis] ?? 1));
}

function normalOf(grid: Grid): Point {
  return axisOf(grid, 2);
}

/** Along which direction an index grows: a column of the row-major matrix. */
function axisOf(grid: Grid, axis: number): Point {
  return [0, 3, 6].map((row) => grid.direction[row + axis] ?? 0);
}

function dot(a: Point, b: Point): number {
  return a.reduce((sum, value, axis) => sum + value * (b[axis] ?? 0), 0);
}
