//! Random changes to a batch of slices: rotation, scale, shift, HU offset and noise.

use super::dataset::uniform;
use rand_chacha::ChaCha12Rng;
use serde::Serialize;
use tch::{Device, Kind, Tensor};

/// How far each change may go.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Augment {
    /// Degrees to either side.
    pub rotation_deg: f64,
    /// Relative size, `1 ± scale`.
    pub scale: f64,
    /// Shift as a part of the slice's half side.
    pub shift: f64,
    /// Brightness in units of the normalised range (−1..1).
    pub offset: f64,
    /// Relative contrast, `1 ± contrast`.
    pub contrast: f64,
    /// Largest standard deviation of added white noise, normalised units.
    pub noise: f64,
}

impl Default for Augment {
    fn default() -> Self {
        // ±20 HU in a window of 1,500 HU is 0.027 of the normalised range of 2.
        Self { rotation_deg: 10.0, scale: 0.1, shift: 0.1, offset: 0.027, contrast: 0.1, noise: 0.02 }
    }
}

impl Augment {
    /// `slices`: B×C×H×W, `masks`: B×1×H×W, on the CPU. Masks move with their slices and stay 0 or 1.
    pub fn apply(&self, slices: &Tensor, masks: &Tensor, rng: &mut ChaCha12Rng) -> (Tensor, Tensor) {
        let batch = slices.size()[0];
        let theta: Vec<f32> = (0..batch).flat_map(|_| self.affine(rng)).collect();
        let theta = Tensor::from_slice(&theta).view([batch, 2, 3]);
        let grid = Tensor::affine_grid_generator(&theta, slices.size(), false);
        // Zero is what grid_sample puts outside; +1 makes zero mean air (−1).
        let moved = (slices + 1.0).grid_sampler(&grid, 0, 0, false) - 1.0;
        let masks = masks.grid_sampler(&grid, 1, 0, false);
        let draw = |rng: &mut ChaCha12Rng, low, high| {
            let values: Vec<f32> = (0..batch).map(|_| uniform(rng, low, high) as f32).collect();
            Tensor::from_slice(&values).view([batch, 1, 1, 1])
        };
        let contrast = draw(rng, 1.0 - self.contrast, 1.0 + self.contrast);
        let offset = draw(rng, -self.offset, self.offset);
        let sigma = draw(rng, 0.0, self.noise);
        let noise = Tensor::randn(slices.size(), (Kind::Float, Device::Cpu)) * sigma;
        ((moved * contrast + offset + noise).clamp(-1.0, 1.0), masks)
    }

    /// Row-major 2×3 matrix from output to input coordinates (−1..1).
    fn affine(&self, rng: &mut ChaCha12Rng) -> [f32; 6] {
        let angle = uniform(rng, -self.rotation_deg, self.rotation_deg).to_radians();
        let scale = 1.0 / uniform(rng, 1.0 - self.scale, 1.0 + self.scale);
        let (sin, cos) = angle.sin_cos();
        let shift = [(); 2].map(|()| uniform(rng, -self.shift, self.shift));
        [cos * scale, -sin * scale, shift[0], sin * scale, cos * scale, shift[1]].map(|v| v as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn masks_move_with_their_slices() {
        // A bright block that is its own mask: after any move the two still agree.
        let mask = Tensor::zeros([4, 1, 64, 64], (Kind::Float, Device::Cpu));
        let _ = mask.narrow(2, 20, 24).narrow(3, 24, 16).fill_(1.0);
        let still = Augment { offset: 0.0, contrast: 0.0, noise: 0.0, ..Augment::default() };
        let (slices, masks) = still.apply(&(&mask * 2.0 - 1.0), &mask, &mut ChaCha12Rng::seed_from_u64(3));
        let bright = slices.gt(0.0).to_kind(Kind::Float);
        let both = (&bright * &masks).sum(Kind::Float).double_value(&[]);
        let dice = 2.0 * both / (bright.sum(Kind::Float) + masks.sum(Kind::Float)).double_value(&[]);
        assert!(dice > 0.97, "{dice}");
        let moved = (&masks - &mask).abs().sum(Kind::Float).double_value(&[]);
        assert!(moved > 0.0, "nothing moved");
    }
}
