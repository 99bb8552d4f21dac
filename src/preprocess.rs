//! A CT in HU → what the network reads: canonical axes, the model's spacing, cropped to bone, windowed.
//!
//! The paper names the steps (normalise, crop, resample) without their values; the values travel with
//! a model in its `config.json`. The same code prepares training volumes and requests.

use crate::column;
use crate::itk::{self, Interpolation, ItkError};
use crate::monitor::{Monitor, Stage};
use crate::volume::{Grid, GridError, Volume};

/// HU of what lies outside a CT: air.
pub const AIR_HU: i16 = -1000;

/// Specks above the bone threshold that are smaller than this are noise, contrast or calcification,
/// not a vertebra: the smallest vertebral bodies of an adult are some 5,000 mm³.
const MINIMUM_BONE_MM3: f64 = 500.0;

/// What a model wants to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Spacing along L, P, S after orientation.
    pub spacing_mm: [f64; 3],
    /// HU mapped to −1 and +1; values beyond are clipped.
    pub window_hu: [f64; 2],
    /// Bone is what reaches this HU.
    pub bone_hu: f64,
    /// How far from bone (per axis) the network's answer counts.
    pub bone_margin_mm: f64,
    /// Bone farther than this from the spine's course counts for nothing; `None`: all bone counts.
    pub spine_reach_mm: Option<f64>,
}

/// A volume ready for the network.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Values in −1..1 on a canonical grid with the recipe's spacing, cropped to bone and its margin.
    pub normalised: Volume<f32>,
    /// 1 within the margin of bone. Elsewhere a probability is 0 by definition, which is what makes
    /// leaving out slices without bone exact rather than approximate.
    pub gate: Volume<u8>,
}

/// Orients, resamples, crops and windows one CT.
///
/// `None`: the CT holds no bone at all, so there is nothing to segment.
pub fn prepare(
    ct_hu: &Volume<i16>,
    recipe: &Recipe,
    monitor: &Monitor,
) -> Result<Option<Prepared>, ItkError> {
    const STEPS: usize = 3;
    monitor.step(Stage::Preprocess, 0, STEPS)?;
    let ct_hu = to_spacing(ct_hu, recipe.spacing_mm, monitor)?;
    monitor.step(Stage::Preprocess, 1, STEPS)?;
    let Some(bone) = bone(&ct_hu, recipe.bone_hu, monitor)? else { return Ok(None) };
    let bone = match recipe.spine_reach_mm {
        Some(reach_mm) => column::keep_near(bone, reach_mm),
        None => bone,
    };
    let margin_vox = margin_vox(ct_hu.grid(), recipe.bone_margin_mm);
    let (start, size) = grow(bounds(&bone), margin_vox, ct_hu.grid().size());
    let gate = dilate(itk::crop(&bone, start, size)?, margin_vox);
    monitor.step(Stage::Preprocess, 2, STEPS)?;
    let normalised = itk::crop(&ct_hu, start, size)?.map(|hu| normalise(*hu, recipe.window_hu));
    monitor.step(Stage::Preprocess, STEPS, STEPS)?;
    Ok(Some(Prepared { normalised, gate }))
}

/// A CT on canonical axes (i to L, j to P, k to S as nearly as its direction allows) at `spacing_mm`.
/// Axes that get coarser are smoothed first, or thin cortical bone would alias.
pub fn to_spacing(
    ct_hu: &Volume<i16>,
    spacing_mm: [f64; 3],
    monitor: &Monitor,
) -> Result<Volume<i16>, ItkError> {
    let oriented = itk::orient(ct_hu)?;
    let grid = grid_at(oriented.grid(), spacing_mm)?;
    if grid.same_place(oriented.grid(), 1e-6) {
        return Ok(oriented);
    }
    let smooth = itk::smooth_for(&oriented, spacing_mm, monitor)?;
    drop(oriented);
    itk::resample(&smooth, &grid, Interpolation::Linear, AIR_HU, monitor)
}

/// The grid with new spacing that covers the same block of space, edge to edge.
pub fn grid_at(grid: &Grid, spacing_mm: [f64; 3]) -> Result<Grid, GridError> {
    let (old_size, old_mm) = (grid.size(), grid.spacing_mm());
    let size =
        std::array::from_fn(|a| ((old_size[a] as f64 * old_mm[a] / spacing_mm[a]).round() as usize).max(1));
    // Voxel edges, not centres, are kept in common: the first centre moves by half the difference.
    let first = std::array::from_fn(|a| {
        let slack_mm = old_size[a] as f64 * old_mm[a] - size[a] as f64 * spacing_mm[a];
        (slack_mm / 2.0 + spacing_mm[a] / 2.0) / old_mm[a] - 0.5
    });
    Grid::new(size, spacing_mm, grid.position_lps(first), grid.direction())
}

/// HU → −1..1, linear between the window's ends.
pub fn normalise(hu: i16, [low, high]: [f64; 2]) -> f32 {
    let unit = (f64::from(hu) - low) / (high - low);
    (unit.clamp(0.0, 1.0) * 2.0 - 1.0) as f32
}

/// Voxels of bone without specks; `None` when there are none.
fn bone(ct_hu: &Volume<i16>, bone_hu: f64, monitor: &Monitor) -> Result<Option<Volume<u8>>, ItkError> {
    let dense = ct_hu.map(|hu| u8::from(f64::from(*hu) >= bone_hu));
    let (labels, components) = itk::connected_components(&dense, monitor)?;
    let voxel_mm3 = ct_hu.grid().voxel_mm3();
    // Components come largest first, so those to keep are a prefix of the labels.
    let kept = components.iter().take_while(|c| c.voxels as f64 * voxel_mm3 >= MINIMUM_BONE_MM3).count();
    if kept == 0 {
        return Ok(None);
    }
    Ok(Some(labels.map(|label| u8::from((1..=kept as u64).contains(&u64::from(*label))))))
}

/// First and last index with a non-zero voxel, per axis. The mask is not empty.
fn bounds(mask: &Volume<u8>) -> [[usize; 2]; 3] {
    let [ni, nj, _] = mask.grid().size();
    let mut found = [[usize::MAX, 0]; 3];
    for (row, line) in mask.voxels().chunks_exact(ni).enumerate() {
        let Some(first) = line.iter().position(|v| *v != 0) else { continue };
        let last = line.iter().rposition(|v| *v != 0).unwrap_or(first);
        for (axis, [low, high]) in [[first, last], [row % nj; 2], [row / nj; 2]].into_iter().enumerate() {
            found[axis] = [found[axis][0].min(low), found[axis][1].max(high)];
        }
    }
    found
}

fn margin_vox(grid: &Grid, margin_mm: f64) -> [usize; 3] {
    grid.spacing_mm().map(|s| (margin_mm / s).ceil() as usize)
}

/// Start and size of a box grown by a margin and kept inside `size`.
fn grow(bounds: [[usize; 2]; 3], margin: [usize; 3], size: [usize; 3]) -> ([usize; 3], [usize; 3]) {
    let start: [usize; 3] = std::array::from_fn(|a| bounds[a][0].saturating_sub(margin[a]));
    let end: [usize; 3] = std::array::from_fn(|a| (bounds[a][1] + margin[a]).min(size[a] - 1));
    (start, std::array::from_fn(|a| end[a] - start[a] + 1))
}

/// Box dilation, one axis after the other: a voxel is set when bone lies within `reach` on every axis.
pub fn dilate(mut mask: Volume<u8>, reach: [usize; 3]) -> Volume<u8> {
    let size = mask.grid().size();
    let stride = [1, size[0], size[0] * size[1]];
    for axis in 0..3 {
        let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
        for v in 0..size[b] {
            for u in 0..size[a] {
                let line =
                    Line { first: u * stride[a] + v * stride[b], stride: stride[axis], len: size[axis] };
                line.dilate(mask.voxels_mut(), reach[axis]);
            }
        }
    }
    mask
}

/// One row of voxels along an axis.
struct Line {
    first: usize,
    stride: usize,
    len: usize,
}

impl Line {
    fn dilate(&self, voxels: &mut [u8], reach: usize) {
        let at = |n: usize| self.first + n * self.stride;
        let set: Vec<usize> = (0..self.len).filter(|n| voxels[at(*n)] != 0).collect();
        let mut next = 0;
        for centre in set {
            // `next` keeps overlapping reaches from being written twice.
            let end = (centre + reach).min(self.len - 1);
            for n in next.max(centre.saturating_sub(reach))..=end {
                voxels[at(n)] = 1;
            }
            next = end + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_spacing_covers_the_same_block() {
        let grid = Grid::axis_aligned([10, 20, 30], [0.5, 1.0, 2.0], [1.0, 2.0, 3.0]).unwrap();
        let coarse = grid_at(&grid, [1.0, 1.0, 1.0]).unwrap();
        assert_eq!(coarse.size(), [5, 20, 60]);
        // Left edge before: 1.0 − 0.25; after: origin − 0.5.
        assert!((coarse.origin_lps()[0] - 1.25).abs() < 1e-12);
        assert!((coarse.origin_lps()[2] - 2.5).abs() < 1e-12);
    }

    #[test]
    fn the_window_maps_its_ends() {
        assert_eq!(normalise(-200, [-200.0, 1300.0]), -1.0);
        assert_eq!(normalise(1300, [-200.0, 1300.0]), 1.0);
        assert_eq!(normalise(3000, [-200.0, 1300.0]), 1.0);
        assert!((normalise(550, [-200.0, 1300.0])).abs() < 1e-6);
    }

    #[test]
    fn dilation_reaches_a_box() {
        let grid = Grid::axis_aligned([9, 7, 5], [1.0; 3], [0.0; 3]).unwrap();
        let mut mask = Volume::filled(grid.clone(), 0_u8);
        let centre = [4, 3, 2];
        mask.voxels_mut()[grid.offset(centre)] = 1;
        let grown = dilate(mask, [2, 1, 0]);
        for k in 0..5 {
            for j in 0..7_usize {
                for i in 0..9_usize {
                    let near = i.abs_diff(4) <= 2 && j.abs_diff(3) <= 1 && k == 2;
                    assert_eq!(grown.at([i, j, k]), u8::from(near), "{i} {j} {k}");
                }
            }
        }
    }
}
