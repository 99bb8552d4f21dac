//! Squeeze and excitation (Hu 2018): channels are weighed by what the whole slice holds.

use super::blocks::{gate_hidden, linear, scale_channels, slice_mean};
use tch::Tensor;
use tch::nn::{self, Module};

/// x · sigmoid(FC(ReLU(FC(mean(x))))); the paper calls the gates biases, but scales by them.
#[derive(Debug)]
pub struct Sem {
    squeeze: nn::Linear,
    excite: nn::Linear,
}

impl Sem {
    pub fn new(p: &nn::Path, channels: i64) -> Self {
        let hidden = gate_hidden(channels);
        Self {
            squeeze: linear(&(p / "squeeze"), channels, hidden, true),
            excite: linear(&(p / "excite"), hidden, channels, true),
        }
    }

    /// B×C×H×W → the same.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let gates = self.excite.forward(&self.squeeze.forward(&slice_mean(xs)).relu_()).sigmoid_();
        scale_channels(xs, &gates)
    }
}
