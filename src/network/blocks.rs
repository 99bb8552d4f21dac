//! The layers that several modules are built from.

use tch::nn::{self, Module, ModuleT};
use tch::{Device, Kind, Tensor};

/// A square 'same' kernel: odd size, stride and dilation.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    size: i64,
    stride: i64,
    dilation: i64,
}

impl Kernel {
    pub const ONE: Self = Self::square(1);
    pub const THREE: Self = Self::square(3);
    pub const SEVEN: Self = Self::square(7);

    const fn square(size: i64) -> Self {
        Self { size, stride: 1, dilation: 1 }
    }

    pub const fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    pub const fn dilation(self, dilation: i64) -> Self {
        Self { dilation, ..self }
    }

    /// The stride.
    pub const fn step(self) -> i64 {
        self.stride
    }

    fn config(self) -> nn::ConvConfig {
        nn::ConvConfig {
            stride: self.stride,
            padding: self.dilation * (self.size / 2),
            dilation: self.dilation,
            bias: false,
            ws_init: nn::init::DEFAULT_KAIMING_NORMAL,
            ..nn::ConvConfig::default()
        }
    }
}

/// A He-normal 'same' convolution without bias.
pub fn conv(p: &nn::Path, from: i64, to: i64, kernel: Kernel) -> nn::Conv2D {
    nn::conv2d(p, from, to, kernel.size, kernel.config())
}

/// A He-normal 'same' convolution with a bias.
pub fn conv_biased(p: &nn::Path, from: i64, to: i64, kernel: Kernel) -> nn::Conv2D {
    let init = library_default(from * kernel.size * kernel.size);
    nn::conv2d(p, from, to, kernel.size, nn::ConvConfig { bias: true, bs_init: init, ..kernel.config() })
}

/// One kernel per channel, without bias.
pub fn depthwise(p: &nn::Path, channels: i64, kernel: Kernel) -> nn::Conv2D {
    let config = nn::ConvConfig { groups: channels, ..kernel.config() };
    nn::conv2d(p, channels, channels, kernel.size, config)
}

/// A head's first bias: sigmoid(−3) ≈ 0.05, since few pixels are fracture.
pub const HEAD_BIAS: f64 = -3.0;

/// A map's channels → one logit per pixel.
pub fn head(p: &nn::Path, from: i64) -> nn::Conv2D {
    let config = nn::ConvConfig {
        ws_init: library_default(from),
        bs_init: nn::Init::Const(HEAD_BIAS),
        ..nn::ConvConfig::default()
    };
    nn::conv2d(p, from, 1, 1, config)
}

/// A square kernel that multiplies rows and columns by its stride exactly.
#[derive(Debug, Clone, Copy)]
pub struct Grow {
    pub size: i64,
    pub stride: i64,
}

impl Grow {
    /// Every pixel comes from one pixel.
    pub const TWO: Self = Self { size: 2, stride: 2 };
    /// As [`Grow::TWO`], from overlapping kernels.
    pub const THREE: Self = Self { size: 3, stride: 2 };

    pub fn config(self) -> nn::ConvTransposeConfig {
        let padding = (self.size - self.stride + 1) / 2;
        nn::ConvTransposeConfig {
            stride: self.stride,
            padding,
            output_padding: 2 * padding + self.stride - self.size,
            ..nn::ConvTransposeConfig::default()
        }
    }
}

/// A transposed convolution with PyTorch's default initialisation.
pub fn transposed(p: &nn::Path, [from, to]: [i64; 2], grow: Grow, bias: bool) -> nn::ConvTranspose2D {
    let init = library_default(to * grow.size * grow.size);
    let config = nn::ConvTransposeConfig { bias, ws_init: init, bs_init: init, ..grow.config() };
    nn::conv_transpose2d(p, from, to, grow.size, config)
}

/// Batch normalisation, eps 1e-5, momentum 0.1, scale 1 and shift 0 at first.
pub fn batch_norm(p: &nn::Path, channels: i64) -> nn::BatchNorm {
    let config = nn::BatchNormConfig { ws_init: nn::Init::Const(1.0), ..nn::BatchNormConfig::default() };
    nn::batch_norm2d(p, channels, config)
}

/// PyTorch's default for dense layers: U(±1/√fan_in).
pub fn library_default(fan_in: i64) -> nn::Init {
    let bound = 1.0 / (fan_in as f64).sqrt();
    nn::Init::Uniform { lo: -bound, up: bound }
}

/// A fully connected layer with PyTorch's default initialisation.
pub fn linear(p: &nn::Path, from: i64, to: i64, bias: bool) -> nn::Linear {
    let init = library_default(from);
    nn::linear(p, from, to, nn::LinearConfig { ws_init: init, bs_init: Some(init), bias })
}

/// Hidden units of a channel gate: a sixteenth, at least 4 (CBAM and SE use r = 16).
pub fn gate_hidden(channels: i64) -> i64 {
    (channels / 16).max(4)
}

/// Convolution → batch normalisation, with or without ReLU. B×from×H×W → B×to×H/s×W/s.
#[derive(Debug)]
pub struct ConvBn {
    conv: nn::Conv2D,
    bn: nn::BatchNorm,
}

impl ConvBn {
    pub fn new(p: &nn::Path, from: i64, to: i64, kernel: Kernel) -> Self {
        Self { conv: conv(&(p / "conv"), from, to, kernel), bn: batch_norm(&(p / "bn"), to) }
    }

    pub fn linear(&self, xs: &Tensor, train: bool) -> Tensor {
        self.bn.forward_t(&self.conv.forward(xs), train)
    }

    pub fn relu(&self, xs: &Tensor, train: bool) -> Tensor {
        self.linear(xs, train).relu_()
    }

    /// ReLU(BN(upsample(conv(xs)))) for a 1×1 kernel. The kernel and bilinear weights act on
    /// different axes, so they commute, and the convolution runs on the small map.
    pub fn relu_upsampled(&self, xs: &Tensor, size: [i64; 2], train: bool) -> Tensor {
        self.bn.forward_t(&bilinear(&self.conv.forward(xs), size), train).relu_()
    }

    /// ReLU(BN(W·[xs, g])) for a 1×1 kernel, where `g` (B×C'×1×1) stands for a map that is constant
    /// over the slice: its share is a bias per channel, and the broadcast map is never built.
    pub fn relu_with_constant(&self, xs: &Tensor, g: &Tensor, train: bool) -> Tensor {
        let channels = xs.size()[1];
        let (varying, constant) = (
            self.conv.ws.narrow(1, 0, channels),
            self.conv.ws.narrow(1, channels, self.conv.ws.size()[1] - channels),
        );
        let sum = point(xs, &varying).g_add_(&point(g, &constant));
        self.bn.forward_t(&sum, train).relu_()
    }
}

/// A 1×1 convolution with these weights (to×from×1×1).
pub fn point(xs: &Tensor, weights: &Tensor) -> Tensor {
    xs.conv2d(weights, None::<&Tensor>, 1, 0, 1, 1)
}

/// CBR3 → CBR3.
#[derive(Debug)]
pub struct Double(ConvBn, ConvBn);

impl Double {
    pub fn new(p: &nn::Path, from: i64, to: i64, stride: i64) -> Self {
        Self(
            ConvBn::new(&(p / 0), from, to, Kernel::THREE.stride(stride)),
            ConvBn::new(&(p / 1), to, to, Kernel::THREE),
        )
    }

    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.1.relu(&self.0.relu(xs, train), train)
    }
}

/// ReLU(conv3-BN(CBR3(x)) + shortcut(x)); the shortcut is 1×1-BN where channels change.
#[derive(Debug)]
pub struct Residual {
    first: ConvBn,
    second: ConvBn,
    shortcut: Option<ConvBn>,
}

impl Residual {
    pub fn new(p: &nn::Path, from: i64, to: i64) -> Self {
        Self {
            first: ConvBn::new(&(p / "first"), from, to, Kernel::THREE),
            second: ConvBn::new(&(p / "second"), to, to, Kernel::THREE),
            shortcut: shortcut(p, from, to),
        }
    }

    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.second.linear(&self.first.relu(xs, train), train);
        add_shortcut(ys, xs, self.shortcut.as_ref(), train)
    }
}

/// 1×1-BN at `shortcut`, or nothing where the channels already fit.
pub fn shortcut(p: &nn::Path, from: i64, to: i64) -> Option<ConvBn> {
    (from != to).then(|| ConvBn::new(&(p / "shortcut"), from, to, Kernel::ONE))
}

/// ReLU(ys + shortcut(xs)), in the memory of `ys`.
pub fn add_shortcut(mut ys: Tensor, xs: &Tensor, shortcut: Option<&ConvBn>, train: bool) -> Tensor {
    let mut sum = match shortcut {
        Some(layer) => ys.g_add_(&layer.linear(xs, train)),
        None => ys.g_add_(xs),
    };
    sum.relu_()
}

/// Bilinear resize (align_corners = false).
pub fn bilinear(xs: &Tensor, size: [i64; 2]) -> Tensor {
    xs.upsample_bilinear2d(size, false, None, None)
}

/// H and W.
pub fn slice_size(xs: &Tensor) -> [i64; 2] {
    let size = xs.size();
    [size[2], size[3]]
}

/// Mean over the slice: B×C×H×W → B×C.
pub fn slice_mean(xs: &Tensor) -> Tensor {
    xs.mean_dim([2_i64, 3].as_slice(), false, None::<Kind>)
}

/// Scales every channel: xs B×C×H×W by gates B×C.
pub fn scale_channels(xs: &Tensor, gates: &Tensor) -> Tensor {
    xs * gates.unsqueeze(-1).unsqueeze(-1)
}

/// softmax(q·kᵀ/√d)·v for B×1×N×d tensors.
///
/// Equal head sizes and a contiguous last dimension let libtorch take its fused CPU kernel, which
/// never holds the N×M scores (17 GB for a 256² slice with full keys).
pub fn attend(query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
    let fused = |q: &Tensor, k: &Tensor, v: &Tensor| {
        Tensor::scaled_dot_product_attention(q, k, v, None::<&Tensor>, 0.0, false, None, false)
    };
    let kind = query.kind();
    if kind == Kind::Float || query.device() != Device::Cpu {
        return fused(query, key, value);
    }
    // On a CPU the kernel's backward pass in bfloat16 takes three times as long as in 32 bits.
    let [q, k, v] = [query, key, value].map(|t| t.to_kind(Kind::Float));
    fused(&q, &k, &v).to_kind(kind)
}
