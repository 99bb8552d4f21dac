//! How sure a figure is: the percentile bootstrap over patients.
//!
//! Patients, not volumes or voxels, are drawn with replacement: two scans of one spine are no two
//! witnesses. Of the 10,000 figures that the drawn sets give, the 2.5th and the 97.5th percentile bound
//! the interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3). With few
//! patients such an interval is too narrow; with one it says nothing, and none is given.

use super::surface::percentile;
use crate::train::dataset::below;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Sets drawn for an interval.
pub const RESAMPLES: usize = 10_000;
/// Share of the drawn figures inside the interval.
pub const CONFIDENCE: f64 = 0.95;
/// Where the draws start, so that an evaluation repeats to the last digit.
pub const SEED: u64 = 0;

/// A figure and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure over all patients.
    pub value: f64,
    /// Lower and upper end of the 95 % interval; absent for fewer than two patients.
    pub interval: Option<[f64; 2]>,
}

/// Computes `figure` over all groups and over [`RESAMPLES`] draws of as many groups with replacement.
///
/// `None` when all groups together give no figure. Draws that give none (no fracture among them) are
/// left out of the interval.
pub fn estimate<T: Sync>(groups: &[T], figure: impl Fn(&[&T]) -> Option<f64> + Sync) -> Option<Estimate> {
    let value = figure(&groups.iter().collect::<Vec<_>>())?;
    if groups.len() < 2 {
        return Some(Estimate { value, interval: None });
    }
    let drawn = |n: usize| {
        let mut rng = ChaCha12Rng::seed_from_u64(SEED);
        // One stream for each draw: the result does not depend on the number of threads.
        rng.set_stream(n as u64);
        let set: Vec<&T> = groups.iter().map(|_| &groups[below(&mut rng, groups.len())]).collect();
        figure(&set)
    };
    let figures: Vec<f64> = (0..RESAMPLES).into_par_iter().filter_map(drawn).collect();
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let interval =
        (!figures.is_empty()).then(|| [tail, 1.0 - tail].map(|share| percentile(figures.clone(), share)));
    Some(Estimate { value, interval })
}

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The standard deviation of a sample (n − 1); `None` of fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values.iter().copied())?;
    let square: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (values.len() > 1).then(|| (square / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(groups: &[&f64]) -> Option<f64> {
        mean(groups.iter().map(|v| **v))
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_standard_error() {
        let values: Vec<f64> = (0..200).map(|n| f64::from(n % 20)).collect();
        let estimate = estimate(&values, mean_of).unwrap();
        let [low, high] = estimate.interval.unwrap();
        let error = deviation(&values).unwrap() / (values.len() as f64).sqrt();
        assert!((estimate.value - 9.5).abs() < 1e-12);
        assert!((low - (9.5 - 1.96 * error)).abs() < 0.05, "{low}");
        assert!((high - (9.5 + 1.96 * error)).abs() < 0.05, "{high}");
    }

    #[test]
    fn it_repeats_and_needs_two() {
        let values = [1.0, 5.0, 2.0];
        assert_eq!(estimate(&values, mean_of), estimate(&values, mean_of));
        assert_eq!(estimate(&values[..1], mean_of).unwrap().interval, None);
        assert_eq!(estimate(&[] as &[f64], mean_of), None);
    }
}
