//! How far two masks' surfaces lie apart, in millimetres.
//!
//! A surface voxel is one with a neighbour across a face that is outside the mask or outside the volume.
//! From every surface voxel of either mask the distance to the nearest surface voxel of the other is
//! taken, centre to centre. These are MONAI's definitions (`compute_hausdorff_distance`,
//! `compute_average_surface_distance`), and a test compares with it.

use super::nearest::Nearest;
use crate::volume::Volume;
use rayon::prelude::*;
use serde::Serialize;

/// Distances of two surfaces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SurfaceDistance {
    /// The 95th percentile of the distances either way, whichever is larger (linear between ranks), mm.
    pub hd95_mm: f64,
    /// Mean over the distances both ways together, mm.
    pub assd_mm: f64,
}

/// Compares two masks on one grid; `None` when either is empty, as no distance exists then.
pub fn distance(found: &Volume<u8>, truth: &Volume<u8>) -> Option<SurfaceDistance> {
    let (found, truth) = (surface_mm(found), surface_mm(truth));
    if found.is_empty() || truth.is_empty() {
        return None;
    }
    let (to_truth, to_found) = (nearest(&found, &truth), nearest(&truth, &found));
    let sum: f64 = to_truth.iter().chain(&to_found).sum();
    let assd_mm = sum / (to_truth.len() + to_found.len()) as f64;
    let hd95_mm = percentile(to_truth, 0.95).max(percentile(to_found, 0.95));
    Some(SurfaceDistance { hd95_mm, assd_mm })
}

/// Positions of a mask's surface voxels along its own axes, in millimetres from voxel (0, 0, 0).
pub fn surface_mm(mask: &Volume<u8>) -> Vec<[f64; 3]> {
    let (size, spacing) = (mask.grid().size(), mask.grid().spacing_mm());
    let slice = size[0] * size[1];
    let of_slice = |(k, voxels): (usize, &[u8])| -> Vec<[f64; 3]> {
        let set = voxels.iter().enumerate().filter(|(_, v)| **v != 0);
        let index = set.map(|(n, _)| [n % size[0], n / size[0], k]);
        index
            .filter(|at| !is_inside(mask, *at))
            .map(|at| std::array::from_fn(|a| at[a] as f64 * spacing[a]))
            .collect()
    };
    mask.voxels().par_chunks_exact(slice).enumerate().flat_map_iter(of_slice).collect()
}

/// Whether all six neighbours across a face belong to the mask too.
fn is_inside(mask: &Volume<u8>, at: [usize; 3]) -> bool {
    let size = mask.grid().size();
    (0..3).all(|axis| {
        let near = |index: usize| {
            let mut neighbour = at;
            neighbour[axis] = index;
            mask.at(neighbour) != 0
        };
        at[axis] > 0 && at[axis] + 1 < size[axis] && near(at[axis] - 1) && near(at[axis] + 1)
    })
}

/// From every point of `from`, the distance to the nearest of `to`, which holds at least one.
fn nearest(from: &[[f64; 3]], to: &[[f64; 3]]) -> Vec<f64> {
    let points = Nearest::new(to.iter().map(|at| (*at, ())));
    from.par_iter().map(|at| points.to(*at).map_or(f64::INFINITY, |(distance, ())| distance)).collect()
}

/// A quantile of at least one value, linear between ranks as numpy and torch have it.
pub fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = share * (values.len() - 1) as f64;
    let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
    low + (high - low) * rank.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Grid;

    fn block(from: usize, to: usize) -> Volume<u8> {
        let grid = Grid::axis_aligned([5, 5, 20], [1.0, 1.0, 3.0], [0.0; 3]).unwrap();
        let mut mask = Volume::filled(grid.clone(), 0);
        for k in from..to {
            mask.voxels_mut()[grid.offset([2, 2, k])] = 1;
        }
        mask
    }

    #[test]
    fn slices_are_as_far_apart_as_they_are_thick() {
        let distance = distance(&block(4, 5), &block(6, 7)).unwrap();
        assert_eq!(distance, SurfaceDistance { hd95_mm: 6.0, assd_mm: 6.0 });
        // Three voxels against one at their end: 6, 3, 0 one way, 0 the other.
        let distance = super::distance(&block(4, 7), &block(6, 7)).unwrap();
        assert!((distance.hd95_mm - 5.7).abs() < 1e-12 && (distance.assd_mm - 9.0 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn an_empty_mask_has_no_distance() {
        assert_eq!(distance(&block(0, 0), &block(6, 7)), None);
    }

    #[test]
    fn the_inside_is_no_surface() {
        let grid = Grid::axis_aligned([5; 3], [1.0; 3], [0.0; 3]).unwrap();
        // The whole volume: its border is surface, as nothing is known beyond it.
        assert_eq!(surface_mm(&Volume::filled(grid, 1)).len(), 125 - 27);
    }
}
