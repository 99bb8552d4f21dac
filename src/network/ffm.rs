//! Feature fusion: every scale gets the other three.

use super::blocks::{Kernel, batch_norm, bilinear, conv, slice_size};
use tch::Tensor;
use tch::nn::{self, Module, ModuleT};

/// Gᵢ = ReLU(BN(Σⱼ Aᵢⱼ·resize(Fⱼ))): concatenating all resized maps and a 1×1 convolution, split by
/// source so that each product runs at the smaller of its two sizes.
#[derive(Debug)]
pub struct Ffm {
    /// `project[to][from]`.
    project: Vec<Vec<nn::Conv2D>>,
    bn: Vec<nn::BatchNorm>,
}

impl Ffm {
    pub fn new(p: &nn::Path, channels: &[i64]) -> Self {
        let row = |to: usize| {
            let p = p / "project" / to;
            let from = channels.iter().enumerate();
            from.map(|(j, c)| conv(&(&p / j), *c, channels[to], Kernel::ONE)).collect()
        };
        Self {
            project: (0..channels.len()).map(row).collect(),
            bn: channels.iter().enumerate().map(|(i, c)| batch_norm(&(p / "bn" / i), *c)).collect(),
        }
    }

    /// Maps ordered fine to coarse, each half the size of the one before; shapes are kept.
    pub fn forward(&self, maps: &[Tensor], train: bool) -> Vec<Tensor> {
        (0..maps.len())
            .map(|to| {
                let mut sum = self.project[to][to].forward(&maps[to]);
                for from in (0..maps.len()).filter(|from| *from != to) {
                    let _ = sum.g_add_(&self.term(to, from, maps));
                }
                self.bn[to].forward_t(&sum, train).relu_()
            })
            .collect()
    }

    fn term(&self, to: usize, from: usize, maps: &[Tensor]) -> Tensor {
        let project = &self.project[to][from];
        if from < to {
            let factor = 1_i64 << (to - from);
            project.forward(&maps[from].avg_pool2d(factor, factor, 0, false, true, None))
        } else {
            bilinear(&project.forward(&maps[from]), slice_size(&maps[to]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// The paper's wording, built literally: resize all four, concatenate, one 1×1 convolution.
    fn literal(ffm: &Ffm, maps: &[Tensor], to: usize) -> Tensor {
        let size = slice_size(&maps[to]);
        let resized: Vec<Tensor> = maps
            .iter()
            .enumerate()
            .map(|(from, map)| match from {
                from if from < to => map.adaptive_avg_pool2d(size),
                from if from > to => bilinear(map, size),
                _ => map.shallow_clone(),
            })
            .collect();
        let weights: Vec<&Tensor> = ffm.project[to].iter().map(|layer| &layer.ws).collect();
        let joined = Tensor::cat(&resized, 1).conv2d(&Tensor::cat(&weights, 1), None::<&Tensor>, 1, 0, 1, 1);
        ffm.bn[to].forward_t(&joined, false).relu()
    }

    #[test]
    fn equals_concatenation_and_one_convolution() {
        let store = nn::VarStore::new(Device::Cpu);
        let channels = [16, 32, 64, 128];
        let ffm = Ffm::new(&store.root(), &channels);
        let maps: Vec<Tensor> = (0..4)
            .map(|s| Tensor::randn([2, channels[s], 64 >> s, 32 >> s], (Kind::Float, Device::Cpu)))
            .collect();
        for (to, fused) in ffm.forward(&maps, false).iter().enumerate() {
            let difference = (fused - literal(&ffm, &maps, to)).abs().max().double_value(&[]);
            assert!(difference < 1e-4, "scale {to}: {difference}");
        }
    }
}
