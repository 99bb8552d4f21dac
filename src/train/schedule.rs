//! How the learning rate runs.

use serde::Serialize;

/// What sets the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The validation loss: the rate falls on a plateau, and a longer one ends the run (the paper's).
    #[default]
    Plateau,
    /// The time: half a cosine from the first rate to the lowest over all epochs
    /// (doi 10.48550/arXiv.1608.03983 without restarts). The run takes all its epochs.
    Cosine,
}

impl Schedule {
    /// The rate after `part` (0 to 1) of a run that goes from `first` to `lowest`; `None` where the
    /// validation loss decides.
    pub fn learning_rate(self, first: f64, lowest: f64, part: f64) -> Option<f64> {
        let share = f64::midpoint(1.0, (std::f64::consts::PI * part).cos());
        (self == Self::Cosine).then_some(lowest + (first - lowest) * share)
    }

    /// Whether the validation loss may end the run before its last epoch.
    pub fn stops_early(self) -> bool {
        self == Self::Plateau
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_from_the_first_rate_to_the_lowest() {
        let at = |part| Schedule::Cosine.learning_rate(1e-3, 1e-5, part).unwrap();
        assert!((at(0.0) - 1e-3).abs() < 1e-12 && (at(1.0) - 1e-5).abs() < 1e-12);
        assert!((at(0.5) - f64::midpoint(1e-3, 1e-5)).abs() < 1e-12);
        assert!((0..100).all(|n| at(f64::from(n) / 100.0) > at(f64::from(n + 1) / 100.0)));
        assert_eq!(Schedule::Plateau.learning_rate(1e-3, 1e-5, 0.5), None);
    }
}
