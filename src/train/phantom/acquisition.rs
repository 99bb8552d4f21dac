//! The scanner: point spread, slice profile, correlated noise, and whole Hounsfield units.

use rayon::prelude::*;

use super::random::{Key, Purpose};
use super::ranges::AcquisitionRanges;
use super::shape::mix;
use crate::volume::Grid;

/// Largest and least value that a CT of 12 bits holds.
const RANGE_HU: [f32; 2] = [-1024.0, 3071.0];
/// Density from which on a thing counts as metal; the scale ends there.
const METAL_HU: f32 = 4000.0;
/// Width (sigma) of the edges that a sharp kernel enhances.
const EDGE_MM: f32 = 1.1;

/// How one phantom is scanned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scanner {
    /// Pixel and slice distance.
    pub spacing_mm: [f64; 3],
    psf_mm: f32,
    profile_mm: f32,
    noise_hu: f32,
    noise_kernel: f32,
    sharpen: f32,
    cupping_hu: f32,
    streak_hu: f32,
}

impl Scanner {
    /// Draws a scanner; a given spacing replaces the drawn one.
    pub fn draw(key: Key, ranges: &AcquisitionRanges, spacing_mm: Option<[f64; 3]>) -> Self {
        let mut stream = key.stream(Purpose::Acquisition, 0);
        // Hundredths of a millimetre, as scanners give them and as every file format holds exactly enough.
        let hundredths = |mm: f32| f64::from((mm * 100.0).round()) / 100.0;
        let pixel = hundredths(stream.within(ranges.pixel_mm));
        let thickness = stream.unit().powi(3);
        let slice = hundredths(mix(ranges.slice_mm.lo, ranges.slice_mm.hi, thickness));
        let sharp = stream.chance(0.35);
        let sharpen = stream.within(ranges.sharpen);
        Self {
            spacing_mm: spacing_mm.unwrap_or([pixel, pixel, slice]),
            psf_mm: stream.within(ranges.psf_mm),
            profile_mm: stream.within(ranges.profile_mm),
            noise_hu: stream.within(ranges.noise_hu),
            noise_kernel: stream.within(ranges.noise_kernel),
            sharpen: if sharp { sharpen } else { 0.0 },
            cupping_hu: stream.within(ranges.cupping_hu),
            streak_hu: stream.within(ranges.streak_hu),
        }
    }

    /// Scans ideal densities (i fastest) into Hounsfield units.
    pub fn scan(&self, key: Key, grid: &Grid, mut hu: Vec<f32>) -> Vec<i16> {
        let [nx, ny, nz] = grid.size();
        let [sx, sy, sz] = grid.spacing_mm();
        let plane = nx * ny;
        let (across, down) = (kernel(self.psf_mm / sx as f32), kernel(self.psf_mm / sy as f32));
        hu.par_chunks_mut(plane).for_each(|slice| {
            let metal = middle_of_metal(slice, nx);
            for value in slice.iter_mut() {
                *value = value.min(METAL_HU);
            }
            blur(slice, nx, 1, &across);
            blur(slice, ny, nx, &down);
            self.enhance(slice, [nx, ny], [sx, sy]);
            self.shade(slice, [nx, ny], metal);
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

    /// What a sharp kernel adds: the difference to a smoother picture.
    fn enhance(&self, slice: &mut [f32], [nx, ny]: [usize; 2], [sx, sy]: [f64; 2]) {
        if self.sharpen == 0.0 {
            return;
        }
        let mut smooth = slice.to_vec();
        blur(&mut smooth, nx, 1, &kernel(EDGE_MM / sx as f32));
        blur(&mut smooth, ny, nx, &kernel(EDGE_MM / sy as f32));
        slice.iter_mut().zip(smooth).for_each(|(v, s)| *v += self.sharpen * (*v - s));
    }

    /// Cupping, and streaks that leave the metal in a slice in all directions.
    fn shade(&self, slice: &mut [f32], [nx, ny]: [usize; 2], metal: Option<[f32; 2]>) {
        let half = [nx as f32 / 2.0, ny as f32 / 2.0];
        for (n, value) in slice.iter_mut().enumerate() {
            let at = [(n % nx) as f32, (n / nx) as f32];
            let radius2 = ((at[0] - half[0]) / half[0]).powi(2) + ((at[1] - half[1]) / half[1]).powi(2);
            *value += self.cupping_hu * (0.5 - radius2 / 2.0);
            if let Some(metal) = metal {
                let (dx, dy) = (at[0] - metal[0], at[1] - metal[1]);
                let fade = (-dx.hypot(dy) / (0.35 * half[0])).exp();
                *value += self.streak_hu * fade * (13.0 * dy.atan2(dx) + self.cupping_hu).sin();
            }
        }
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

/// Middle (pixels) of what is denser than any bone; none where there is little of it.
fn middle_of_metal(slice: &[f32], nx: usize) -> Option<[f32; 2]> {
    let mut sum = [0.0_f32; 3];
    for (n, _) in slice.iter().enumerate().filter(|(_, v)| **v > 0.7 * METAL_HU) {
        sum = [sum[0] + 1.0, sum[1] + (n % nx) as f32, sum[2] + (n / nx) as f32];
    }
    (sum[0] >= 8.0).then(|| [sum[1] / sum[0], sum[2] / sum[0]])
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
