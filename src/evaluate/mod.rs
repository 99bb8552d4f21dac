//! How well a model does on volumes whose truth is known: the very steps of a request, then counting.
//!
//! `docs/evaluation.md` defines every figure; the files here are one definition each.

pub mod bootstrap;
pub mod calibration;
pub mod case;
mod html;
pub mod lesions;
mod nearest;
pub mod output;
mod overlap;
pub mod rows;
pub mod score;
pub mod slices;
pub mod spine;
pub mod summary;
pub mod surface;
pub mod tables;

pub use case::Case;
pub use overlap::Overlap;
pub use score::VolumeScore;
pub use summary::Report;

use crate::infer::Model;
use crate::itk::ItkError;
use crate::monitor::Monitor;
use crate::overlay::{Overlay, OverlayError};
use crate::pipeline::PipelineError;
use crate::train::Problem;
use crate::train::dataset::DatasetError;
use std::path::PathBuf;
use thiserror::Error;

/// Choices of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluateOptions {
    /// Share of a lesion that the mask must cover for it to count as found; 0: one voxel.
    pub lesion_overlap: f64,
    /// Probability from which a voxel is fracture; the model's own when absent.
    pub threshold: Option<f32>,
    /// Smallest finding; the model's own when absent.
    pub minimum_component_mm3: Option<f64>,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { lesion_overlap: 0.1, threshold: None, minimum_component_mm3: None }
    }
}

/// Why a model could not be evaluated.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// The set is unusable.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// There is nothing to evaluate on.
    #[error("the set has no volume to evaluate on; is the split's test part empty?")]
    Nothing,
    /// A split could not be read, or is of another set.
    #[error("{path}: {reason}")]
    Split {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Itk(#[from] ItkError),
    /// CT or mask cannot be used.
    #[error("{id}: {problem}")]
    Pair {
        /// Name of the pair.
        id: String,
        /// Why not.
        problem: Problem,
    },
    /// The truth beside a CT is no truth.
    #[error("{path}: {reason}")]
    Truth {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A volume could not be segmented.
    #[error("{id}: {source}")]
    Pipeline {
        /// Patient.
        id: String,
        /// Why not.
        source: PipelineError,
    },
    /// A picture could not be made.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// A result could not be written.
    #[error("{path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The report could not be laid out.
    #[error("report.html: {0}")]
    Html(#[from] minijinja::Error),
}

/// Segments every case as the server would and compares with the truth, voxel by voxel on the CT's own
/// grid. `on` gets the number done, a volume's figures and its pictures.
pub fn run(
    model: &Model,
    cases: &[Case],
    options: &EvaluateOptions,
    monitor: &Monitor,
    on: &mut dyn FnMut(usize, &VolumeScore, Vec<Overlay>),
) -> Result<Report, EvaluateError> {
    if cases.is_empty() {
        return Err(EvaluateError::Nothing);
    }
    let mut volumes = Vec::with_capacity(cases.len());
    for (n, case) in cases.iter().enumerate() {
        let (score, pictures) = score::score(model, case, options, monitor)?;
        on(n + 1, &score, pictures);
        volumes.push(score);
    }
    Ok(summary::summarise(model, options, volumes))
}
