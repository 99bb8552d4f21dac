//! Whether a probability means what it says.
//!
//! Over the voxels that the gate keeps (those with a probability above 0: away from bone it is 0 by
//! definition and would flatter any model), probabilities are sorted into 15 bins of equal width.
//! ECE = Σ share of the bin × |its mean probability − its share of true fracture|; Brier = mean of
//! (probability − truth)².

use serde::Serialize;

/// Bins of equal width over 0..1.
pub const BINS: usize = 15;

/// Sums of one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Voxels in it.
    pub voxels: u64,
    /// Of those, fracture.
    pub fracture: u64,
    /// Sum of their probabilities.
    pub probability_sum: f64,
}

/// Sums over voxels; those of several volumes add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Reliability {
    /// Bin n holds probabilities in [n/15, (n+1)/15); the last also 1.
    pub bins: [Bin; BINS],
    /// Sum of (probability − truth)².
    pub square_sum: f64,
}

impl Reliability {
    /// Counts voxels; `probabilities` and `truth` lie on one grid.
    pub fn of(probabilities: &[f32], truth: &[u8]) -> Self {
        let mut sums = Self::default();
        for (p, t) in probabilities.iter().zip(truth).filter(|(p, _)| **p > 0.0) {
            let (p, t) = (f64::from(*p), *t != 0);
            let bin = &mut sums.bins[((p * BINS as f64) as usize).min(BINS - 1)];
            bin.voxels += 1;
            bin.fracture += u64::from(t);
            bin.probability_sum += p;
            sums.square_sum += (p - f64::from(u8::from(t))).powi(2);
        }
        sums
    }

    /// Voxels in all bins.
    pub fn voxels(&self) -> u64 {
        self.bins.iter().map(|bin| bin.voxels).sum()
    }

    /// Expected calibration error, 0 to 1; `None` without a voxel.
    pub fn ece(&self) -> Option<f64> {
        let gap = |bin: &Bin| (bin.probability_sum - bin.fracture as f64).abs();
        let voxels = self.voxels();
        (voxels > 0).then(|| self.bins.iter().map(gap).sum::<f64>() / voxels as f64)
    }

    /// Brier score, 0 to 1; `None` without a voxel.
    pub fn brier(&self) -> Option<f64> {
        let voxels = self.voxels();
        (voxels > 0).then(|| self.square_sum / voxels as f64)
    }
}

impl std::ops::AddAssign for Reliability {
    fn add_assign(&mut self, other: Self) {
        for (bin, more) in self.bins.iter_mut().zip(other.bins) {
            bin.voxels += more.voxels;
            bin.fracture += more.fracture;
            bin.probability_sum += more.probability_sum;
        }
        self.square_sum += other.square_sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_that_means_what_it_says_has_no_error() {
        let truth = [1, 0, 1, 0, 1];
        let sums = Reliability::of(&[0.5, 0.5, 0.5, 0.5, 0.0], &truth);
        assert_eq!(sums.voxels(), 4, "0 is outside the gate");
        assert_eq!((sums.ece(), sums.brier()), (Some(0.0), Some(0.25)));
        let sure = Reliability::of(&[1.0, 1.0, 1.0, 1.0], &truth[..4]);
        assert_eq!((sure.ece(), sure.brier()), (Some(0.5), Some(0.5)));
        assert_eq!(Reliability::default().ece(), None);
    }
}
