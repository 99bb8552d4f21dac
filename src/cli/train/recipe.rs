//! Flags about the optimisation; every default is the paper's where the paper states a value.

use crate::train::augment::Augment;
use crate::train::{AdamOptions, AdversaryOptions, PlateauOptions, Schedule};
use clap::{Args, ValueEnum};

/// Adam and the learning rate.
#[derive(Debug, Args)]
#[command(next_help_heading = "Optimisation")]
pub struct Recipe {
    /// Most epochs
    #[arg(long, default_value_t = 150)]
    pub epochs: usize,
    /// Slices per step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Split each step into N passes, for less memory
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub accumulate: usize,
    /// Most slices per epoch [default: all with a fracture and as many without]
    #[arg(long, value_name = "N")]
    pub slices_per_epoch: Option<usize>,
    /// Adam's first learning rate
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// Adam's decay of the mean gradient
    #[arg(long, default_value_t = 0.9)]
    beta1: f64,
    /// Adam's decay of the mean squared gradient
    #[arg(long, default_value_t = 0.999)]
    beta2: f64,
    /// Adam's addend to the root of the latter
    #[arg(long, default_value_t = 1e-8)]
    epsilon: f64,
    /// What lowers the learning rate: a plateau of the validation loss, which also ends the run, or time,
    /// along a cosine over all epochs (for a run of a known length)
    #[arg(long, value_enum, default_value_t = Fall::Plateau)]
    schedule: Fall,
    /// Epochs without improvement before training stops
    #[arg(long, default_value_t = 5)]
    stop_patience: usize,
    /// Epochs without improvement before the learning rate falls
    #[arg(long, default_value_t = 2)]
    plateau_patience: usize,
    /// What the learning rate is multiplied by then
    #[arg(long, default_value_t = 0.4)]
    plateau_factor: f64,
    /// The learning rate falls no lower
    #[arg(long, default_value_t = 1e-6)]
    lowest_learning_rate: f64,
    /// Weigh the fracture of a slice in the cross-entropy as if it filled at least this share of the tile,
    /// so that thin lines count; 0: every pixel alike
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub foreground_share: f64,
    /// Weight of SpineGAN's adversary in its loss; 0: none
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0)]
    adversary_weight: f64,
    /// Learning rate of that adversary's own Adam
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    adversary_learning_rate: f64,
    /// Split, order, crops, augmentation and initial weights
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Fall {
    Plateau,
    Cosine,
}

impl Recipe {
    /// Refuses values that make no run.
    pub fn check(&self) -> anyhow::Result<()> {
        let counts = [self.epochs, self.batch, self.accumulate, self.stop_patience, self.plateau_patience];
        anyhow::ensure!(
            counts.iter().all(|n| *n > 0) && self.slices_per_epoch.is_none_or(|n| n >= 2),
            "--epochs, --batch, --accumulate, --stop-patience and --plateau-patience must be at least 1, --slices-per-epoch at least 2"
        );
        anyhow::ensure!(self.accumulate <= self.batch, "--accumulate must not exceed --batch");
        let decays = [self.beta1, self.beta2];
        anyhow::ensure!(
            decays.iter().all(|b| (0.0..1.0).contains(b)),
            "--beta1 and --beta2 must be 0 to below 1"
        );
        let rates = [self.learning_rate, self.epsilon, self.lowest_learning_rate, self.plateau_factor];
        anyhow::ensure!(
            rates.iter().all(|r| r.is_finite() && *r > 0.0) && self.plateau_factor <= 1.0,
            "--learning-rate, --epsilon, --lowest-learning-rate and --plateau-factor must be above 0, the last at most 1"
        );
        anyhow::ensure!(
            (0.0..1.0).contains(&self.foreground_share),
            "--foreground-share must be 0 to below 1"
        );
        let weight = self.adversary_weight;
        let rate = self.adversary_learning_rate;
        anyhow::ensure!(
            weight.is_finite() && weight >= 0.0 && rate.is_finite() && rate > 0.0,
            "--adversary-weight must not be below 0, --adversary-learning-rate must be above 0"
        );
        Ok(())
    }

    /// The adversary of a network that has one.
    pub fn adversary(&self) -> AdversaryOptions {
        let published = AdversaryOptions::default();
        let adam = AdamOptions { learning_rate: self.adversary_learning_rate, ..published.adam };
        AdversaryOptions { weight: self.adversary_weight, adam }
    }

    /// Adam's constants.
    pub fn adam(&self) -> AdamOptions {
        let Self { learning_rate, beta1, beta2, epsilon, .. } = *self;
        AdamOptions { learning_rate, beta1, beta2, epsilon }
    }

    /// What sets the learning rate.
    pub fn schedule(&self) -> Schedule {
        match self.schedule {
            Fall::Plateau => Schedule::Plateau,
            Fall::Cosine => Schedule::Cosine,
        }
    }

    /// When the learning rate falls and training stops.
    pub fn plateau(&self) -> PlateauOptions {
        PlateauOptions {
            stop_patience: self.stop_patience,
            patience: self.plateau_patience,
            factor: self.plateau_factor,
            lowest: self.lowest_learning_rate,
        }
    }
}

/// How strongly slices are changed at random.
#[derive(Debug, Args)]
#[command(next_help_heading = "Augmentation (0 switches one off)")]
pub struct Strength {
    /// Degrees to either side [default: 10]
    #[arg(long, value_name = "DEG")]
    rotation: Option<f64>,
    /// Relative size [default: 0.1]
    #[arg(long)]
    scale: Option<f64>,
    /// Shift as a part of half the tile [default: 0.1]
    #[arg(long)]
    shift: Option<f64>,
    /// Brightness, in units of the window scaled to −1..1 [default: 0.027]
    #[arg(long)]
    offset: Option<f64>,
    /// Relative contrast [default: 0.1]
    #[arg(long)]
    contrast: Option<f64>,
    /// Largest standard deviation of white noise, units as for --offset [default: 0.02]
    #[arg(long)]
    noise: Option<f64>,
}

impl Strength {
    /// Defaults, but for the flags that were given.
    pub fn augment(&self) -> anyhow::Result<Augment> {
        let given = [self.rotation, self.scale, self.shift, self.offset, self.contrast, self.noise];
        anyhow::ensure!(
            given.iter().flatten().all(|v| v.is_finite() && *v >= 0.0)
                && [self.scale, self.contrast].iter().flatten().all(|v| *v < 1.0),
            "augmentation strengths must be finite and not below 0, --scale and --contrast below 1"
        );
        let mut augment = Augment::default();
        for (value, given) in [
            (&mut augment.rotation_deg, self.rotation),
            (&mut augment.scale, self.scale),
            (&mut augment.shift, self.shift),
            (&mut augment.offset, self.offset),
            (&mut augment.contrast, self.contrast),
            (&mut augment.noise, self.noise),
        ] {
            *value = given.unwrap_or(*value);
        }
        Ok(augment)
    }
}
