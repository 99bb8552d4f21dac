//! U-Net (Ronneberger 2015), with batch normalisation and 'same' padding.

use super::super::blocks::{Double, Grow, head, transposed};
use super::layers::halve;
use tch::nn::{self, Module, ModuleT};
use tch::{Tensor, nn::Path};

/// Four halvings, four doublings by transposed convolutions, each joined with the map of its size.
#[derive(Debug)]
pub struct UNet {
    down: Vec<Double>,
    enlarge: Vec<nn::ConvTranspose2D>,
    up: Vec<Double>,
    head: nn::Conv2D,
}

impl UNet {
    /// `width` channels at full size, twice as many after each halving.
    pub fn new(p: &Path, width: i64) -> Self {
        let channels: Vec<i64> = (0..5).map(|stage| width << stage).collect();
        let from = |stage: usize| if stage == 0 { 1 } else { channels[stage - 1] };
        let down = |s: usize| Double::new(&(p / "down" / s), from(s), channels[s], 1);
        let enlarge =
            |s: usize| transposed(&(p / "enlarge" / s), [channels[s + 1], channels[s]], Grow::TWO, true);
        let up = |s: usize| Double::new(&(p / "up" / s), 2 * channels[s], channels[s], 1);
        Self {
            down: (0..5).map(down).collect(),
            enlarge: (0..4).map(enlarge).collect(),
            up: (0..4).map(up).collect(),
            head: head(&(p / "head"), width),
        }
    }
}

impl ModuleT for UNet {
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let mut maps = vec![self.down[0].forward(slices, train)];
        for stage in 1..5 {
            maps.push(self.down[stage].forward(&halve(&maps[stage - 1]), train));
        }
        let mut ys = maps[4].shallow_clone();
        for stage in (0..4).rev() {
            let joined = Tensor::cat(&[&maps[stage], &self.enlarge[stage].forward(&ys)], 1);
            ys = self.up[stage].forward(&joined, train);
        }
        self.head.forward(&ys)
    }
}
