//! Learning rate and end of a run, steered by the validation loss.

use super::exact;
use serde::{Deserialize, Serialize};

/// When the learning rate falls and when training stops (paper, section "Model Training Parameters";
/// the paper names factor and patience of the stop, not the patience of the fall).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlateauOptions {
    /// Epochs without improvement before training stops. The paper: 5.
    pub stop_patience: usize,
    /// Epochs without improvement before the learning rate falls.
    pub patience: usize,
    /// What it is multiplied by then. The paper: 0.4.
    pub factor: f64,
    /// It falls no lower.
    pub lowest: f64,
}

impl Default for PlateauOptions {
    fn default() -> Self {
        Self { stop_patience: 5, patience: 2, factor: 0.4, lowest: 1e-6 }
    }
}

/// What an epoch's validation loss means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The best so far.
    Best,
    /// Not the best.
    Worse,
    /// Not the best for too long.
    Stop,
}

/// What has to be remembered from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Of the coming epoch.
    #[serde(with = "exact")]
    pub learning_rate: f64,
    #[serde(with = "exact")]
    best: f64,
    since_best: usize,
}

impl Plateau {
    /// Before the first epoch.
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, best: f64::INFINITY, since_best: 0 }
    }

    /// Judges an epoch and sets the learning rate of the next.
    pub fn after(&mut self, loss: f64, options: &PlateauOptions) -> Verdict {
        if loss < self.best {
            (self.best, self.since_best) = (loss, 0);
            return Verdict::Best;
        }
        self.since_best += 1;
        if self.since_best >= options.stop_patience {
            return Verdict::Stop;
        }
        if self.since_best.is_multiple_of(options.patience) {
            self.learning_rate = (self.learning_rate * options.factor).max(options.lowest);
        }
        Verdict::Worse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Best, Stop, Worse};

    #[test]
    fn the_rate_falls_on_a_plateau_and_training_stops() {
        let options = PlateauOptions::default();
        let mut plateau = Plateau::new(1e-3);
        let verdicts: Vec<Verdict> =
            [1.0, 0.9, 0.95, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8].map(|l| plateau.after(l, &options)).into();
        assert_eq!(verdicts, [Best, Best, Worse, Worse, Best, Worse, Worse, Worse, Worse, Stop]);
        assert!((plateau.learning_rate - 1e-3 * 0.4_f64.powi(3)).abs() < 1e-15);
        let mut low = Plateau::new(2e-6);
        for _ in 0..4 {
            low.after(1.0, &options);
        }
        assert_eq!(low.learning_rate, 1e-6);
    }
}
