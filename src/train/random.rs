//! One generator per purpose, epoch and step: what a step draws depends on nothing drawn before it, so
//! a run that goes on from a checkpoint has no generator's state to restore.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What numbers are drawn for. The values are part of the meaning of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The network's first weights.
    Weights = 1,
    /// Which slices an epoch sees, and in which order.
    Order = 2,
    /// Crops, augmentation and dropout of a step.
    Step = 3,
    /// The validation slices.
    Validation = 4,
    /// Crops of the validation slices.
    ValidationCrops = 5,
    /// The adversary's first weights.
    Adversary = 6,
}

/// A generator for `purpose` in an epoch (from 1) and step (from 0).
pub fn generator(seed: u64, purpose: Purpose, epoch: usize, step: usize) -> ChaCha12Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch as u64, step as u64]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha12Rng::from_seed(key)
}

/// Seeds libtorch's own generator, which white noise, dropout and first weights come from.
pub fn seed_torch(rng: &mut ChaCha12Rng) {
    tch::manual_seed(rng.next_u64() as i64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_numbers() {
        let first = |epoch, step| generator(7, Purpose::Step, epoch, step).next_u64();
        assert_eq!(first(3, 4), first(3, 4));
        assert_ne!(first(3, 4), first(4, 3));
        assert_ne!(first(3, 4), generator(7, Purpose::Order, 3, 4).next_u64());
        assert_ne!(first(3, 4), generator(8, Purpose::Step, 3, 4).next_u64());
    }
}
