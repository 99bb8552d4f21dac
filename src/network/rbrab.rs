//! Residual border refinement: two convolutions, then self-attention over the whole slice.

use super::blocks::{ConvBn, Double, Kernel, attend, conv};
use tch::Tensor;
use tch::nn::{self, Module};

/// CBR1([x, SelfAtt(CBR3(CBR3(x)))]).
#[derive(Debug)]
pub struct Rbrab {
    refine: Double,
    attention: SelfAttention,
    fuse: ConvBn,
}

impl Rbrab {
    pub fn new(p: &nn::Path, width: i64, pool: i64) -> Self {
        Self {
            refine: Double::new(&(p / "refine"), width, width, 1),
            attention: SelfAttention::new(&(p / "attention"), width, pool),
            fuse: ConvBn::new(&(p / "fuse"), 2 * width, width, Kernel::ONE),
        }
    }

    /// B×w×H×W → the same.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let refined = self.attention.forward(&self.refine.forward(xs, train));
        self.fuse.relu(&Tensor::cat(&[xs, &refined], 1), train)
    }
}

/// t + γ·O(attention(q, k, v)) with a query per pixel (borders stay sharp) and max-pooled keys and
/// values (SAGAN's way to afford it). γ starts at 0.
#[derive(Debug)]
struct SelfAttention {
    query: nn::Conv2D,
    key: nn::Conv2D,
    value: nn::Conv2D,
    out: nn::Conv2D,
    gamma: Tensor,
    pool: i64,
}

impl SelfAttention {
    fn new(p: &nn::Path, width: i64, pool: i64) -> Self {
        let head = head_size(width);
        Self {
            query: conv(&(p / "query"), width, head, Kernel::ONE),
            key: conv(&(p / "key"), width, head, Kernel::ONE),
            value: conv(&(p / "value"), width, head, Kernel::ONE),
            out: conv(&(p / "out"), head, width, Kernel::ONE),
            gamma: p.zeros("gamma", &[1]),
            pool,
        }
    }

    fn forward(&self, ts: &Tensor) -> Tensor {
        let pooled =
            |layer: &nn::Conv2D| tokens(&layer.forward(ts).max_pool2d(self.pool, self.pool, 0, 1, false));
        let attended = attend(&tokens(&self.query.forward(ts)), &pooled(&self.key), &pooled(&self.value));
        ts + self.out.forward(&image(&attended, &ts.size())) * &self.gamma
    }
}

/// Channels of queries, keys and values. They are equal: the fused attention kernel asks for it.
pub fn head_size(width: i64) -> i64 {
    (width / 4).max(8)
}

/// B×d×H×W → B×1×HW×d; a view when the map is channels-last.
fn tokens(map: &Tensor) -> Tensor {
    map.flatten(2, 3).transpose(1, 2).unsqueeze(1).contiguous()
}

/// B×1×HW×d → B×d×H×W, as a channels-last view.
fn image(tokens: &Tensor, size: &[i64]) -> Tensor {
    tokens.reshape([size[0], size[2], size[3], -1]).permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn naive(query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
        let scale = (*query.size().last().unwrap() as f64).sqrt();
        (query.matmul(&key.transpose(-2, -1)) / scale).softmax(-1, Kind::Float).matmul(value)
    }

    #[test]
    fn attention_is_the_softmax_of_the_scores() {
        let store = nn::VarStore::new(Device::Cpu);
        let attention = SelfAttention::new(&store.root(), 64, 8);
        let ts = Tensor::randn([2, 64, 32, 32], FLOAT);
        let pooled = |layer: &nn::Conv2D| tokens(&layer.forward(&ts).max_pool2d(8, 8, 0, 1, false));
        let (query, key) = (tokens(&attention.query.forward(&ts)), pooled(&attention.key));
        let value = pooled(&attention.value);
        assert_eq!((query.size(), key.size()), (vec![2, 1, 1024, 16], vec![2, 1, 16, 16]));
        let difference = attend(&query, &key, &value) - naive(&query, &key, &value);
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn no_effect_while_gamma_is_zero_and_one_after() {
        let store = nn::VarStore::new(Device::Cpu);
        let mut attention = SelfAttention::new(&store.root(), 16, 4);
        let ts = Tensor::randn([1, 16, 32, 32], FLOAT);
        assert!(attention.forward(&ts).equal(&ts));
        attention.gamma = Tensor::ones([1], FLOAT);
        assert!(!attention.forward(&ts).allclose(&ts, 0.0, 1e-3, false));
    }

    #[test]
    fn image_undoes_tokens() {
        let map = Tensor::randn([2, 8, 6, 4], FLOAT);
        assert!(image(&tokens(&map), &map.size()).equal(&map));
    }
}
