//! Local position attention: attention inside small windows, told where on the slice they are.

use super::blocks::{Kernel, Residual, attend, conv, point, slice_size};
use super::rbrab::head_size;
use tch::nn::{self, Module};
use tch::{Kind, Tensor};

/// Pixels along a window's side.
const WINDOW: i64 = 8;

/// Res(x + γ·O(attention inside 8×8 windows)). Queries and keys also see the pixel's position.
#[derive(Debug)]
pub struct Lprab {
    attention: WindowAttention,
    residual: Residual,
}

impl Lprab {
    pub fn new(p: &nn::Path, width: i64) -> Self {
        Self {
            attention: WindowAttention::new(&(p / "attention"), width),
            residual: Residual::new(&(p / "residual"), width, width),
        }
    }

    /// B×w×H×W → the same; H and W multiples of 8.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.residual.forward(&self.attention.forward(xs), train)
    }
}

#[derive(Debug)]
struct WindowAttention {
    query: nn::Conv2D,
    key: nn::Conv2D,
    value: nn::Conv2D,
    out: nn::Conv2D,
    gamma: Tensor,
}

impl WindowAttention {
    fn new(p: &nn::Path, width: i64) -> Self {
        let head = head_size(width);
        Self {
            query: conv(&(p / "query"), width + 2, head, Kernel::ONE),
            key: conv(&(p / "key"), width + 2, head, Kernel::ONE),
            value: conv(&(p / "value"), width, head, Kernel::ONE),
            out: conv(&(p / "out"), head, width, Kernel::ONE),
            gamma: p.zeros("gamma", &[1]),
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        let position = position(xs);
        let [query, key] = [&self.query, &self.key].map(|layer| with_position(layer, xs, &position));
        let value = windows(&self.value.forward(xs));
        let attended = attend(&windows(&query), &windows(&key), &value);
        xs + self.out.forward(&image(&attended, &xs.size())) * &self.gamma
    }
}

/// W·[x, position], without joining them: the position's share is the same for the whole batch.
fn with_position(layer: &nn::Conv2D, xs: &Tensor, position: &Tensor) -> Tensor {
    let channels = xs.size()[1];
    let [of_xs, of_position] = [layer.ws.narrow(1, 0, channels), layer.ws.narrow(1, channels, 2)];
    point(xs, &of_xs).g_add_(&point(position, &of_position))
}

/// 1×2×H×W: the row's then the column's coordinate, −1 at the first pixel and 1 at the last.
fn position(xs: &Tensor) -> Tensor {
    let [rows, columns] = slice_size(xs);
    let line = |count: i64| Tensor::linspace(-1.0, 1.0, count, (Kind::Float, xs.device()));
    let maps = [
        line(rows).view([1, 1, rows, 1]).expand([1, 1, rows, columns], false),
        line(columns).view([1, 1, 1, columns]).expand([1, 1, rows, columns], false),
    ];
    Tensor::cat(&maps, 1).to_kind(xs.kind())
}

/// B×d×H×W → (B·windows)×1×64×d.
fn windows(map: &Tensor) -> Tensor {
    let size = map.size();
    map.permute([0, 2, 3, 1])
        .reshape([size[0], size[2] / WINDOW, WINDOW, size[3] / WINDOW, WINDOW, size[1]])
        .transpose(2, 3)
        .reshape([-1, 1, WINDOW * WINDOW, size[1]])
}

/// (B·windows)×1×64×d → B×d×H×W.
fn image(windows: &Tensor, size: &[i64]) -> Tensor {
    windows
        .reshape([size[0], size[2] / WINDOW, size[3] / WINDOW, WINDOW, WINDOW, -1])
        .transpose(2, 3)
        .reshape([size[0], size[2], size[3], -1])
        .permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn a_window_is_eight_by_eight_neighbours() {
        let map = Tensor::arange(2 * 3 * 16 * 24, FLOAT).view([2, 3, 16, 24]);
        let cut = windows(&map);
        assert_eq!(cut.size(), [2 * 2 * 3, 1, 64, 3]);
        // Second slice, second row of windows, third column: its pixel (row 1, column 2).
        let found = cut.double_value(&[6 + 3 + 2, 0, 8 + 2, 1]);
        assert_eq!(found, map.double_value(&[1, 1, 8 + 1, 16 + 2]));
        assert!(image(&cut, &map.size()).equal(&map));
    }

    #[test]
    fn position_counts_as_two_more_channels() {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = conv(&store.root(), 16 + 2, 8, Kernel::ONE);
        let xs = Tensor::randn([2, 16, 16, 24], FLOAT);
        let position = position(&xs);
        assert_eq!(position.double_value(&[0, 0, 15, 3]), 1.0);
        assert_eq!(position.double_value(&[0, 1, 3, 0]), -1.0);
        let joined = Tensor::cat(&[&xs, &position.expand([2, 2, 16, 24], false)], 1);
        let difference = layer.forward(&joined) - with_position(&layer, &xs, &position);
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn no_effect_while_gamma_is_zero_and_one_after() {
        let store = nn::VarStore::new(Device::Cpu);
        let mut attention = WindowAttention::new(&store.root(), 16);
        let xs = Tensor::randn([1, 16, 32, 32], FLOAT);
        assert!(attention.forward(&xs).equal(&xs));
        attention.gamma = Tensor::ones([1], FLOAT);
        assert!(!attention.forward(&xs).allclose(&xs, 0.0, 1e-3, false));
    }
}
