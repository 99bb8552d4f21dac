//! A tilted or unevenly spaced stack → an even, right-angled grid, by linear interpolation.

use super::error::ReadError;
use super::geometry::{dot, minus, plus};
use super::stack::{Stack, median_step};
use crate::monitor::{Cancelled, Monitor};
use crate::volume::{Grid, Volume};
use rayon::prelude::*;

/// What is outside the slices: air.
const AIR_HU: i16 = -1024;

/// A slice in the in-plane frame of the output: columns and rows by which it starts later.
struct Placed<'a> {
    hu: &'a [i16],
    size: [usize; 2],
    shift_vox: [f64; 2],
    along_mm: f64,
}

impl Placed<'_> {
    /// Bilinear value at output column `i` and row `j`; `None` outside the slice.
    fn at(&self, i: usize, j: usize) -> Option<f64> {
        let axis = |n: usize, a: usize| -> Option<(usize, usize, f64)> {
            let at = n as f64 - self.shift_vox[a];
            let last = self.size[a] as f64 - 1.0;
            // Half a voxel around the outer centres still belongs to the slice.
            (at >= -0.5 && at <= last + 0.5).then(|| {
                let at = at.clamp(0.0, last);
                let low = at.floor();
                (low as usize, (low as usize + 1).min(self.size[a] - 1), at - low)
            })
        };
        let ((x0, x1, fx), (y0, y1, fy)) = (axis(i, 0)?, axis(j, 1)?);
        let value = |x: usize, y: usize| f64::from(self.hu[y * self.size[0] + x]);
        let row = |y: usize| value(x0, y) * (1.0 - fx) + value(x1, y) * fx;
        Some(row(y0) * (1.0 - fy) + row(y1) * fy)
    }
}

/// Resamples to the smallest step between slices (at least a quarter of the median) over the box that
/// holds all slices; voxels outside the slices are air.
pub(super) fn even(stack: &Stack, max_voxels: u64, monitor: &Monitor) -> Result<Volume<i16>, ReadError> {
    let (grid, placed) = lay_out(stack, max_voxels)?;
    let [columns, rows, _] = grid.size();
    let step_mm = grid.spacing_mm()[2];
    let mut voxels = vec![AIR_HU; grid.len()];
    voxels.par_chunks_mut(columns * rows).enumerate().try_for_each(|(k, out)| -> Result<(), Cancelled> {
        monitor.check()?;
        let along = k as f64 * step_mm;
        let above = placed.partition_point(|slice| slice.along_mm <= along).min(placed.len() - 1);
        let below = above.saturating_sub(1);
        let (low, high) = (&placed[below], &placed[above]);
        let gap = (high.along_mm - low.along_mm).max(f64::MIN_POSITIVE);
        let part = ((along - low.along_mm) / gap).clamp(0.0, 1.0);
        for (n, voxel) in out.iter_mut().enumerate() {
            let (i, j) = (n % columns, n / columns);
            let value = match (low.at(i, j), high.at(i, j)) {
                (Some(low), Some(high)) => low * (1.0 - part) + high * part,
                (Some(low), None) if part < 0.5 => low,
                (None, Some(high)) if part >= 0.5 => high,
                _ => continue,
            };
            *voxel = value.round() as i16;
        }
        Ok(())
    })?;
    Ok(Volume::new(grid, voxels)?)
}

fn lay_out(stack: &Stack, max_voxels: u64) -> Result<(Grid, Vec<Placed<'_>>), ReadError> {
    let distances = stack.distances_mm();
    let median = median_step(&distances);
    let smallest = distances.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let step_mm = smallest.max(median / 4.0);
    let plane = &stack.slices[0].plane;
    let spacing = [plane.pixel_spacing_mm[1], plane.pixel_spacing_mm[0]];
    let axes = [stack.axes.row, stack.axes.column];
    let shifts = shifts_vox(stack);
    let least: [f64; 2] = std::array::from_fn(|a| shifts.iter().map(|s| s[a]).fold(0.0, f64::min));
    let most: [f64; 2] = std::array::from_fn(|a| shifts.iter().map(|s| s[a]).fold(0.0, f64::max));
    let [columns, rows, _] = stack.size();
    let last_mm = distances.last().copied().unwrap_or(0.0);
    let size = [
        columns.saturating_add((most[0] - least[0] - 1e-6).ceil() as usize),
        rows.saturating_add((most[1] - least[1] - 1e-6).ceil() as usize),
        ((last_mm / step_mm - 1e-6).ceil() as usize).saturating_add(1),
    ];
    let found = size.iter().fold(1_u64, |all, n| all.saturating_mul(*n as u64));
    if found > max_voxels {
        return Err(ReadError::LimitExceeded { what: "voxels after resampling", limit: max_voxels, found });
    }
    let corner = plus(plane.position_lps, least[0] * spacing[0], axes[0]);
    let origin = plus(corner, least[1] * spacing[1], axes[1]);
    let grid = Grid::new(size, [spacing[0], spacing[1], step_mm], origin, stack.axes.direction())?;
    let placed = stack
        .slices
        .iter()
        .zip(shifts)
        .zip(distances)
        .map(|((slice, shift), along_mm)| Placed {
            hu: &slice.hu,
            size: slice.size,
            shift_vox: std::array::from_fn(|a| shift[a] - least[a]),
            along_mm,
        })
        .collect();
    Ok((grid, placed))
}

/// Columns and rows by which each slice starts later than the first, as seen along the normal.
fn shifts_vox(stack: &Stack) -> Vec<[f64; 2]> {
    let plane = &stack.slices[0].plane;
    let spacing = [plane.pixel_spacing_mm[1], plane.pixel_spacing_mm[0]];
    let axes = [stack.axes.row, stack.axes.column];
    let shift = |position| {
        let step = minus(position, plane.position_lps);
        std::array::from_fn(|a| dot(step, axes[a]) / spacing[a])
    };
    stack.positions_lps().into_iter().map(shift).collect()
}
