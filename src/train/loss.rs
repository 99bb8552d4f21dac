//! The training loss: binary cross-entropy on logits, soft Dice over the whole batch, and soft Dice
//! slice by slice.
//!
//! The paper names none. Dice withstands 1–3 % foreground; cross-entropy gives a gradient on slices
//! without a fracture; pooling over the batch leaves no undefined empty slice. Pooled Dice alone lets a
//! crushed body outweigh a thin fracture line a hundredfold, and lines were never learnt: the mean over
//! the slices that hold a fracture counts each alike.
//!
//! Where nothing is found yet, Dice has hardly a gradient (it vanishes with the probability), and a line
//! of 60 pixels in a tile of 16,384 hardly one in the mean of cross-entropies. `foreground_share` weighs
//! a slice's fracture as if it filled at least that share of it.

use tch::{Kind, Reduction, Tensor};

/// Keeps Dice defined on a batch without foreground.
const SMOOTH: f64 = 1.0;

/// `logits`, `target`: B×1×H×W, target 0 or 1; `foreground_share` 0 to 1, 0 weighs every pixel alike. A
/// scalar.
pub fn bce_dice(logits: &Tensor, target: &Tensor, foreground_share: f64) -> Tensor {
    let logits = logits.to_kind(Kind::Float);
    let p = logits.sigmoid();
    let over = |t: &Tensor| t.sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Float);
    let (both, found, truth) = (over(&(&p * target)), over(&p), over(target));
    let weight = (foreground_share > 0.0).then(|| weights(target, &truth, foreground_share));
    let bce = logits.binary_cross_entropy_with_logits(target, weight, None, Reduction::Mean);
    let dice = |both: &Tensor, total: &Tensor| (both * 2.0 + SMOOTH) / (total + SMOOTH);
    let pooled = dice(&both.sum(Kind::Float), &(&found + &truth).sum(Kind::Float));
    let positive = truth.gt(0.0).to_kind(Kind::Float);
    let count = positive.sum(Kind::Float);
    let each = (dice(&both, &(&found + &truth)) * &positive).sum(Kind::Float) / count.clamp_min(1.0);
    // Without any positive slice the second term is 0, not 1: there is nothing to overlap with.
    let any = count.clamp_max(1.0);
    bce + (1.0 - pooled) * 0.5 + (any - each) * 0.5
}

/// The weight of every pixel: 1, and more in a fracture that fills less than `share` of its slice.
/// `truth`: its pixels, slice by slice.
fn weights(target: &Tensor, truth: &Tensor, share: f64) -> Tensor {
    let pixels = (target.size()[2] * target.size()[3]) as f64;
    let extra = (truth.clamp_min(1.0).reciprocal() * (share * pixels) - 1.0).clamp_min(0.0);
    target * extra.view([-1, 1, 1, 1]) + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_is_near_zero_and_wrong_is_not() {
        let target = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 1.0]).view([1, 1, 2, 2]);
        let right = (&target * 2.0 - 1.0) * 20.0;
        let loss = |logits: &Tensor| bce_dice(logits, &target, 0.0).double_value(&[]);
        assert!(loss(&right) < 1e-3, "{}", loss(&right));
        assert!(loss(&-right) > 10.0);
        let empty = Tensor::zeros([1, 1, 2, 2], (Kind::Float, tch::Device::Cpu));
        let silent = bce_dice(&(Tensor::zeros_like(&empty) - 20.0), &empty, 0.1).double_value(&[]);
        assert!(silent < 1e-3, "an empty slice called empty costs nothing: {silent}");
    }

    #[test]
    fn a_missed_thin_slice_costs_as_much_as_a_missed_thick_one() {
        let map = |pixels: i64| {
            let mut row = vec![0.0_f32; 100];
            row[..pixels as usize].fill(1.0);
            Tensor::from_slice(&row).view([1, 1, 10, 10])
        };
        let target = Tensor::cat(&[map(60), map(2)], 0);
        let with = |found: [Tensor; 2]| bce_dice(&((Tensor::cat(&found, 0) * 2.0 - 1.0) * 9.0), &target, 0.0);
        let [thin, thick] = [[map(60), map(0)], [map(0), map(2)]].map(|found| with(found).double_value(&[]));
        // Of the two mean-slice terms each loses one half of ½, whatever the number of pixels.
        assert!(thin > 0.15 && thick > thin, "{thin} {thick}");
    }

    #[test]
    fn a_small_fracture_weighs_its_least_share() {
        // 2 of 100 pixels as 10, 60 of 100 as they are.
        let target = Tensor::zeros([2, 1, 10, 10], (Kind::Float, tch::Device::Cpu));
        let _ = target.get(0).narrow(1, 0, 1).narrow(2, 0, 2).fill_(1.0);
        let _ = target.get(1).narrow(1, 0, 6).fill_(1.0);
        let truth = target.sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Float);
        let of_fractures = weights(&target, &truth, 0.1) * &target;
        let sums = of_fractures.sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Float);
        assert!((sums - Tensor::from_slice(&[10.0_f32, 60.0])).abs().max().double_value(&[]) < 1e-4);
    }
}
