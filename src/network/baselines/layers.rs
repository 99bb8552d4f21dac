//! What several baselines are built from.

use super::super::blocks::{ConvBn, Grow, Kernel, batch_norm, transposed};
use tch::nn::{self, Module, ModuleT};
use tch::{Tensor, nn::Path};

/// VGG-16's five stages: channels over those of the first, and convolutions.
pub const VGG16: [(i64, usize); 5] = [(1, 2), (2, 2), (4, 3), (8, 3), (8, 3)];

/// Convolutions with batch normalisation and ReLU, one after the other.
#[derive(Debug)]
pub struct Chain(Vec<ConvBn>);

impl Chain {
    /// One layer per kernel, from `channels[n]` to `channels[n + 1]`.
    pub fn new(p: &Path, channels: &[i64], kernels: &[Kernel]) -> Self {
        let layer =
            |(n, kernel): (usize, &Kernel)| ConvBn::new(&(p / n), channels[n], channels[n + 1], *kernel);
        Self(kernels.iter().enumerate().map(layer).collect())
    }

    /// 3×3 convolutions through `channels`.
    pub fn threes(p: &Path, channels: &[i64]) -> Self {
        Self::new(p, channels, &vec![Kernel::THREE; channels.len() - 1])
    }

    /// B×first×H×W → B×last×H×W.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.0.iter().fold(xs.shallow_clone(), |ys, layer| layer.relu(&ys, train))
    }
}

/// VGG-16's stages (Simonyan 2015, with batch normalisation), without pooling and classifier.
pub fn vgg16(p: &Path, width: i64) -> Vec<Chain> {
    let mut from = 1;
    let stages = VGG16.iter().enumerate().map(|(stage, (times, count))| {
        let channels: Vec<i64> = std::iter::once(from).chain(vec![times * width; *count]).collect();
        from = times * width;
        Chain::threes(&(p / stage), &channels)
    });
    stages.collect()
}

/// Transposed 3×3 convolution → batch normalisation → ReLU: rows and columns double.
#[derive(Debug)]
pub struct Enlarge {
    up: nn::ConvTranspose2D,
    bn: nn::BatchNorm,
}

impl Enlarge {
    pub fn new(p: &Path, from: i64, to: i64) -> Self {
        Self { up: transposed(&(p / "up"), [from, to], Grow::THREE, false), bn: batch_norm(&(p / "bn"), to) }
    }

    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.bn.forward_t(&self.up.forward(xs), train).relu_()
    }
}

/// Max-pooling by 2.
pub fn halve(xs: &Tensor) -> Tensor {
    xs.max_pool2d(2, 2, 0, 1, false)
}
