//! FCN-8s (Long 2015) on VGG-16 with batch normalisation. 'Same' padding takes the place of the
//! original's border of 100 pixels and its cropping.

use super::super::blocks::{Grow, HEAD_BIAS, Kernel, conv_biased};
use super::layers::{Chain, halve, vgg16};
use tch::nn::{self, Module, ModuleT};
use tch::{Tensor, nn::Path};

/// Channels of the convolutions that take the place of VGG's dense layers, over those of the first
/// stage: 4096 of 64.
const DENSE: i64 = 64;
const DROPOUT: f64 = 0.5;

/// Scores at 1/32, 1/16 and 1/8 of the size, each added to the coarser one's enlargement.
#[derive(Debug)]
pub struct Fcn8s {
    stages: Vec<Chain>,
    dense: [nn::Conv2D; 2],
    score: nn::Conv2D,
    score_sixteenth: nn::Conv2D,
    score_eighth: nn::Conv2D,
    enlarge: [nn::ConvTranspose2D; 3],
}

impl Fcn8s {
    /// `width` channels in VGG's first stage. Rows and columns of slices must be multiples of 32.
    pub fn new(p: &Path, width: i64) -> Self {
        let (w, dense) = (width, DENSE * width);
        let score = |name: &str, from: i64| conv_biased(&(p / name), from, 1, Kernel::ONE);
        let twice = Grow { size: 4, stride: 2 };
        let eightfold = Grow { size: 16, stride: 8 };
        let enlarge = p / "enlarge";
        Self {
            stages: vgg16(&(p / "stages"), w),
            dense: [
                conv_biased(&(p / "dense" / 0), 8 * w, dense, Kernel::SEVEN),
                conv_biased(&(p / "dense" / 1), dense, dense, Kernel::ONE),
            ],
            score: score("score", dense),
            score_sixteenth: score("score_sixteenth", 8 * w),
            score_eighth: score("score_eighth", 4 * w),
            enlarge: [
                bilinear_kernel(&(&enlarge / 0), twice, 0.0),
                bilinear_kernel(&(&enlarge / 1), twice, 0.0),
                bilinear_kernel(&(&enlarge / 2), eightfold, HEAD_BIAS),
            ],
        }
    }
}

impl ModuleT for Fcn8s {
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let mut maps = Vec::with_capacity(5);
        let mut xs = slices.shallow_clone();
        for stage in &self.stages {
            xs = halve(&stage.forward(&xs, train));
            maps.push(xs.shallow_clone());
        }
        for layer in &self.dense {
            xs = layer.forward(&xs).relu_().dropout(DROPOUT, train);
        }
        let sixteenth =
            self.enlarge[0].forward(&self.score.forward(&xs)) + self.score_sixteenth.forward(&maps[3]);
        let eighth = self.enlarge[1].forward(&sixteenth) + self.score_eighth.forward(&maps[2]);
        self.enlarge[2].forward(&eighth)
    }
}

/// A transposed convolution of one channel that starts as bilinear interpolation and is then learned.
fn bilinear_kernel(p: &Path, grow: Grow, bias: f64) -> nn::ConvTranspose2D {
    let config = nn::ConvTransposeConfig { bs_init: nn::Init::Const(bias), ..grow.config() };
    let layer = nn::conv_transpose2d(p, 1, 1, grow.size, config);
    let middle = (grow.size - 1) as f64 / 2.0;
    let weight = |n: i64| 1.0 - (n as f64 - middle).abs() / grow.stride as f64;
    let line: Vec<f32> = (0..grow.size).map(|n| weight(n) as f32).collect();
    let line = Tensor::from_slice(&line);
    let kernel = line.outer(&line).view([1, 1, grow.size, grow.size]);
    tch::no_grad(|| layer.ws.shallow_clone().copy_(&kernel));
    layer
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn enlarging_starts_bilinear() {
        let store = nn::VarStore::new(Device::Cpu);
        let map = Tensor::arange(35, (Kind::Float, Device::Cpu)).sin().view([1, 1, 5, 7]);
        for (grow, edge) in [(Grow { size: 4, stride: 2 }, 1), (Grow { size: 16, stride: 8 }, 4)] {
            let layer = bilinear_kernel(&(store.root() / grow.stride), grow, 0.0);
            let size = [5 * grow.stride, 7 * grow.stride];
            let expected = map.upsample_bilinear2d(size, false, None, None);
            // At the border interpolation repeats the last pixel, where the kernel sees zeros.
            let inside =
                |t: &Tensor| t.narrow(2, edge, size[0] - 2 * edge).narrow(3, edge, size[1] - 2 * edge);
            let found = tch::no_grad(|| layer.forward(&map));
            assert_eq!(found.size(), [1, 1, size[0], size[1]]);
            assert!(inside(&found).allclose(&inside(&expected), 0.0, 1e-5, false), "{grow:?}");
        }
    }
}
