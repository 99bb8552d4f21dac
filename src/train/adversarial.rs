//! SpineGAN's adversary: a network that learns to tell masks from the generator's probabilities, and
//! thereby what the generator still does wrong (Han 2018, PMID 30176546).
//!
//! With D the discriminator, p the generator's probabilities and m the masks, one step each in turns:
//!
//! - generator: common loss + weight × BCE(D(p), 1)
//! - discriminator: BCE(D(m), 1) + BCE(D(p), 0), p detached
//!
//! As in the author's released code, D sees no CT, the weight is 1, and D has an Adam of its own
//! (1e-3, β₁ 0.5). Ours: the common loss in the place of the author's class-weighted cross-entropy, so
//! that a comparison is not one of losses; D reads probabilities, the author's reads logits.

use super::adam::{Adam, AdamOptions};
use crate::network::{Discriminator, prefer_channels_last};
use serde::Serialize;
use tch::nn::{self, ModuleT};
use tch::{Device, Kind, Reduction, TchError, Tensor};

/// A mask's ones become this and its zeros what it lacks to 1, or their exact values would give masks
/// away.
const SMOOTHED: f64 = 0.99;

/// How strong the adversary is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AdversaryOptions {
    /// Weight of its term in the generator's loss; 0: there is no adversary.
    pub weight: f64,
    /// Its own optimiser's constants. Its learning rate does not fall with the generator's.
    pub adam: AdamOptions,
}

impl Default for AdversaryOptions {
    fn default() -> Self {
        let adam = AdamOptions { learning_rate: 1e-3, beta1: 0.5, ..AdamOptions::default() };
        Self { weight: 1.0, adam }
    }
}

/// A discriminator and its optimiser. It always normalises by its batch, so that its running statistics
/// are never used: all that it has learnt is in [`Adversary::adam`]. Masks and probabilities go through
/// it in batches of their own, so it judges their shapes, not how bright they are.
pub struct Adversary {
    network: Discriminator,
    adam: Adam,
    weight: f64,
}

impl Adversary {
    /// First weights from libtorch's generator; `width` channels in the first stage (32 as published).
    pub fn new(width: i64, options: AdversaryOptions, device: Device) -> Self {
        let store = nn::VarStore::new(device);
        let network = Discriminator::new(&store.root(), width);
        prefer_channels_last(&store);
        Self { network, adam: Adam::new(&store, options.adam), weight: options.weight }
    }

    /// What is to be added to the generator's loss, a scalar: how far `probabilities` (B×1×H×W, 0 to 1)
    /// are from being taken for masks. The gradients that this leaves in the discriminator are forgotten
    /// at its next step.
    pub fn against(&self, probabilities: &Tensor) -> Tensor {
        self.loss(probabilities, 1.0) * self.weight
    }

    /// One step towards telling masks (0 or 1) from probabilities; `shown` holds (probabilities, masks),
    /// B×1×H×W each, of every pass of the generator's step. The generator behind them gets no gradient.
    /// Returns the loss before the step.
    pub fn discriminate(&mut self, shown: &[(Tensor, Tensor)]) -> Result<f64, TchError> {
        let slices = |masks: &Tensor| masks.size().first().map_or(0.0, |n| *n as f64);
        let all: f64 = shown.iter().map(|(_, masks)| slices(masks)).sum();
        self.adam.zero_gradients();
        let mut value = 0.0;
        for (probabilities, masks) in shown {
            let real = masks.to_kind(Kind::Float) * (2.0 * SMOOTHED - 1.0) + (1.0 - SMOOTHED);
            let loss = self.loss(&real, 1.0) + self.loss(&probabilities.detach(), 0.0);
            let loss = loss * (slices(masks) / all);
            loss.backward();
            value += loss.double_value(&[]);
        }
        self.adam.step()?;
        Ok(value)
    }

    /// Mean cross-entropy of the answers with `truth`.
    fn loss(&self, masks: &Tensor, truth: f64) -> Tensor {
        let answers = self.network.forward_t(&masks.to_kind(Kind::Float), true);
        let truth = answers.full_like(truth);
        answers.binary_cross_entropy_with_logits::<&Tensor>(&truth, None, None, Reduction::Mean)
    }

    /// Weights, moments and steps: everything that a run needs to go on.
    pub fn adam(&self) -> &Adam {
        &self.adam
    }

    /// The same, to be restored.
    pub fn adam_mut(&mut self) -> &mut Adam {
        &mut self.adam
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Architecture, Network};

    /// Boxes as masks, and CTs in which they are brighter.
    fn slices() -> (Tensor, Tensor) {
        let masks = Tensor::zeros([4, 1, 64, 64], (Kind::Float, Device::Cpu));
        for n in 0..4 {
            let _ = masks.select(0, n).narrow(1, 8 + 8 * n, 20).narrow(2, 30 - 4 * n, 24).fill_(1.0);
        }
        let ct = &masks * 0.6 - 0.3 + masks.randn_like() * 0.2;
        (ct, masks)
    }

    fn generator() -> (nn::VarStore, Network) {
        let store = nn::VarStore::new(Device::Cpu);
        let network = Architecture::named("spinegan", Some(8)).unwrap().build(&store.root()).unwrap();
        (store, network)
    }

    fn fresh() -> Adversary {
        Adversary::new(8, AdversaryOptions::default(), Device::Cpu)
    }

    #[test]
    fn its_loss_falls_while_the_generator_stands_still() {
        tch::manual_seed(3);
        let ((ct, masks), (_store, generator)) = (slices(), generator());
        let probabilities = tch::no_grad(|| generator.forward_t(&ct, true)).sigmoid();
        let mut adversary = fresh();
        let shown = [(probabilities.shallow_clone(), masks.shallow_clone())];
        let losses: Vec<f64> = (0..120).map(|_| adversary.discriminate(&shown).unwrap()).collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..10]), mean(&losses[110..]));
        assert!(losses[0] > 1.0 && last < 0.5 * first, "{losses:?}");
        let cost = |p: &Tensor| tch::no_grad(|| adversary.against(p)).double_value(&[]);
        let smooth = &masks * 0.98 + 0.01;
        assert!(cost(&probabilities) > cost(&smooth) + 0.5, "{} {}", cost(&probabilities), cost(&smooth));
    }

    #[test]
    fn it_moves_the_generator_and_its_own_step_does_not() {
        tch::manual_seed(4);
        let ((ct, masks), (store, generator)) = (slices(), generator());
        let mut adversary = fresh();
        let logits = generator.forward_t(&ct, true);
        adversary.discriminate(&[(logits.sigmoid(), masks)]).unwrap();
        let gradients = || {
            store.trainable_variables().iter().map(Tensor::grad).filter(Tensor::defined).collect::<Vec<_>>()
        };
        assert!(gradients().is_empty());
        adversary.against(&logits.sigmoid()).backward();
        let gradients = gradients();
        assert_eq!(gradients.len(), store.trainable_variables().len());
        assert!(gradients.iter().all(|g| g.isfinite().all().int64_value(&[]) == 1));
        let moved = |g: &&Tensor| g.abs().max().double_value(&[]) > 0.0;
        assert!(gradients.iter().filter(moved).count() > gradients.len() / 2);
    }
}
