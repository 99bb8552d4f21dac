//! Residual convolutional block attention: CBAM's two gates (Woo 2018), each beside a residual block.

use super::blocks::{ConvBn, Kernel, Residual, conv, gate_hidden, linear, scale_channels, slice_mean};
use tch::nn::{self, Module};
use tch::{Kind, Tensor};

/// y = [channel gate(x), Res(x)]; out = CBR1([spatial gate(y), Res(y)]).
#[derive(Debug)]
pub struct Rcbam {
    channel: ChannelGate,
    first: Residual,
    spatial: nn::Conv2D,
    second: Residual,
    fuse: ConvBn,
}

impl Rcbam {
    pub fn new(p: &nn::Path, width: i64) -> Self {
        Self {
            channel: ChannelGate::new(&(p / "channel"), width),
            first: Residual::new(&(p / "first"), width, width),
            spatial: conv(&(p / "spatial"), 2, 1, Kernel::SEVEN),
            second: Residual::new(&(p / "second"), 2 * width, width),
            fuse: ConvBn::new(&(p / "fuse"), 3 * width, width, Kernel::ONE),
        }
    }

    /// B×w×H×W → the same.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = Tensor::cat(&[self.channel.forward(xs), self.first.forward(xs, train)], 1);
        let refined = self.second.forward(&ys, train);
        self.fuse.relu(&Tensor::cat(&[self.gate_pixels(&ys), refined], 1), train)
    }

    /// Scales every pixel by what its channels' mean and maximum say.
    fn gate_pixels(&self, ys: &Tensor) -> Tensor {
        let mean = ys.mean_dim([1_i64].as_slice(), true, None::<Kind>);
        let summary = Tensor::cat(&[mean, ys.amax([1_i64].as_slice(), true)], 1);
        ys * self.spatial.forward(&summary).sigmoid_()
    }
}

/// x · sigmoid(MLP(mean(x)) + MLP(max(x))), the MLP without biases.
#[derive(Debug)]
struct ChannelGate {
    squeeze: nn::Linear,
    excite: nn::Linear,
}

impl ChannelGate {
    fn new(p: &nn::Path, channels: i64) -> Self {
        let hidden = gate_hidden(channels);
        Self {
            squeeze: linear(&(p / "squeeze"), channels, hidden, false),
            excite: linear(&(p / "excite"), hidden, channels, false),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let mlp = |summary: &Tensor| self.excite.forward(&self.squeeze.forward(summary).relu_());
        let maximum = xs.amax([2_i64, 3].as_slice(), false);
        let gates = (mlp(&slice_mean(xs)) + mlp(&maximum)).sigmoid_();
        scale_channels(xs, &gates)
    }
}
