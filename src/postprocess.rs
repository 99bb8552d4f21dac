//! The network's probabilities → a mask on the source's own grid, and the findings in it.

use crate::itk::{self, Component, Interpolation, ItkError};
use crate::monitor::{Monitor, Stage};
use crate::volume::{Grid, GridError, Volume};

/// What counts as a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Probability from which a voxel belongs to the mask.
    pub threshold: f32,
    /// Connected regions that nowhere reach this probability are dropped.
    pub peak: f32,
    /// Connected regions smaller than this are dropped.
    pub minimum_component_mm3: f64,
}

/// One connected fracture region on the source grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// From 1, largest region first.
    pub id: u32,
    /// Segment number in the mask and in DICOM SEG.
    pub segment: u16,
    /// Volume in mm³.
    pub volume_mm3: f64,
    /// Centre of mass, LPS millimetres.
    pub centroid_lps: [f64; 3],
    /// Smallest and largest L, P, S that any of its voxels' centres reaches, millimetres.
    pub box_lps: [[f64; 3]; 2],
    /// First and last voxel index (inclusive) along i, j, k.
    pub box_vox: [[u64; 2]; 3],
    /// Mean probability over its voxels.
    pub mean_probability: f32,
    /// Largest probability among its voxels.
    pub max_probability: f32,
    /// k index of the source slice on which its area is largest.
    pub slice: u64,
}

/// The mask and what is in it.
#[derive(Debug, Clone)]
pub struct Masked {
    /// 0 or 1 on the source grid.
    pub mask: Volume<u8>,
    /// Largest first.
    pub findings: Vec<Finding>,
}

/// Probabilities on the source grid (linear; 0 outside what the network saw).
pub fn to_source(
    probabilities: &Volume<f32>,
    source: &Grid,
    monitor: &Monitor,
) -> Result<Volume<f32>, ItkError> {
    itk::resample(probabilities, source, Interpolation::Linear, 0.0, monitor)
}

/// Mask and findings on the source grid.
///
/// Only the part of the source that can hold a mask voxel is resampled: linear interpolation never
/// exceeds its neighbours, so outside the cells that touch a voxel at the threshold nothing can reach
/// it. The result is that of the whole grid; memory and time follow the findings, not the CT.
pub fn mask(
    probabilities: &Volume<f32>,
    source: &Grid,
    rule: Rule,
    monitor: &Monitor,
) -> Result<Masked, ItkError> {
    const STEPS: usize = 2;
    monitor.step(Stage::Postprocess, 0, STEPS)?;
    let mut mask = Volume::filled(source.clone(), 0_u8);
    let Some(region) = Region::holding(probabilities, source, rule.threshold)? else {
        monitor.step(Stage::Postprocess, STEPS, STEPS)?;
        return Ok(Masked { mask, findings: Vec::new() });
    };
    let fine = to_source(probabilities, &region.grid, monitor)?;
    let positive = fine.map(|p| u8::from(*p >= rule.threshold));
    let (labels, components) = itk::connected_components(&positive, monitor)?;
    monitor.step(Stage::Postprocess, 1, STEPS)?;
    let voxel_mm3 = source.voxel_mm3();
    let mut findings = Vec::new();
    for component in components.iter().filter(|c| c.voxels as f64 * voxel_mm3 >= rule.minimum_component_mm3) {
        let finding = region.describe(component, findings.len() as u32 + 1, &labels, &fine);
        if finding.max_probability >= rule.peak {
            region.paint(component, &labels, &mut mask);
            findings.push(finding);
        }
    }
    monitor.step(Stage::Postprocess, STEPS, STEPS)?;
    Ok(Masked { mask, findings })
}

/// The indices of a component's voxels, i fastest.
fn voxels<'a>(component: &Component, labels: &'a Volume<u32>) -> impl Iterator<Item = [usize; 3]> + 'a {
    let Component { label, bounds_vox: [[i0, i1], [j0, j1], [k0, k1]], .. } = *component;
    (k0..=k1)
        .flat_map(move |k| (j0..=j1).flat_map(move |j| (i0..=i1).map(move |i| [i, j, k])))
        .filter(move |at| labels.at(*at) == label)
}

/// A box of the source grid.
struct Region {
    start: [usize; 3],
    grid: Grid,
}

impl Region {
    /// The box of source voxels that some probability at the threshold can reach.
    fn holding(
        probabilities: &Volume<f32>,
        source: &Grid,
        threshold: f32,
    ) -> Result<Option<Self>, GridError> {
        let grid = probabilities.grid();
        let [ni, nj, _] = grid.size();
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for (n, _) in probabilities.voxels().iter().enumerate().filter(|(_, p)| **p >= threshold) {
            let centre = [n % ni, (n / ni) % nj, n / (ni * nj)];
            // The corners of the cells around a voxel bound everything it can influence.
            for corner in 0..8 {
                let at = std::array::from_fn(|a| centre[a] as f64 + ((corner >> a & 1) * 2) as f64 - 1.0);
                let index = source.index_of(grid.position_lps(at));
                for a in 0..3 {
                    low[a] = low[a].min(index[a]);
                    high[a] = high[a].max(index[a]);
                }
            }
        }
        let size = source.size();
        if (0..3).any(|a| high[a] < 0.0 || low[a] > (size[a] - 1) as f64 || low[a] > high[a]) {
            return Ok(None);
        }
        let start: [usize; 3] = std::array::from_fn(|a| low[a].floor().max(0.0) as usize);
        let end: [usize; 3] = std::array::from_fn(|a| (high[a].ceil() as usize).min(size[a] - 1));
        let origin = source.position_lps(start.map(|s| s as f64));
        let extent = std::array::from_fn(|a| end[a] - start[a] + 1);
        let grid = Grid::new(extent, source.spacing_mm(), origin, source.direction())?;
        Ok(Some(Self { start, grid }))
    }

    /// One component as a finding of the source.
    fn describe(
        &self,
        component: &Component,
        id: u32,
        labels: &Volume<u32>,
        probabilities: &Volume<f32>,
    ) -> Finding {
        let (mut sum, mut max) = (0.0_f64, 0.0_f32);
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        let [k0, k1] = component.bounds_vox[2];
        let mut areas = vec![0_usize; k1 - k0 + 1];
        for index in voxels(component, labels) {
            let p = probabilities.at(index);
            sum += f64::from(p);
            max = max.max(p);
            areas[index[2] - k0] += 1;
            let place = self.grid.position_lps(index.map(|n| n as f64));
            for a in 0..3 {
                low[a] = low[a].min(place[a]);
                high[a] = high[a].max(place[a]);
            }
        }
        // The first of equals.
        let largest = (0..areas.len()).rev().max_by_key(|n| areas[*n]).unwrap_or(0);
        let box_vox = std::array::from_fn(|a| component.bounds_vox[a].map(|n| (n + self.start[a]) as u64));
        Finding {
            id,
            segment: 1,
            volume_mm3: component.voxels as f64 * self.grid.voxel_mm3(),
            centroid_lps: self.grid.position_lps(component.centroid_vox),
            box_lps: [low, high],
            box_vox,
            mean_probability: (sum / component.voxels as f64) as f32,
            max_probability: max,
            slice: (k0 + largest + self.start[2]) as u64,
        }
    }

    /// Writes one component into the source's mask.
    fn paint(&self, component: &Component, labels: &Volume<u32>, mask: &mut Volume<u8>) {
        for index in voxels(component, labels) {
            let at = mask.grid().offset(std::array::from_fn(|a| index[a] + self.start[a]));
            mask.voxels_mut()[at] = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ball of probability 0.9 around an LPS point, and a lone voxel far from it.
    fn probabilities() -> Volume<f32> {
        let grid = Grid::axis_aligned([40, 40, 40], [1.2; 3], [0.0; 3]).unwrap();
        let mut volume = Volume::filled(grid.clone(), 0.0_f32);
        for k in 0..40 {
            for j in 0..40 {
                for i in 0..40 {
                    let p = grid.position_lps([i as f64, j as f64, k as f64]);
                    let r2: f64 = p.iter().zip([20.0, 24.0, 28.0]).map(|(a, b)| (a - b) * (a - b)).sum();
                    if r2 < 36.0 {
                        volume.voxels_mut()[grid.offset([i, j, k])] = 0.9;
                    }
                }
            }
        }
        volume.voxels_mut()[0] = 1.0;
        volume
    }

    fn source() -> Grid {
        let (s, c) = 0.2_f64.sin_cos();
        let direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
        Grid::new([60, 60, 30], [0.8, 0.8, 1.5], [-2.0, -2.0, 0.0], direction).unwrap()
    }

    #[test]
    fn the_region_gives_the_mask_of_the_whole_grid() {
        let (p, source, monitor) = (probabilities(), source(), Monitor::default());
        let rule = Rule { threshold: 0.5, peak: 0.0, minimum_component_mm3: 0.0 };
        let masked = mask(&p, &source, rule, &monitor).unwrap();
        let whole = to_source(&p, &source, &monitor).unwrap().map(|p| u8::from(*p >= 0.5));
        assert!(whole.voxels().contains(&1));
        assert_eq!(masked.mask, whole);
    }

    #[test]
    fn a_finding_is_described_in_patient_space() {
        let rule = Rule { threshold: 0.5, peak: 0.0, minimum_component_mm3: 100.0 };
        let masked = mask(&probabilities(), &source(), rule, &Monitor::default()).unwrap();
        assert_eq!(masked.findings.len(), 1, "the lone voxel is too small");
        let found = &masked.findings[0];
        for (found, wanted) in found.centroid_lps.iter().zip([20.0, 24.0, 28.0]) {
            assert!((found - wanted).abs() < 0.5, "{found} {wanted}");
        }
        let ball_mm3 = 4.0 / 3.0 * std::f64::consts::PI * 216.0;
        assert!((found.volume_mm3 / ball_mm3 - 1.0).abs() < 0.15, "{}", found.volume_mm3);
        assert!((found.slice as f64 * 1.5 - 28.0).abs() < 2.0);
        assert!(found.max_probability <= 0.9 + 1e-6 && found.mean_probability > 0.5);
    }

    #[test]
    fn a_region_without_a_peak_is_dropped() {
        let weak = probabilities().map(|p| p.min(0.9) * if *p > 0.95 { 0.5 } else { 1.0 });
        let found = |peak: f32| {
            let rule = Rule { threshold: 0.1, peak, minimum_component_mm3: 0.0 };
            mask(&weak, &source(), rule, &Monitor::default()).unwrap()
        };
        let (all, strong) = (found(0.0), found(0.8));
        assert_eq!((all.findings.len(), strong.findings.len()), (2, 1), "the lone voxel reaches 0.45");
        let voxels = |masked: &Masked| masked.mask.voxels().iter().map(|v| usize::from(*v)).sum::<usize>();
        let dropped = &all.findings[1];
        let count = (dropped.volume_mm3 / source().voxel_mm3()).round() as usize;
        assert_eq!(voxels(&strong) + count, voxels(&all), "what is kept keeps its shape");
        assert!(dropped.max_probability < 0.8 && found(0.95).findings.is_empty());
    }

    #[test]
    fn nothing_found_is_an_empty_mask() {
        let p = probabilities().map(|_| 0.1);
        let rule = Rule { threshold: 0.5, peak: 0.0, minimum_component_mm3: 0.0 };
        let masked = mask(&p, &source(), rule, &Monitor::default()).unwrap();
        assert!(masked.findings.is_empty() && masked.mask.voxels().iter().all(|v| *v == 0));
    }
}
