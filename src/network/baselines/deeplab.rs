//! DeepLabv3+ (Chen 2018) on ResNet-50 with an output stride of 16.

use super::super::blocks::{
    ConvBn, Kernel, add_shortcut, batch_norm, bilinear, conv, conv_biased, depthwise, head, slice_size,
};
use tch::nn::{self, Module, ModuleT};
use tch::{Kind, Tensor, nn::Path};

/// ResNet-50's four stages: blocks, stride of the first, dilation.
const STAGES: [(usize, i64, i64); 4] = [(3, 1, 1), (4, 2, 1), (6, 2, 1), (3, 1, 2)];
/// Dilations of the separable ASPP branches.
const RATES: [i64; 3] = [6, 12, 18];
/// A bottleneck's outer channels over its inner ones.
const EXPANSION: i64 = 4;

/// ResNet, ASPP with separable convolutions, and a decoder that joins the map at a quarter of the size.
#[derive(Debug)]
pub struct DeepLab {
    stem: ConvBn,
    stages: Vec<Vec<Bottleneck>>,
    pyramid: Pyramid,
    low: ConvBn,
    decode: [Separable; 2],
    head: nn::Conv2D,
}

impl DeepLab {
    /// `width` channels in the stem: 64 as published, whose ASPP then has 256 and whose low-level map
    /// has 48.
    pub fn new(p: &Path, width: i64) -> Self {
        let mut from = width;
        let mut stage = |n: usize| {
            let (blocks, stride, dilation) = STAGES[n];
            let inner = width << n;
            let block = |b: usize| {
                let kernel = Kernel::THREE.dilation(dilation).stride(if b == 0 { stride } else { 1 });
                let outer = if b == 0 { from } else { EXPANSION * inner };
                Bottleneck::new(&(p / "stages" / n / b), outer, inner, kernel)
            };
            let built: Vec<Bottleneck> = (0..blocks).map(block).collect();
            from = EXPANSION * inner;
            built
        };
        let stages = (0..STAGES.len()).map(&mut stage).collect();
        let (wide, low) = (4 * width, 3 * width / 4);
        Self {
            stem: ConvBn::new(&(p / "stem"), 1, width, Kernel::SEVEN.stride(2)),
            stages,
            pyramid: Pyramid::new(&(p / "aspp"), 32 * width, wide),
            low: ConvBn::new(&(p / "low"), EXPANSION * width, low, Kernel::ONE),
            decode: [
                Separable::new(&(p / "decode" / 0), wide + low, wide, 1),
                Separable::new(&(p / "decode" / 1), wide, wide, 1),
            ],
            head: head(&(p / "head"), wide),
        }
    }
}

impl ModuleT for DeepLab {
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let stem = self.stem.relu(slices, train).max_pool2d(3, 2, 1, 1, false);
        let stage = |xs: &Tensor, blocks: &[Bottleneck]| {
            blocks.iter().fold(xs.shallow_clone(), |ys, block| block.forward(&ys, train))
        };
        let quarter = stage(&stem, &self.stages[0]);
        let deep = self.stages[1..].iter().fold(quarter.shallow_clone(), |ys, blocks| stage(&ys, blocks));
        let context = bilinear(&self.pyramid.forward(&deep, train), slice_size(&quarter));
        let joined = Tensor::cat(&[context, self.low.relu(&quarter, train)], 1);
        let ys = self.decode.iter().fold(joined, |ys, layer| layer.forward(&ys, train));
        bilinear(&self.head.forward(&ys), slice_size(slices))
    }
}

/// 1×1 → 3×3 → 1×1 beside a shortcut (He 2016; the stride is the 3×3 kernel's).
#[derive(Debug)]
struct Bottleneck {
    reduce: ConvBn,
    middle: ConvBn,
    expand: ConvBn,
    shortcut: Option<ConvBn>,
}

impl Bottleneck {
    fn new(p: &Path, from: i64, inner: i64, kernel: Kernel) -> Self {
        let to = EXPANSION * inner;
        let shortcut = || ConvBn::new(&(p / "shortcut"), from, to, Kernel::ONE.stride(kernel.step()));
        Self {
            reduce: ConvBn::new(&(p / "reduce"), from, inner, Kernel::ONE),
            middle: ConvBn::new(&(p / "middle"), inner, inner, kernel),
            expand: ConvBn::new(&(p / "expand"), inner, to, Kernel::ONE),
            shortcut: (from != to || kernel.step() != 1).then(shortcut),
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.middle.relu(&self.reduce.relu(xs, train), train);
        add_shortcut(self.expand.linear(&ys, train), xs, self.shortcut.as_ref(), train)
    }
}

/// Depthwise 3×3 → 1×1 → batch normalisation → ReLU.
#[derive(Debug)]
struct Separable {
    depth: nn::Conv2D,
    point: nn::Conv2D,
    bn: nn::BatchNorm,
}

impl Separable {
    fn new(p: &Path, from: i64, to: i64, dilation: i64) -> Self {
        Self {
            depth: depthwise(&(p / "depth"), from, Kernel::THREE.dilation(dilation)),
            point: conv(&(p / "point"), from, to, Kernel::ONE),
            bn: batch_norm(&(p / "bn"), to),
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.bn.forward_t(&self.point.forward(&self.depth.forward(xs)), train).relu_()
    }
}

/// A 1×1 branch, a separable branch per dilation and the slice's mean, joined by a 1×1 convolution.
#[derive(Debug)]
struct Pyramid {
    point: ConvBn,
    branches: Vec<Separable>,
    pool: nn::Conv2D,
    project: ConvBn,
}

impl Pyramid {
    fn new(p: &Path, from: i64, to: i64) -> Self {
        let branch = |(n, rate): (usize, &i64)| Separable::new(&(p / "branches" / n), from, to, *rate);
        Self {
            point: ConvBn::new(&(p / "point"), from, to, Kernel::ONE),
            branches: RATES.iter().enumerate().map(branch).collect(),
            pool: conv_biased(&(p / "pool"), from, to, Kernel::ONE),
            project: ConvBn::new(&(p / "project"), (RATES.len() as i64 + 2) * to, to, Kernel::ONE),
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let mut maps = vec![self.point.relu(xs, train)];
        maps.extend(self.branches.iter().map(|branch| branch.forward(xs, train)));
        let mean = xs.mean_dim([2_i64, 3].as_slice(), true, None::<Kind>);
        let context = self.pool.forward(&mean).relu_();
        self.project.relu_with_constant(&Tensor::cat(&maps, 1), &context, train)
    }
}
