//! How well a model does on volumes whose truth is known: the very steps of a request, then counting.

pub mod metrics;

use crate::infer::Model;
use crate::itk::{self, ItkError};
use crate::monitor::Monitor;
use crate::pipeline::{self, Input, Options, PipelineError};
use crate::train::dataset::{self, DatasetError, Entry};
use metrics::Overlap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use thiserror::Error;

/// One volume's figures.
#[derive(Debug, Clone, Serialize)]
pub struct VolumeScore {
    /// Patient.
    pub id: String,
    /// Kinds of fracture in it, as the index says; empty for a healthy spine.
    pub kinds: String,
    /// Voxels of mask and truth.
    pub overlap: Overlap,
    /// Dice similarity coefficient; absent when neither holds a voxel.
    pub dsc: Option<f64>,
    /// Mask outside the truth, mm³.
    pub false_positive_mm3: f64,
    /// Regions the model reports.
    pub findings: usize,
}

/// All volumes' figures.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Model and the hash of its weights.
    pub model: String,
    /// SHA-256 of the weights file.
    pub weights_sha256: String,
    /// Probability threshold of the masks.
    pub threshold: f32,
    /// In the order of the index.
    pub volumes: Vec<VolumeScore>,
    /// All voxels of all volumes as if one.
    pub pooled: Overlap,
    /// Pooled Dice similarity coefficient.
    pub pooled_dsc: Option<f64>,
    /// Pooled intersection over union.
    pub pooled_iou: Option<f64>,
    /// Mean over the volumes that hold a fracture. Volumes without one have no Dice coefficient;
    /// their false positives are in `healthy_false_positive_mm3`.
    pub mean_dsc_fractured: Option<f64>,
    /// Pooled Dice coefficient over the volumes that hold exactly one kind of fracture.
    pub dsc_by_kind: BTreeMap<String, f64>,
    /// Volumes without fracture.
    pub healthy: usize,
    /// Volumes without fracture and without a finding.
    pub healthy_clean: usize,
    /// Mean false-positive volume over the volumes without fracture, mm³.
    pub healthy_false_positive_mm3: f64,
}

/// Why a model could not be evaluated.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// The set is unusable.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file could not be read.
    #[error(transparent)]
    Itk(#[from] ItkError),
    /// A volume could not be segmented.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// Segments every volume of `entries` as the server would and compares with the truth, voxel by voxel
/// on the CT's own grid.
pub fn run(
    model: &Model,
    entries: &[Entry],
    monitor: &Monitor,
    on: &mut dyn FnMut(usize, &VolumeScore),
) -> Result<Report, EvaluateError> {
    let mut volumes = Vec::with_capacity(entries.len());
    for (n, entry) in entries.iter().enumerate() {
        let score = score(model, entry, monitor)?;
        on(n + 1, &score);
        volumes.push(score);
    }
    Ok(report(model, volumes))
}

/// Entries of a whole set, or of the test part of the split that training made with `seed`.
pub fn entries(set: &Path, test_part_of: Option<u64>) -> Result<Vec<Entry>, DatasetError> {
    match test_part_of {
        Some(seed) => Ok(dataset::split(set, seed)?.test),
        None => dataset::index(set),
    }
}

fn score(model: &Model, entry: &Entry, monitor: &Monitor) -> Result<VolumeScore, EvaluateError> {
    let ct_hu = itk::read_volume(&entry.ct, dataset::MAXIMUM_VOXELS)?;
    let truth = itk::read_mask(&entry.mask, dataset::MAXIMUM_VOXELS)?;
    let made = pipeline::segment(model, Input::Voxels(ct_hu), &Options::default(), monitor)?;
    let overlap = Overlap::of(made.mask.voxels(), truth.voxels());
    Ok(VolumeScore {
        id: entry.id.clone(),
        kinds: entry.kinds.clone(),
        overlap,
        dsc: overlap.dsc(),
        false_positive_mm3: (overlap.found - overlap.both) as f64 * truth.grid().voxel_mm3(),
        findings: made.findings.len(),
    })
}

fn report(model: &Model, volumes: Vec<VolumeScore>) -> Report {
    let mut pooled = Overlap::default();
    let mut kinds: BTreeMap<String, Overlap> = BTreeMap::new();
    for volume in &volumes {
        pooled += volume.overlap;
        if volume.overlap.truth > 0 && !volume.kinds.contains(';') {
            *kinds.entry(volume.kinds.clone()).or_default() += volume.overlap;
        }
    }
    let fractured: Vec<f64> = volumes.iter().filter(|v| v.overlap.truth > 0).filter_map(|v| v.dsc).collect();
    let healthy: Vec<&VolumeScore> = volumes.iter().filter(|v| v.overlap.truth == 0).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let false_positives: Vec<f64> = healthy.iter().map(|v| v.false_positive_mm3).collect();
    Report {
        model: model.config().name.clone(),
        weights_sha256: model.weights_sha256().to_owned(),
        threshold: model.config().threshold as f32,
        pooled,
        pooled_dsc: pooled.dsc(),
        pooled_iou: pooled.iou(),
        mean_dsc_fractured: (!fractured.is_empty()).then(|| mean(&fractured)),
        dsc_by_kind: kinds.into_iter().filter_map(|(kind, o)| o.dsc().map(|d| (kind, d))).collect(),
        healthy: healthy.len(),
        healthy_clean: healthy.iter().filter(|v| v.findings == 0).count(),
        healthy_false_positive_mm3: if healthy.is_empty() { 0.0 } else { mean(&false_positives) },
        volumes,
    }
}
