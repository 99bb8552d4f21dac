//! A trained network at work: a normalised volume in, a probability per voxel out.
//!
//! [`ModelConfig`] says how a model wants its input, [`Model`] holds its weights on a device, and
//! [`Model::probabilities`] runs it slice by slice, tile by tile, within bounded memory.

mod across;
mod config;
mod device;
mod fusion;
mod lanes;
mod model;
mod pass;
mod run;
mod tiles;

pub use crate::network::{Architecture, WeightsError, save_weights};
pub use config::{ConfigError, ModelConfig, Precision};
pub use device::{DeviceChoice, DeviceError, Place};
pub use fusion::{FusionConfig, FusionError};
pub use model::{CONFIG_FILE, InferError, Model, ModelError, WEIGHTS_FILE};
pub use run::InferOptions;
