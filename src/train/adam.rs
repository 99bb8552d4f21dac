//! Adam (doi 10.48550/arXiv.1412.6980) with moments that can be written down and read back.
//!
//! libtorch's own optimiser hides its moments from tch, and a run that goes on without them is another
//! run. The arithmetic is that of `torch.optim.Adam`; a test holds the two side by side.

use serde::Serialize;
use std::collections::BTreeMap;
use tch::{Kind, TchError, Tensor, nn};

/// Adam's constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AdamOptions {
    /// The paper: 1e-3.
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the latter.
    pub epsilon: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// One trained tensor and what Adam knows of it.
struct Parameter {
    /// The network's own, in the precision of its forward pass.
    variable: Tensor,
    /// 32-bit floats: the same tensor, or the exact values where the network computes in bfloat16.
    master: Tensor,
    mean: Tensor,
    square: Tensor,
}

/// The optimiser of one network.
pub struct Adam {
    options: AdamOptions,
    parameters: BTreeMap<String, Parameter>,
    /// Learning rate of the next step.
    pub learning_rate: f64,
    /// Steps made.
    pub steps: u64,
}

impl Adam {
    /// Takes every trainable variable of `store`; a variable of less than 32 bits gets an exact copy
    /// that the steps are made on.
    pub fn new(store: &nn::VarStore, options: AdamOptions) -> Self {
        let _guard = tch::no_grad_guard();
        let trained = store.variables().into_iter().filter(|(_, variable)| variable.requires_grad());
        let parameters = trained.map(|(name, variable)| {
            let master = match variable.kind() {
                Kind::Float => variable.detach(),
                _ => variable.detach().to_kind(Kind::Float),
            };
            let (mean, square) = (master.zeros_like(), master.zeros_like());
            (name, Parameter { variable, master, mean, square })
        });
        Self { options, parameters: parameters.collect(), learning_rate: options.learning_rate, steps: 0 }
    }

    /// Forgets the gradients, so that the next ones do not add to them.
    pub fn zero_gradients(&mut self) {
        for parameter in self.parameters.values_mut() {
            parameter.variable.zero_grad();
        }
    }

    /// Moves every parameter that has a gradient.
    pub fn step(&mut self) -> Result<(), TchError> {
        let _guard = tch::no_grad_guard();
        self.steps += 1;
        let AdamOptions { beta1, beta2, epsilon, .. } = self.options;
        let steps = self.steps as f64;
        let length = self.learning_rate / (1.0 - beta1.powf(steps));
        let root = (1.0 - beta2.powf(steps)).sqrt();
        for Parameter { variable, master, mean, square } in self.parameters.values_mut() {
            let gradient = variable.grad();
            if !gradient.defined() {
                continue;
            }
            let gradient = gradient.f_to_kind(Kind::Float)?;
            let _ = mean.f_lerp_(&gradient, 1.0 - beta1)?;
            let _ = square.f_mul_scalar_(beta2)?.f_add_(&gradient.f_square()?.f_mul_scalar(1.0 - beta2)?)?;
            let scale = square.f_sqrt()?.f_div_scalar_(root)?.f_add_scalar_(epsilon)?;
            let _ = master.f_sub_(&mean.f_div(&scale)?.f_mul_scalar_(length)?)?;
            if variable.kind() != Kind::Float {
                variable.f_copy_(master)?;
            }
        }
        Ok(())
    }

    /// The exact values of the trained tensors, by the names of the store.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.parameters.iter().map(|(name, parameter)| (name.as_str(), &parameter.master))
    }

    /// `value.<name>`, `mean.<name>` and `square.<name>`: the exact value and both moments of every
    /// parameter. Filling them restores the optimiser, but for its learning rate and steps.
    pub fn state(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.parameters.iter().flat_map(|(name, p)| {
            [("value", &p.master), ("mean", &p.mean), ("square", &p.square)]
                .map(|(what, tensor)| (format!("{what}.{name}"), tensor))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;
    use tch::nn::OptimizerConfig;

    fn store() -> (nn::VarStore, Tensor) {
        let store = nn::VarStore::new(Device::Cpu);
        let weight = store.root().var("w", &[3, 4], nn::Init::Const(0.0));
        let start = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([3, 4]) * 0.1 - 0.5;
        tch::no_grad(|| weight.shallow_clone().copy_(&start));
        (store, weight)
    }

    /// A function with gradients of very different sizes, among them none.
    fn loss(weight: &Tensor, step: i64) -> Tensor {
        let factor = Tensor::from_slice(&[1e-4_f32, 1.0, 30.0, 0.0]);
        ((weight * (step as f64 * 0.1 + 1.0)).sin() * factor).square().sum(Kind::Float)
    }

    #[test]
    fn agrees_with_libtorch() {
        let ((ours, a), (theirs, b)) = (store(), store());
        let mut adam = Adam::new(&ours, AdamOptions { learning_rate: 0.02, ..AdamOptions::default() });
        let mut judge = nn::Adam::default().build(&theirs, 0.02).unwrap();
        for step in 0..40 {
            if step == 20 {
                adam.learning_rate = 0.008;
                judge.set_lr(0.008);
            }
            adam.zero_gradients();
            loss(&a, step).backward();
            adam.step().unwrap();
            judge.backward_step(&loss(&b, step));
        }
        let moved = (&a - store().1).abs().max().double_value(&[]);
        let apart = (&a - &b).abs().max().double_value(&[]);
        assert!(moved > 0.1 && apart < 1e-6, "moved {moved}, apart {apart}");
    }

    #[test]
    fn small_steps_add_up_behind_bfloat16() {
        let (store, mut weight) = store();
        weight.set_data(&weight.to_kind(Kind::BFloat16));
        let mut adam = Adam::new(&store, AdamOptions { learning_rate: 1e-5, ..AdamOptions::default() });
        for _ in 0..50 {
            adam.zero_gradients();
            weight.sum(Kind::Float).backward();
            adam.step().unwrap();
        }
        let (_, exact) = adam.values().next().unwrap();
        let start = (Tensor::arange(12, (Kind::Float, Device::Cpu)).view([3, 4]) * 0.1 - 0.5)
            .to_kind(Kind::BFloat16)
            .to_kind(Kind::Float);
        let moved = (start - exact).min().double_value(&[]);
        assert!((4.5e-4..5.5e-4).contains(&moved), "{moved}");
    }
}
