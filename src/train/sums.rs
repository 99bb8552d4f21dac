//! Loss and overlap summed over passes.

use super::exact;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Sums over slices; exact when they were written down and read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Loss times slices.
    #[serde(with = "exact")]
    pub loss: f64,
    /// Slices.
    pub slices: usize,
    /// Voxels in both masks.
    #[serde(with = "exact")]
    pub both: f64,
    /// Voxels of one mask plus those of the other.
    #[serde(with = "exact")]
    pub either: f64,
}

impl Sums {
    /// Adds a pass: its mean loss, logits and truth, B×1×H×W.
    pub fn add(&mut self, loss: f64, logits: &Tensor, mask: &Tensor) {
        let slices = logits.size()[0] as usize;
        self.loss += loss * slices as f64;
        self.slices += slices;
        let found = logits.detach().gt(0.0).to_kind(Kind::Float);
        let sum = |t: &Tensor| t.sum(Kind::Double).double_value(&[]);
        self.both += sum(&(&found * mask));
        self.either += sum(&found) + sum(mask);
    }

    /// Mean per slice.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.slices.max(1) as f64
    }

    /// Dice similarity coefficient pooled over all slices; 1 when neither mask holds anything.
    pub fn dsc(&self) -> f64 {
        if self.either > 0.0 { 2.0 * self.both / self.either } else { 1.0 }
    }

    /// Intersection over union, which pooling makes DSC / (2 − DSC).
    pub fn iou(&self) -> f64 {
        self.dsc() / (2.0 - self.dsc())
    }
}
