//! Why a run fails.

use super::curves::CurvesError;
use super::dataset::DatasetError;
use crate::infer::ConfigError;
use crate::network::{NetworkError, WeightsError};
use std::path::PathBuf;
use thiserror::Error;

/// Why training failed.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The set is unusable.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No training or validation slice shows a fracture.
    #[error(
        "the {part} patients have {positive} slices with a fracture and {negative} without; both are needed"
    )]
    NothingToLearn {
        /// "training" or "validation".
        part: &'static str,
        /// Slices with a fracture.
        positive: usize,
        /// Slices with bone only.
        negative: usize,
    },
    /// There is a run already.
    #[error(
        "{output} holds a run that is at epoch {epoch}, step {step}: go on with --resume, or lose it with --overwrite"
    )]
    UnfinishedRun {
        /// The folder.
        output: PathBuf,
        /// Where the run stands.
        epoch: usize,
        /// Steps of that epoch.
        step: usize,
    },
    /// There is a model already.
    #[error("{output} holds a trained model: choose another folder, or lose it with --overwrite")]
    TrainedModel {
        /// The folder.
        output: PathBuf,
    },
    /// The run to go on with is another one.
    #[error(
        "{output} holds a run with other options; give the same ones, or begin anew with --overwrite:\n  {}",
        differences.join("\n  ")
    )]
    OtherRun {
        /// The folder.
        output: PathBuf,
        /// `batch was 16, now 8`.
        differences: Vec<String>,
    },
    /// The checkpoint is no checkpoint.
    #[error("{path}: {reason}; begin anew with --overwrite")]
    DamagedCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The loss is no number any more.
    #[error("epoch {epoch}, step {step}: the loss is no finite number; try a lower --learning-rate")]
    Diverged {
        /// From 1.
        epoch: usize,
        /// From 1.
        step: usize,
    },
    /// The run's state or the split could not be written as JSON.
    #[error("JSON: {0}")]
    Json(serde_json::Error),
    /// The model's configuration cannot be written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration makes no network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// libtorch failed.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
    /// A file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An output file could not be written.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log could not be written.
    #[error("log.csv: {0}")]
    Log(#[from] csv::Error),
    /// The curves could not be drawn.
    #[error(transparent)]
    Curves(#[from] CurvesError),
}
