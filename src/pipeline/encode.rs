//! A mask and its findings → the files that were asked for.

use super::PipelineError;
use crate::dicom::{self, Algorithm, SegError, SourceSeries};
use crate::infer::Model;
use crate::itk::{self, FileFormat};
use crate::monitor::{Monitor, Stage};
use crate::overlay;
use crate::postprocess::{self, Finding};
use crate::volume::Volume;
use serde_json::json;
use std::collections::BTreeSet;

/// Something a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// The mask's bytes, 0 or 1, i fastest, on the source grid.
    Labelmap,
    /// Probabilities as little-endian 32-bit floats, i fastest, on the source grid.
    Probabilities,
    /// `mask.nii.gz`.
    Nifti,
    /// `mask.nrrd`.
    Nrrd,
    /// `mask.seg.dcm`.
    DicomSeg,
    /// `finding-N-axial.png` and so on.
    Overlays,
    /// `findings.json`.
    FindingsJson,
}

impl Output {
    /// Media type of [`Output::DicomSeg`].
    pub const DICOM: &str = "application/dicom";
}

/// An encoded output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// File name, without a folder.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// The whole of it.
    pub bytes: Vec<u8>,
}

impl Artifact {
    fn new(name: impl Into<String>, media_type: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), media_type: media_type.into(), bytes }
    }
}

/// What there is to encode.
pub(super) struct Made<'a> {
    pub model: &'a Model,
    pub ct_hu: &'a Volume<i16>,
    pub mask: &'a Volume<u8>,
    pub findings: &'a [Finding],
    pub series: Option<&'a SourceSeries>,
}

/// Encodes every wanted output. One that cannot be made (a SEG without a DICOM source) becomes a note:
/// a finished mask is never lost to it.
pub(super) fn artifacts(
    made: &Made,
    probabilities: Option<&Volume<f32>>,
    wanted: &BTreeSet<Output>,
    notes: &mut Vec<String>,
    monitor: &Monitor,
) -> Result<Vec<Artifact>, PipelineError> {
    let mut all = Vec::new();
    for (n, output) in wanted.iter().enumerate() {
        monitor.step(Stage::Encode, n, wanted.len())?;
        match output {
            Output::Labelmap => {
                all.push(Artifact::new("mask.raw", "application/octet-stream", made.mask.voxels().to_vec()));
            }
            Output::Probabilities => all.push(probability_file(made, probabilities, monitor)?),
            Output::Nifti => all.push(volume_file(made.mask, FileFormat::NiftiGz, "application/gzip")?),
            Output::Nrrd => all.push(volume_file(made.mask, FileFormat::Nrrd, "application/x-nrrd")?),
            Output::DicomSeg => match segmentation(made) {
                Ok(artifact) => all.push(artifact),
                Err(reason) => notes.push(format!("no DICOM SEG: {reason}")),
            },
            Output::Overlays => {
                let pictures = overlay::overlays(made.ct_hu, made.mask, made.findings)?;
                all.extend(pictures.into_iter().map(|p| Artifact::new(p.name, "image/png", p.png)));
            }
            Output::FindingsJson => all.push(findings_file(made, notes)),
        }
    }
    monitor.step(Stage::Encode, wanted.len(), wanted.len())?;
    Ok(all)
}

fn probability_file(
    made: &Made,
    probabilities: Option<&Volume<f32>>,
    monitor: &Monitor,
) -> Result<Artifact, PipelineError> {
    let bytes = match probabilities {
        Some(p) => {
            let on_source = postprocess::to_source(p, made.mask.grid(), monitor)?;
            on_source.voxels().iter().flat_map(|v| v.to_le_bytes()).collect()
        }
        None => vec![0; made.mask.grid().len() * 4],
    };
    Ok(Artifact::new("probabilities.raw", "application/octet-stream", bytes))
}

fn volume_file(mask: &Volume<u8>, format: FileFormat, media_type: &str) -> Result<Artifact, PipelineError> {
    let bytes = itk::write_volume_bytes(mask, format)?;
    Ok(Artifact::new(format!("mask{}", format.extension()), media_type, bytes))
}

fn segmentation(made: &Made) -> Result<Artifact, SegError> {
    let source = made.series.ok_or(SegError::NoSource)?;
    let config = made.model.config();
    let algorithm = Algorithm {
        name: config.name.clone(),
        version: config.version.clone(),
        weights_sha256: made.model.weights_sha256().to_owned(),
    };
    let bytes = dicom::write_segmentation(made.mask, source, &algorithm)?;
    Ok(Artifact::new("mask.seg.dcm", Output::DICOM, bytes))
}

fn findings_file(made: &Made, notes: &[String]) -> Artifact {
    let grid = made.mask.grid();
    let findings: Vec<_> = made
        .findings
        .iter()
        .map(|f| {
            json!({
                "id": f.id, "segment": f.segment, "volume_mm3": f.volume_mm3,
                "centroid_lps_mm": f.centroid_lps, "box_lps_mm": f.box_lps, "box_vox": f.box_vox,
                "mean_probability": f.mean_probability, "max_probability": f.max_probability,
                "slice": f.slice,
            })
        })
        .collect();
    let all = json!({
        "model": made.model.config().name,
        "model_version": made.model.config().version,
        "weights_sha256": made.model.weights_sha256(),
        "intended_use": "research only; not for diagnosis",
        "grid": {
            "size": grid.size(), "spacing_mm": grid.spacing_mm(),
            "origin_lps": grid.origin_lps(), "direction": grid.direction(),
        },
        "findings": findings,
        "notes": notes,
    });
    Artifact::new("findings.json", "application/json", format!("{all:#}\n").into_bytes())
}
