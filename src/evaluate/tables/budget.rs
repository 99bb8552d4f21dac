//! How much work a table may cost.

use crate::infer::ModelConfig;
use crate::network::{Architecture, MsffConfig};
use serde::{Deserialize, Serialize};

/// Everything that decides what a variant learns from and for how long. All variants share it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Synthetic spines; 70 % train, 10 % steer, 20 % are measured.
    pub phantoms: u64,
    /// Share of them with a fracture.
    pub prevalence: f64,
    /// Their voxels, and the network's.
    pub spacing_mm: f64,
    /// Rows and columns of a tile.
    pub tile_vox: usize,
    /// Every published base width is divided by this.
    pub narrower: i64,
    /// Most epochs.
    pub epochs: usize,
    /// Slices per step.
    pub batch: usize,
    /// Most slices per epoch.
    pub slices_per_epoch: Option<usize>,
    /// Trainings of each variant, from different splits, orders and first weights.
    pub seeds: u64,
}

/// Seed of the spines. Not that of any other set of this project.
pub const SET_SEED: u64 = 77_003;

impl Budget {
    /// Seconds for each variant; shows that everything runs, and nothing about the networks.
    pub const SMOKE: Self = Self {
        phantoms: 10,
        prevalence: 1.0,
        spacing_mm: 5.0,
        tile_vox: 32,
        narrower: 8,
        epochs: 1,
        batch: 8,
        slices_per_epoch: Some(16),
        seeds: 1,
    };
    /// For two cores of a CPU: about an hour for a table.
    pub const SMALL: Self = Self {
        phantoms: 60,
        prevalence: 1.0,
        spacing_mm: 3.0,
        tile_vox: 64,
        narrower: 8,
        epochs: 40,
        batch: 8,
        slices_per_epoch: Some(320),
        seeds: 3,
    };
    /// The paper's sizes and recipe, for a GPU.
    pub const FULL: Self = Self {
        phantoms: 150,
        prevalence: 0.65,
        spacing_mm: 0.8,
        tile_vox: 256,
        narrower: 1,
        epochs: 150,
        batch: 16,
        slices_per_epoch: None,
        seeds: 3,
    };

    /// A network with its base width divided.
    pub fn narrowed(&self, published: Architecture) -> Architecture {
        let width = published.width() / self.narrower;
        match published {
            Architecture::Msff(config) => Architecture::Msff(MsffConfig { width, ..config }),
            other => Architecture::named(other.kind(), Some(width)).unwrap_or(other),
        }
    }

    /// A variant's configuration: no region is dropped, as the paper names no such step.
    pub fn model(&self, name: &str, architecture: Architecture) -> ModelConfig {
        ModelConfig {
            version: "0".into(),
            description: "A row of a comparison, trained on synthetic spines".into(),
            spacing_mm: [self.spacing_mm; 3],
            tile_vox: [self.tile_vox; 2],
            batch: self.batch,
            minimum_component_mm3: 0.0,
            ..ModelConfig::untrained(name, architecture)
        }
    }
}
