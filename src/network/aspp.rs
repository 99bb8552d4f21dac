//! Atrous spatial pyramid pooling (DeepLabv3): several fields of view side by side.

use super::blocks::{ConvBn, Kernel, conv_biased};
use super::config::MsffConfig;
use tch::nn::{self, Module};
use tch::{Kind, Tensor};

/// A 1×1 branch, a 3×3 branch per dilation and the slice's mean, joined by a 1×1 convolution.
#[derive(Debug)]
pub struct Aspp {
    branches: Vec<ConvBn>,
    pool: nn::Conv2D,
    project: ConvBn,
}

impl Aspp {
    pub fn new(p: &nn::Path, from: i64, config: &MsffConfig) -> Self {
        let to = config.width;
        let dilated = config.aspp_rates.iter().map(|rate| Kernel::THREE.dilation(*rate));
        let branches: Vec<ConvBn> = std::iter::once(Kernel::ONE)
            .chain(dilated)
            .enumerate()
            .map(|(n, kernel)| ConvBn::new(&(p / "branches" / n), from, to, kernel))
            .collect();
        let joined = to * (branches.len() as i64 + 1);
        Self {
            branches,
            pool: conv_biased(&(p / "pool"), from, to, Kernel::ONE),
            project: ConvBn::new(&(p / "project"), joined, to, Kernel::ONE),
        }
    }

    /// B×from×H×W → B×w×H×W.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let maps: Vec<Tensor> = self.branches.iter().map(|branch| branch.relu(xs, train)).collect();
        let mean = xs.mean_dim([2_i64, 3].as_slice(), true, None::<Kind>);
        let context = self.pool.forward(&mean).relu_();
        let joined = Tensor::cat(&maps, 1);
        drop(maps);
        self.project.relu_with_constant(&joined, &context, train)
    }
}
