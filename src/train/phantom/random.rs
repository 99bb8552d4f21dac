//! Counter-based random numbers: every stream is keyed by (seed, phantom, purpose, part), so that no
//! draw depends on how many others were made before it in another stream, nor on any thread.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::ranges::Range;

/// What a stream is used for; the number is part of the key and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The patient: age, sizes, curve.
    Patient = 1,
    /// Which levels are fractured and how.
    Fracture = 2,
    /// One vertebra; the part is its level id.
    Vertebra = 3,
    /// Soft tissue.
    Tissue = 4,
    /// The smooth noise block.
    Texture = 5,
    /// Scanner: spacing, blur, noise strength.
    Acquisition = 6,
    /// Quantum noise of one slice; the part is the slice.
    Noise = 7,
    /// Bones and metal beside the spine.
    Skeleton = 8,
    /// The chest.
    Chest = 9,
    /// Field of view and place of the spine in it.
    Field = 10,
}

/// Identifies one phantom of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Seed of the set.
    pub seed: u64,
    /// Place in the set.
    pub index: u64,
}

impl Key {
    /// Opens the stream for one purpose and part of it.
    pub fn stream(self, purpose: Purpose, part: u64) -> Stream {
        let mut bytes = [0; 32];
        for (word, slot) in [self.seed, self.index, purpose as u64, part].iter().zip(bytes.chunks_mut(8)) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(bytes))
    }
}

/// A sequence of draws.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Uniform in [0, 1), 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1_u32 << 24) as f32
    }

    /// Uniform within a range.
    pub fn within(&mut self, range: Range) -> f32 {
        range.lo + (range.hi - range.lo) * self.unit()
    }

    /// Uniform in [-limit, limit).
    pub fn around(&mut self, limit: f32) -> f32 {
        limit * (2.0 * self.unit() - 1.0)
    }

    /// True with a probability; always consumes one draw.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { -1.0 } else { 1.0 }
    }

    /// A place in `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count.saturating_sub(1))
    }

    /// Index drawn by weight.
    pub fn weighted(&mut self, weights: &[f32]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f32>();
        for (n, weight) in weights.iter().enumerate() {
            if left < *weight {
                return n;
            }
            left -= weight;
        }
        weights.len().saturating_sub(1)
    }

    /// Near-normal, mean 0, deviation 1: the sum of four 16-bit uniforms. Enough for noise that is
    /// smoothed afterwards, and one 64-bit draw instead of a logarithm and a cosine.
    pub fn normal(&mut self) -> f32 {
        let bits = self.0.next_u64();
        let sum: u32 = (0..4).map(|n| ((bits >> (16 * n)) & 0xffff) as u32).sum();
        (sum as f32 / 65_536.0 - 2.0) * 3.0_f32.sqrt()
    }
}

const EDGE: usize = 64;

/// A periodic block of smooth noise, mean 0, deviation 1, with features about two cells wide.
pub struct NoiseBlock(Vec<f32>);

impl NoiseBlock {
    /// Draws the block of a phantom.
    pub fn new(key: Key) -> Self {
        let mut stream = key.stream(Purpose::Texture, 0);
        let white: Vec<f32> = (0..EDGE.pow(3)).map(|_| stream.normal()).collect();
        let mut smooth = (0..3).fold(white, |block, axis| blur(&block, axis));
        let variance = smooth.iter().map(|v| v * v).sum::<f32>() / smooth.len() as f32;
        for v in &mut smooth {
            *v /= variance.sqrt();
        }
        Self(smooth)
    }

    /// Value at a position in millimetres where one cell is `cell_mm` wide.
    pub fn at(&self, p: [f32; 3], cell_mm: f32) -> f32 {
        let mut base = [[0_usize; 2]; 3];
        let mut part = [0.0_f32; 3];
        for axis in 0..3 {
            let place = p[axis] / cell_mm;
            let floor = place.floor();
            part[axis] = place - floor;
            let low = (floor as i32 as usize) & (EDGE - 1);
            base[axis] = [low, (low + 1) & (EDGE - 1)];
        }
        let row = |j: usize, k: usize| {
            let start = (base[2][k] * EDGE + base[1][j]) * EDGE;
            let (low, high) = (self.0[start + base[0][0]], self.0[start + base[0][1]]);
            low + (high - low) * part[0]
        };
        let plane = |k: usize| {
            let (low, high) = (row(0, k), row(1, k));
            low + (high - low) * part[1]
        };
        let (low, high) = (plane(0), plane(1));
        low + (high - low) * part[2]
    }
}

/// Weights 0.6, 1, 0.6 along an axis, periodic. Shifts, as divisions would take most of a small phantom.
fn blur(block: &[f32], axis: usize) -> Vec<f32> {
    let shift = axis as u32 * EDGE.ilog2();
    let line = (EDGE - 1) << shift;
    let weighted = |n: usize| {
        let at = |step: usize| block[(n & !line) | ((n + (step << shift)) & line)];
        block[n] + 0.6 * (at(1) + at(EDGE - 1))
    };
    (0..block.len()).map(weighted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_every_part_of_their_key() {
        let first = |seed, index, purpose, part| Key { seed, index }.stream(purpose, part).0.next_u64();
        let one = first(1, 2, Purpose::Noise, 3);
        assert_eq!(one, first(1, 2, Purpose::Noise, 3));
        for other in [
            first(2, 2, Purpose::Noise, 3),
            first(1, 3, Purpose::Noise, 3),
            first(1, 2, Purpose::Tissue, 3),
            first(1, 2, Purpose::Noise, 4),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn normal_has_mean_zero_and_deviation_one() {
        let mut stream = Key { seed: 5, index: 0 }.stream(Purpose::Noise, 0);
        let draws: Vec<f32> = (0..100_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f32>() / 1e5;
        let variance = draws.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn the_noise_block_is_continuous_and_periodic() {
        let block = NoiseBlock::new(Key { seed: 1, index: 1 });
        let p = [3.25, -7.5, 63.9];
        let shifted = [3.25 + 64.0, -7.5 - 64.0, 63.9 + 128.0];
        assert!((block.at(p, 1.0) - block.at(shifted, 1.0)).abs() < 1e-3);
        assert!((block.at(p, 1.0) - block.at([3.251, -7.5, 63.9], 1.0)).abs() < 0.01);
    }
}
