//! U-Net++ (Zhou 2018): U-Nets of every depth inside one another, with deep supervision.

use super::super::blocks::{Double, bilinear, head, slice_size};
use super::layers::halve;
use tch::nn::{self, Module, ModuleT};
use tch::{Tensor, nn::Path};

/// Halvings of the deepest U-Net.
const DEPTH: usize = 4;

/// Node (row, column) sees all nodes before it in its row, and the one below enlarged bilinearly.
#[derive(Debug)]
pub struct UNetPlusPlus {
    /// By row; row r holds `DEPTH + 1 − r` nodes.
    nodes: Vec<Vec<Double>>,
    heads: Vec<nn::Conv2D>,
}

impl UNetPlusPlus {
    /// `width` channels at full size, twice as many after each halving.
    pub fn new(p: &Path, width: i64) -> Self {
        let channels = |row: usize| width << row;
        let from = |row: usize, column: usize| match (row, column) {
            (0, 0) => 1,
            (_, 0) => channels(row - 1),
            _ => channels(row) * column as i64 + channels(row + 1),
        };
        let node = |row: usize, column: usize| {
            Double::new(&(p / "nodes" / row / column), from(row, column), channels(row), 1)
        };
        Self {
            nodes: (0..=DEPTH)
                .map(|row| (0..=DEPTH - row).map(|column| node(row, column)).collect())
                .collect(),
            heads: (0..DEPTH).map(|n| head(&(p / "heads" / n), width)).collect(),
        }
    }

    /// The full-size maps of the U-Nets of depth 1 to 4.
    fn maps(&self, slices: &Tensor, train: bool) -> Vec<Tensor> {
        let mut rows: Vec<Vec<Tensor>> = Vec::with_capacity(DEPTH + 1);
        for (row, nodes) in self.nodes.iter().enumerate() {
            let map = match row {
                0 => nodes[0].forward(slices, train),
                _ => nodes[0].forward(&halve(&rows[row - 1][0]), train),
            };
            rows.push(vec![map]);
        }
        for column in 1..=DEPTH {
            for row in 0..=DEPTH - column {
                let below = bilinear(&rows[row + 1][column - 1], slice_size(&rows[row][0]));
                let seen: Vec<&Tensor> = rows[row].iter().chain([&below]).collect();
                let map = self.nodes[row][column].forward(&Tensor::cat(&seen, 1), train);
                rows[row].push(map);
            }
        }
        rows.swap_remove(0).split_off(1)
    }
}

impl ModuleT for UNetPlusPlus {
    /// In training the mean of all heads, so that every depth learns; else the deepest one's answer.
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let maps = self.maps(slices, train);
        if !train {
            return self.heads[DEPTH - 1].forward(&maps[DEPTH - 1]);
        }
        let answers: Vec<Tensor> =
            self.heads.iter().zip(&maps).map(|(head, map)| head.forward(map)).collect();
        Tensor::stack(&answers, 0).mean_dim([0_i64].as_slice(), false, None::<tch::Kind>)
    }
}
