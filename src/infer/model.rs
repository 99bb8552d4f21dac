//! A network with its weights on a device.

use super::config::{ConfigError, ModelConfig, Precision};
use super::device::{DeviceChoice, DeviceError};
use super::fusion::{FusionConfig, FusionError};
use super::lanes::Lanes;
use super::pass::{Pass, guard_torch};
use crate::monitor::Cancelled;
use crate::network::{
    NetworkError, WeightsError, load_weights, parameter_count, prefer_channels_last, share_weights,
    to_bfloat16,
};
use sha2::{Digest, Sha256};
use std::path::Path;
use tch::{Device, nn};
use thiserror::Error;

/// The configuration's file name in a model's folder.
pub const CONFIG_FILE: &str = "config.json";
/// The weights' file name in a model's folder.
pub const WEIGHTS_FILE: &str = "weights.safetensors";

/// Why a model cannot be loaded.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file of the model cannot be read.
    #[error("{path}: {reason}")]
    Io {
        /// Which file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights are refused.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The models that the configuration names cannot be fused.
    #[error(transparent)]
    Fusion(#[from] FusionError),
    /// libtorch failed while the network was built.
    #[error("the network cannot be set up: {0}")]
    SetUp(#[source] InferError),
}

/// Why a volume has no probabilities.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InferError {
    /// The job was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The gate is on another grid.
    #[error("the gate has {gate:?} voxels, the volume {volume:?}")]
    GateSize {
        /// The gate's size.
        gate: [usize; 3],
        /// The volume's size.
        volume: [usize; 3],
    },
    /// The volume was not resampled for this model.
    #[error("the volume has spacing {found:?} mm, the model works at {expected:?} mm")]
    Spacing {
        /// The model's.
        expected: [f64; 3],
        /// The volume's.
        found: [f64; 3],
    },
    /// The network refuses the input's shape.
    #[error(transparent)]
    Input(#[from] NetworkError),
    /// The network answered NaN: its input or weights are unsound.
    #[error("the network answered a value that is no probability in {plane} slice {slice}")]
    NotFinite {
        /// The slicing plane.
        plane: String,
        /// Which slice.
        slice: usize,
    },
    /// The processor's memory does not hold a batch.
    #[error("not enough memory for {batch} tiles of {rows}×{columns}: {reason}")]
    OutOfMemory {
        /// Tiles in the pass.
        batch: usize,
        /// Rows of a tile.
        rows: usize,
        /// Columns of a tile.
        columns: usize,
        /// libtorch's message.
        reason: String,
    },
    /// libtorch failed in another way.
    #[error("libtorch: {reason}")]
    Torch {
        /// Its message.
        reason: String,
    },
}

/// A network that is ready to run. One thread at a time owns it.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    device: Device,
    precision: Precision,
    pub(super) lanes: Lanes,
    parameters: usize,
    weights_sha256: String,
    /// Models whose probabilities are averaged with this one's; none but in a fusion.
    others: Vec<Model>,
}

impl Model {
    /// Reads `config.json` and `weights.safetensors` from a model's folder, or `config.json` and the
    /// models that it fuses.
    pub fn load(folder: &Path, choice: &DeviceChoice) -> Result<Self, ModelError> {
        match FusionConfig::from_json(&read_config(folder)?)? {
            Some(fusion) => fusion.load(folder, choice),
            None => Self::load_weights_of(folder, choice),
        }
    }

    /// As [`Model::load`], but `None` for a fusion.
    pub(super) fn load_single(folder: &Path, choice: &DeviceChoice) -> Result<Option<Self>, ModelError> {
        match FusionConfig::from_json(&read_config(folder)?)? {
            Some(_) => Ok(None),
            None => Self::load_weights_of(folder, choice).map(Some),
        }
    }

    fn load_weights_of(folder: &Path, choice: &DeviceChoice) -> Result<Self, ModelError> {
        let config = ModelConfig::from_json(&read_config(folder)?)?;
        let path = folder.join(WEIGHTS_FILE);
        let weights = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
        Self::from_parts(config, &weights, choice)
    }

    /// One model of several, which were checked to fit together.
    pub(super) fn fused(self, others: Vec<Self>, config: ModelConfig, weights_sha256: String) -> Self {
        let parameters = self.parameters + others.iter().map(|member| member.parameters).sum::<usize>();
        Self { config, parameters, weights_sha256, others, ..self }
    }

    /// The models whose probabilities are averaged: this one alone but in a fusion.
    pub fn members(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// The model that is part of the program: msff-lite.
    pub fn embedded(choice: &DeviceChoice) -> Result<Self, ModelError> {
        let config = ModelConfig::from_json(include_str!("../../models/msff-lite/config.json"))?;
        Self::from_parts(config, include_bytes!("../../models/msff-lite/weights.safetensors"), choice)
    }

    /// Builds the network, fills it from a safetensors file's bytes and puts it on the device.
    pub fn from_parts(
        config: ModelConfig,
        weights: &[u8],
        choice: &DeviceChoice,
    ) -> Result<Self, ModelError> {
        config.check()?;
        let device = choice.device()?;
        let precision = choice.precision(config.precision, device);
        choice.set_threads();
        let build = || {
            let built = guard_torch(|| {
                let store = nn::VarStore::new(Device::Cpu);
                let network = config.architecture.build(&store.root()).map_err(ConfigError::Architecture)?;
                Ok::<_, ModelError>((store, network))
            });
            built.map_err(ModelError::SetUp)?
        };
        let (mut store, network) = build()?;
        load_weights(&store, weights)?;
        guard_torch(|| place(&mut store, device, precision)).map_err(ModelError::SetUp)?;
        let parameters = parameter_count(&store);
        let weights_sha256 = hex::encode(Sha256::digest(weights));
        let twin = || {
            let (twin, network) = build()?;
            guard_torch(|| share_weights(&store, &twin)).map_err(ModelError::SetUp)?;
            Ok::<_, ModelError>(network)
        };
        let side_by_side = device == Device::Cpu && config.batch == 1;
        let lanes = Lanes::new(network, twin, choice.thread_count(), side_by_side)?;
        let others = Vec::new();
        Ok(Self { config, device, precision, lanes, parameters, weights_sha256, others })
    }

    /// What the model expects and how it is used. A fusion's network, plane, tiles and batch are its
    /// first member's; everything else holds for all of it.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where it runs: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        match self.device {
            Device::Cuda(number) => format!("cuda:{number}"),
            _ => "cpu".to_owned(),
        }
    }

    /// The number format in use.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// A forward pass of the model's own batch.
    pub(super) fn pass(&self) -> Pass {
        Pass::new(&self.config, self.device, self.precision)
    }

    /// Number of trainable values.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// SHA-256 of the weights file, in lower-case hexadecimal; of a fusion, SHA-256 over its members'
    /// hashes, each as 64 such digits, in order.
    pub fn weights_sha256(&self) -> &str {
        &self.weights_sha256
    }
}

/// Strides, number format and device.
fn place(store: &mut nn::VarStore, device: Device, precision: Precision) {
    let _guard = tch::no_grad_guard();
    if precision == Precision::Bf16 {
        to_bfloat16(store);
    }
    prefer_channels_last(store);
    store.set_device(device);
}

fn read_config(folder: &Path) -> Result<String, ModelError> {
    let path = folder.join(CONFIG_FILE);
    std::fs::read_to_string(&path).map_err(|e| unreadable(&path, &e))
}

fn unreadable(path: &Path, error: &std::io::Error) -> ModelError {
    ModelError::Io { path: path.display().to_string(), reason: error.to_string() }
}
