//! One volume's figures.

use super::calibration::Reliability;
use super::case::{Case, Loaded};
use super::lesions::{self, Kinds, Lesions};
use super::overlap::Overlap;
use super::slices::{self, SliceScore};
use super::spine::{self, SpineScore};
use super::surface::{self, SurfaceDistance};
use super::{EvaluateError, EvaluateOptions};
use crate::infer::Model;
use crate::monitor::Monitor;
use crate::overlay::{self, Overlay};
use crate::pipeline::{self, Input, Options};
use crate::plane::Plane;
use crate::postprocess;
use serde::Serialize;
use std::time::Instant;

/// One volume's figures, on the CT's own grid.
#[derive(Debug, Clone, Serialize)]
pub struct VolumeScore {
    /// Name of the pair.
    pub id: String,
    /// Whom it shows.
    pub patient: String,
    /// Kinds of fracture in it, as the set says; empty for a healthy spine.
    pub kinds: String,
    /// Voxels of mask and truth.
    pub overlap: Overlap,
    /// Volume of one voxel.
    pub voxel_mm3: f64,
    /// Dice similarity coefficient; absent when neither holds a voxel.
    pub dsc: Option<f64>,
    /// Intersection over union; absent when neither holds a voxel.
    pub iou: Option<f64>,
    /// DSC averaged over fracture and background.
    pub dsc_2class: Option<f64>,
    /// IoU averaged over fracture and background.
    pub iou_2class: Option<f64>,
    /// Distances of the surfaces; absent when either mask is empty.
    pub surface: Option<SurfaceDistance>,
    /// Mask outside the truth, mm³.
    pub false_positive_mm3: f64,
    /// Fractures one by one, and the mask's regions.
    pub lesions: Lesions,
    /// False positives by vertebra, where a labelmap is there.
    pub spine: Option<SpineScore>,
    /// Calibration over the voxels that the gate keeps.
    #[serde(skip)]
    pub reliability: Reliability,
    /// Every slice; in `slices.csv`.
    #[serde(skip)]
    pub slices: Vec<SliceScore>,
    /// Wall time of the segmentation.
    pub seconds: f64,
}

impl VolumeScore {
    /// Whether the truth holds a fracture.
    pub fn is_fractured(&self) -> bool {
        self.overlap.truth > 0
    }
}

/// Planes that slices are scored in: those that the model reads, and axial as most of the paper's
/// figures.
pub fn planes(model: &Model) -> Vec<Plane> {
    let mut planes = Vec::new();
    for plane in model.members().map(|member| member.config().plane).chain([Plane::Axial]) {
        if !planes.contains(&plane) {
            planes.push(plane);
        }
    }
    planes
}

/// Segments one case as the server would and compares, voxel by voxel. The pictures show the truth in
/// green and the mask in red.
pub fn score(
    model: &Model,
    case: &Case,
    options: &EvaluateOptions,
    monitor: &Monitor,
) -> Result<(VolumeScore, Vec<Overlay>), EvaluateError> {
    let Loaded { ct_hu, truth, vertebrae, places } = case.load(monitor)?;
    let asked = Options {
        threshold: options.threshold,
        minimum_component_mm3: options.minimum_component_mm3,
        ..Options::default()
    };
    let started = Instant::now();
    let made = pipeline::segment(model, Input::Voxels(ct_hu.clone()), &asked, monitor)
        .map_err(|source| EvaluateError::Pipeline { id: case.id.clone(), source })?;
    let seconds = started.elapsed().as_secs_f64();
    let reliability = match &made.probabilities {
        Some(probabilities) => {
            let fine = postprocess::to_source(probabilities, truth.grid(), monitor)?;
            Reliability::of(fine.voxels(), truth.voxels())
        }
        None => Reliability::default(),
    };
    let overlap = Overlap::of(made.mask.voxels(), truth.voxels());
    let kinds = Kinds { listed: &case.kinds, truth: places.as_ref() };
    let score = VolumeScore {
        id: case.id.clone(),
        patient: case.patient.clone(),
        kinds: case.kinds.clone(),
        overlap,
        voxel_mm3: truth.grid().voxel_mm3(),
        dsc: overlap.dsc(),
        iou: overlap.iou(),
        dsc_2class: overlap.dsc_2class(),
        iou_2class: overlap.iou_2class(),
        surface: surface::distance(&made.mask, &truth),
        false_positive_mm3: (overlap.found - overlap.both) as f64 * truth.grid().voxel_mm3(),
        lesions: lesions::count(&made.mask, &truth, kinds, options.lesion_overlap)?,
        spine: vertebrae.map(|labels| spine::score(&made.mask, &truth, &labels)),
        reliability,
        slices: slices::score(&made.mask, &truth, &planes(model))?,
        seconds,
    };
    let pictures = overlay::comparison(&ct_hu, &truth, &made.mask)?;
    Ok((score, pictures))
}
