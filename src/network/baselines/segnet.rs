//! SegNet (Badrinarayanan 2017): VGG-16 and its mirror image, which puts every value back where
//! max-pooling took it from.

use super::super::blocks::head;
use super::layers::{Chain, VGG16, vgg16};
use tch::nn::{self, Module, ModuleT};
use tch::{Tensor, nn::Path};

/// Five halvings, five doublings by the places of the maxima.
#[derive(Debug)]
pub struct SegNet {
    encode: Vec<Chain>,
    decode: Vec<Chain>,
    head: nn::Conv2D,
}

impl SegNet {
    /// `width` channels in the first stage. Rows and columns of slices must be multiples of 32.
    pub fn new(p: &Path, width: i64) -> Self {
        Self {
            encode: vgg16(&(p / "encode"), width),
            decode: (0..VGG16.len()).map(|stage| mirrored(&(p / "decode" / stage), stage, width)).collect(),
            head: head(&(p / "head"), width),
        }
    }
}

/// As many convolutions as the encoder's stage has; the last gives the channels of the stage before.
fn mirrored(p: &Path, stage: usize, width: i64) -> Chain {
    let (times, count) = VGG16[stage];
    let before = VGG16[stage.saturating_sub(1)].0;
    let mut channels = vec![times * width; count];
    channels.push(before * width);
    Chain::threes(p, &channels)
}

impl ModuleT for SegNet {
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let mut xs = slices.shallow_clone();
        let mut places = Vec::with_capacity(VGG16.len());
        for stage in &self.encode {
            let map = stage.forward(&xs, train);
            let size = map.size();
            let (pooled, indices) = map.max_pool2d_with_indices(2, 2, 0, 1, false);
            places.push((indices, [size[2], size[3]]));
            xs = pooled;
        }
        for (stage, (indices, size)) in self.decode.iter().zip(&places).rev() {
            xs = stage.forward(&xs.max_unpool2d(indices, size), train);
        }
        self.head.forward(&xs)
    }
}
