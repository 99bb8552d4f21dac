//! The scanner: point spread, slice profile, correlated noise, and whole Hounsfield units.

use rayon::prelude::*;

use super::random::{Key, Purpose};
use super::ranges::AcquisitionRanges;
use crate::volume::Grid;

/// Largest and least value that a CT of 12 bits holds.
const RANGE_HU: [f32; 2] = [-1024.0, 3071.0];

/// How one phantom is scanned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scanner {
    /// Pixel and slice distance.
    pub spacing_mm: [f64; 3],
    psf_mm: f32,
    profile_mm: f32,
    noise_hu: f32,
    noise_kernel: f32,
}

impl Scanner {
    /// Draws a scanner; a given spacing replaces the drawn one.
    pub fn draw(key: Key, ranges: &AcquisitionRanges, spacing_mm: Option<[f64; 3]>) -> Self {
        let mut stream = key.stream(Purpose::Acquisition, 0);
        // Hundredths of a millimetre, as scanners give them and as every file format holds exactly enough.
        let mut hundredths = |range| f64::from((stream.within(range) * 100.0).round()) / 100.0;
        let (pixel, slice) = (hundredths(ranges.pixel_mm), hundredths(ranges.slice_mm));
        Self {
            spacing_mm: spacing_mm.unwrap_or([pixel, pixel, slice]),
            psf_mm: stream.within(ranges.psf_mm),
            profile_mm: stream.within(ranges.profile_mm),
            noise_hu: stream.within(ranges.noise_hu),
            noise_kernel: stream.within(ranges.noise_kernel),
        }
    }

    /// Scans ideal densities (i fastest) into Hounsfield units.
    pub fn scan(&self, key: Key, grid: &Grid, mut hu: Vec<f32>) -> Vec<i16> {
        let [nx, ny, nz] = grid.size();
        let [sx, sy, sz] = grid.spacing_mm();
        let plane = nx * ny;
        let (across, down) = (kernel(self.psf_mm / sx as f32), kernel(self.psf_mm / sy as f32));
        hu.par_chunks_mut(plane).for_each(|slice| {
            blur(slice, nx, 1, &across);
            blur(slice, ny, nx, &down);
        });
        // A box of the profile's width has this sigma.
        let through = kernel(self.profile_mm / 12.0_f32.sqrt() / sz as f32);
        let mut scanned = vec![0_i16; hu.len()];
        scanned.par_chunks_mut(plane).enumerate().for_each(|(k, slice)| {
            let noise = self.noise(key, k, [nx, ny]);
            let mut sum = noise;
            for (n, weight) in through.iter().enumerate() {
                let from = (k + n).saturating_sub(through.len() / 2).min(nz - 1);
                let source = &hu[from * plane..(from + 1) * plane];
                sum.iter_mut().zip(source).for_each(|(s, v)| *s += weight * v);
            }
            for (voxel, value) in slice.iter_mut().zip(sum) {
                *voxel = value.round().clamp(RANGE_HU[0], RANGE_HU[1]) as i16;
            }
        });
        scanned
    }

    /// Noise of slice `k`, correlated between neighbouring pixels.
    fn noise(&self, key: Key, k: usize, [nx, ny]: [usize; 2]) -> Vec<f32> {
        let mut stream = key.stream(Purpose::Noise, k as u64);
        let w = self.noise_kernel;
        let gain = self.noise_hu / (1.0 + 2.0 * w * w);
        let mut noise: Vec<f32> = (0..nx * ny).map(|_| gain * stream.normal()).collect();
        blur(&mut noise, nx, 1, &[w, 1.0, w]);
        blur(&mut noise, ny, nx, &[w, 1.0, w]);
        noise
    }
}

/// Gaussian weights of a sigma in voxels; their sum is 1.
fn kernel(sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil().max(1.0) as i32;
    let weights: Vec<f32> =
        (-reach..=reach).map(|n| (-(n as f32 / sigma.max(1e-3)).powi(2) / 2.0).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Convolves lines of `count` values that lie `stride` apart; edges repeat.
fn blur(slice: &mut [f32], count: usize, stride: usize, weights: &[f32]) {
    let lines = slice.len() / count;
    let half = weights.len() / 2;
    let mut line = vec![0.0; count];
    for n in 0..lines {
        let start = if stride == 1 { n * count } else { n };
        for (place, value) in line.iter_mut().enumerate() {
            *value = slice[start + place * stride];
        }
        for place in 0..count {
            let mut sum = 0.0;
            for (w, weight) in weights.iter().enumerate() {
                sum += weight * line[(place + w).saturating_sub(half).min(count - 1)];
            }
            slice[start + place * stride] = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_keeps_the_mean_and_spreads_a_point() {
        let weights = kernel(0.6);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let mut slice = vec![0.0; 81];
        slice[40] = 1.0;
        blur(&mut slice, 9, 1, &weights);
        blur(&mut slice, 9, 9, &weights);
        assert!((slice.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!((slice[39] - slice[49]).abs() < 1e-6 && slice[39] < slice[40]);
    }

    #[test]
    fn noise_has_the_strength_drawn_and_is_correlated() {
        let key = Key { seed: 3, index: 4 };
        let scanner = Scanner::draw(key, &AcquisitionRanges::default(), None);
        let noise = scanner.noise(key, 0, [200, 200]);
        let variance = noise.iter().map(|v| v * v).sum::<f32>() / noise.len() as f32;
        assert!((variance.sqrt() / scanner.noise_hu - 1.0).abs() < 0.05);
        let next = noise.windows(2).map(|w| w[0] * w[1]).sum::<f32>() / noise.len() as f32;
        assert!(next > 0.15 * variance);
    }
}
