//! False positives seen from the spine: which vertebra they lie at, and how many lie away from it.

use super::nearest::Nearest;
use super::surface::surface_mm;
use crate::volume::Volume;
use serde::Serialize;

/// A false positive this near to a vertebra (voxel centres) belongs to it.
pub const NEAR_MM: f64 = 10.0;

/// One vertebra without a fracture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HealthyVertebra {
    /// Its value in the labelmap.
    pub label: i16,
    /// False-positive volume in it or nearer to it than to any other, up to [`NEAR_MM`].
    pub false_positive_mm3: f64,
}

/// False positives of one volume that has a vertebra labelmap.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SpineScore {
    /// Every labelled vertebra that holds no voxel of the truth.
    pub healthy: Vec<HealthyVertebra>,
    /// False-positive volume at vertebrae that do hold a fracture.
    pub at_fractured_mm3: f64,
    /// False-positive volume farther than [`NEAR_MM`] from every vertebra.
    pub away_mm3: f64,
}

/// Shares the false positives out; the three volumes lie on one grid.
pub fn score(found: &Volume<u8>, truth: &Volume<u8>, vertebrae: &Volume<i16>) -> SpineScore {
    let grid = found.grid();
    let ([ni, nj, _], spacing, voxel_mm3) = (grid.size(), grid.spacing_mm(), grid.voxel_mm3());
    let mut volumes = std::collections::BTreeMap::<i16, (bool, f64)>::new();
    for (label, t) in vertebrae.voxels().iter().zip(truth.voxels()).filter(|(label, _)| **label > 0) {
        volumes.entry(*label).or_default().0 |= *t != 0;
    }
    let bone = vertebrae.map(|label| u8::from(*label > 0));
    let label_at = |at: [f64; 3]| {
        let index = std::array::from_fn(|a| (at[a] / spacing[a]).round() as usize);
        (at, vertebrae.at(index))
    };
    let surface = Nearest::new(surface_mm(&bone).into_iter().map(label_at));
    let mut score = SpineScore::default();
    let voxels = found.voxels().iter().zip(truth.voxels()).zip(vertebrae.voxels());
    for (n, (_, label)) in voxels.enumerate().filter(|(_, ((f, t), _))| **f != 0 && **t == 0) {
        let index = [n % ni, n / ni % nj, n / (ni * nj)];
        let at: [f64; 3] = std::array::from_fn(|a| index[a] as f64 * spacing[a]);
        let near = || surface.to(at).filter(|(distance, _)| *distance <= NEAR_MM).map(|(_, label)| *label);
        match if *label > 0 { Some(*label) } else { near() } {
            Some(label) => volumes.entry(label).or_default().1 += voxel_mm3,
            None => score.away_mm3 += voxel_mm3,
        }
    }
    for (label, (fractured, false_positive_mm3)) in volumes {
        if fractured {
            score.at_fractured_mm3 += false_positive_mm3;
        } else {
            score.healthy.push(HealthyVertebra { label, false_positive_mm3 });
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Grid;

    #[test]
    fn a_false_positive_belongs_to_the_nearest_vertebra() {
        let grid = Grid::axis_aligned([1, 1, 60], [1.0, 1.0, 1.0], [0.0; 3]).unwrap();
        let bar = |range: std::ops::Range<usize>| -> Vec<u8> {
            (0..60).map(|k| u8::from(range.contains(&k))).collect()
        };
        // Vertebra 20 at 5..10 is broken, 21 at 20..25 is not.
        let labels = (0..60).map(|k| {
            if (5..10).contains(&k) {
                20
            } else if (20..25).contains(&k) {
                21
            } else {
                0
            }
        });
        let vertebrae = Volume::new(grid.clone(), labels.collect()).unwrap();
        let truth = Volume::new(grid.clone(), bar(6..9)).unwrap();
        // Two voxels are right (7, 8); the others are false.
        let mut found = bar(7..15);
        for k in [16, 24, 25, 34, 35, 59] {
            found[k] = 1;
        }
        let found = Volume::new(grid, found).unwrap();
        let score = score(&found, &truth, &vertebrae);
        // 16, 24, 25 and 34 (10 mm from 24) are at 21; 35 and 59 are farther from any; 9..15 are at 20.
        assert_eq!(score.healthy, [HealthyVertebra { label: 21, false_positive_mm3: 4.0 }]);
        assert_eq!((score.at_fractured_mm3, score.away_mm3), (6.0, 2.0));
    }
}
