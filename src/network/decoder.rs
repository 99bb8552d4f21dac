//! The light decoder in ENet's pattern (Paszke 2016): halved three times, doubled three times.

use super::blocks::{
    ConvBn, Double, Grow, Kernel, add_shortcut, batch_norm, conv, depthwise, head, shortcut, slice_size,
    transposed,
};
use tch::Tensor;
use tch::nn::{self, Module, ModuleT};

/// w×H×W → 1×H×W logits.
#[derive(Debug)]
pub struct Decoder {
    initial: Double,
    encode: [Separable; 3],
    decode: [ConvBn; 2],
    up: nn::ConvTranspose2D,
    bn: nn::BatchNorm,
    head: nn::Conv2D,
    skips: bool,
}

impl Decoder {
    pub fn new(p: &nn::Path, width: i64, skips: bool) -> Self {
        let (w, encode, decode) = (width, p / "encode", p / "decode");
        Self {
            initial: Double::new(&(p / "initial"), w, w, 2),
            encode: [
                Separable::new(&(&encode / 0), w, w, 2),
                Separable::new(&(&encode / 1), w, 2 * w, 2),
                Separable::new(&(&encode / 2), 2 * w, 2 * w, 1),
            ],
            decode: [
                ConvBn::new(&(&decode / 0), 2 * w, w, Kernel::ONE),
                ConvBn::new(&(&decode / 1), w, w, Kernel::ONE),
            ],
            up: transposed(&(p / "up"), [w, w / 2], Grow::TWO, false),
            bn: batch_norm(&(p / "bn"), w / 2),
            head: head(&(p / "head"), w / 2),
            skips,
        }
    }

    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let half = self.initial.forward(xs, train);
        let quarter = self.encode[0].forward(&half, train);
        let eighth = self.encode[1].forward(&quarter, train);
        let eighth = self.encode[2].forward(&eighth, train);
        let ys = self.double(0, &eighth, &quarter, train);
        let ys = self.double(1, &ys, &half, train);
        self.head.forward(&self.bn.forward_t(&self.up.forward(&ys), train).relu_())
    }

    /// One doubling, to the size of `skip`.
    fn double(&self, stage: usize, xs: &Tensor, skip: &Tensor, train: bool) -> Tensor {
        let ys = self.decode[stage].relu_upsampled(xs, slice_size(skip), train);
        if self.skips { ys + skip } else { ys }
    }
}

/// Two depthwise-separable convolutions beside a shortcut (max-pooled where strided).
#[derive(Debug)]
struct Separable {
    first: Half,
    second: Half,
    shortcut: Option<ConvBn>,
    stride: i64,
}

impl Separable {
    fn new(p: &nn::Path, from: i64, to: i64, stride: i64) -> Self {
        Self {
            first: Half::new(&(p / "first"), from, to, stride),
            second: Half::new(&(p / "second"), to, to, 1),
            shortcut: shortcut(p, from, to),
            stride,
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.first.forward(xs, train).relu_();
        let ys = self.second.forward(&ys, train);
        let near = if self.stride == 1 { xs.shallow_clone() } else { xs.max_pool2d(2, 2, 0, 1, false) };
        add_shortcut(ys, &near, self.shortcut.as_ref(), train)
    }
}

/// Depthwise 3×3 → 1×1 → BN.
#[derive(Debug)]
struct Half {
    depth: nn::Conv2D,
    point: nn::Conv2D,
    bn: nn::BatchNorm,
}

impl Half {
    fn new(p: &nn::Path, from: i64, to: i64, stride: i64) -> Self {
        Self {
            depth: depthwise(&(p / "depth"), from, Kernel::THREE.stride(stride)),
            point: conv(&(p / "point"), from, to, Kernel::ONE),
            bn: batch_norm(&(p / "bn"), to),
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.bn.forward_t(&self.point.forward(&self.depth.forward(xs)), train)
    }
}
