//! SpineGAN (Han 2018), after the code that its author released: a generator with atrous convolutions
//! and a local LSTM, and the discriminator that it is trained against.
//!
//! The author's LSTM has peepholes, which libtorch's has not; they are left out.

use super::super::blocks::{ConvBn, Kernel, conv_biased, head, library_default};
use super::layers::{Chain, Enlarge, halve};
use tch::nn::{self, Module, ModuleT};
use tch::{Tensor, nn::Path};

/// Dilations of the atrous convolutions.
const RATES: [i64; 4] = [2, 4, 8, 16];
/// What the LSTM's map is pooled by, on top of the two halvings before.
const LOCAL: i64 = 4;
const DROPOUT: f64 = 0.4;

/// The generator.
#[derive(Debug)]
pub struct SpineGan {
    wide: Chain,
    middle: Chain,
    atrous: Chain,
    lstm: Lstm,
    local: [Enlarge; 2],
    enlarge: [Enlarge; 2],
    reduce: ConvBn,
    head: nn::Conv2D,
}

impl SpineGan {
    /// `width` channels in the first stage: 32 as published.
    pub fn new(p: &Path, width: i64) -> Self {
        let (w, deep) = (width, 4 * width);
        let atrous = RATES.map(|rate| Kernel::THREE.dilation(rate));
        let enlarge = |name: &str, n: usize, from: i64| Enlarge::new(&(p / name / n), from, deep);
        Self {
            wide: Chain::new(&(p / "wide"), &[1, w, w], &[Kernel::SEVEN; 2]),
            middle: Chain::threes(&(p / "middle"), &[w, 2 * w, 2 * w]),
            atrous: Chain::new(&(p / "atrous"), &[2 * w, deep, deep, deep, deep], &atrous),
            lstm: Lstm::new(&(p / "lstm"), deep),
            local: [enlarge("local", 0, 2 * deep), enlarge("local", 1, deep)],
            enlarge: [enlarge("enlarge", 0, deep), enlarge("enlarge", 1, deep)],
            reduce: ConvBn::new(&(p / "reduce"), deep, 2 * w, Kernel::ONE),
            head: head(&(p / "head"), 2 * w),
        }
    }
}

impl ModuleT for SpineGan {
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let xs = halve(&self.wide.forward(slices, train));
        let xs = halve(&self.middle.forward(&xs, train));
        let near = self.atrous.forward(&xs, train);
        let far = self.lstm.forward(&near.avg_pool2d(LOCAL, LOCAL, 0, false, true, None::<i64>));
        let far = self.local.iter().fold(far, |ys, layer| layer.forward(&ys, train));
        let ys = self.enlarge.iter().fold(near + far, |ys, layer| layer.forward(&ys, train));
        self.head.forward(&self.reduce.relu(&ys, train))
    }
}

/// A bidirectional LSTM over a map's places, row after row; as many units as channels each way.
///
/// Not tch's layer, which remembers the device that it was made on.
#[derive(Debug)]
struct Lstm {
    /// Per direction: input and hidden weights, input and hidden biases.
    weights: Vec<Tensor>,
    units: i64,
}

impl Lstm {
    fn new(p: &Path, units: i64) -> Self {
        let init = library_default(units);
        let shapes: [(&str, &[i64]); 4] = [
            ("weight_ih_l0", &[4 * units, units]),
            ("weight_hh_l0", &[4 * units, units]),
            ("bias_ih_l0", &[4 * units]),
            ("bias_hh_l0", &[4 * units]),
        ];
        let names = ["", "_reverse"]
            .into_iter()
            .flat_map(|way| shapes.map(|(name, shape)| (format!("{name}{way}"), shape)));
        Self { weights: names.map(|(name, shape)| p.var(&name, shape, init)).collect(), units }
    }

    /// B×C×H×W → B×2C×H×W.
    fn forward(&self, xs: &Tensor) -> Tensor {
        let &[batch, _, rows, columns] = xs.size().as_slice() else {
            return xs.shallow_clone();
        };
        let places = xs.flatten(2, 3).transpose(1, 2).contiguous();
        let start = places.new_zeros([2, batch, self.units], (places.kind(), places.device()));
        let weights: Vec<&Tensor> = self.weights.iter().collect();
        let (answers, _, _) = places.lstm(&[&start, &start], &weights, true, 1, 0.0, false, true, true);
        answers.transpose(1, 2).reshape([batch, 2 * self.units, rows, columns])
    }
}

/// Tells masks from probabilities: B×1×H×W in 0 to 1 → B×1×h×w logits of being a mask, where h and w
/// are a 64th of H and W, at least 1 (4×4 for 256×256).
#[derive(Debug)]
pub struct Discriminator {
    stages: Vec<ConvBn>,
    dense: nn::Conv2D,
    head: nn::Conv2D,
}

impl Discriminator {
    /// `width` channels in the first stage: 32 as published.
    pub fn new(p: &Path, width: i64) -> Self {
        let channels = [1, width, 2 * width, 4 * width];
        let stage = |n: usize| {
            ConvBn::new(&(p / "stages" / n), channels[n], channels[n + 1], Kernel::SEVEN.stride(2))
        };
        Self {
            stages: (0..3).map(stage).collect(),
            dense: conv_biased(&(p / "dense"), 4 * width, 8 * width, Kernel::ONE),
            head: conv_biased(&(p / "head"), 8 * width, 1, Kernel::ONE),
        }
    }
}

impl ModuleT for Discriminator {
    fn forward_t(&self, masks: &Tensor, train: bool) -> Tensor {
        // Rounding sizes up keeps at least one place however small the slice is.
        let stage =
            |xs: Tensor, layer: &ConvBn| layer.relu(&xs, train).avg_pool2d(2, 2, 0, true, true, None::<i64>);
        let xs = self.stages.iter().fold(masks.shallow_clone(), stage);
        self.head.forward(&self.dense.forward(&xs).relu_().dropout(DROPOUT, train))
    }
}
