//! The U-Net contracting path (Ronneberger 2015, with batch normalisation and 'same' padding).

use super::blocks::Double;
use tch::{Tensor, nn};

/// Five stages of two 3×3 convolutions, halved between them by max-pooling.
#[derive(Debug)]
pub struct Encoder {
    stages: Vec<Double>,
}

impl Encoder {
    pub fn new(p: &nn::Path, slices: i64, width: i64) -> Self {
        let channels = [slices, width, 2 * width, 4 * width, 8 * width, 16 * width];
        let stages = (0..5).map(|s| Double::new(&(p / s), channels[s], channels[s + 1], 1)).collect();
        Self { stages }
    }

    /// B×slices×H×W → the maps of stages 2 to 5: 2w×H/2, 4w×H/4, 8w×H/8, 16w×H/16.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Vec<Tensor> {
        let mut maps: Vec<Tensor> = Vec::with_capacity(4);
        let mut last = self.stages[0].forward(xs, train);
        for stage in &self.stages[1..] {
            last = stage.forward(&last.max_pool2d(2, 2, 0, 1, false), train);
            maps.push(last.shallow_clone());
        }
        maps
    }
}
