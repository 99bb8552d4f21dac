//! Messages ↔ domain types, both ways, for server and client alike.

use super::error::RequestError;
use super::pb;
use crate::itk::FileFormat;
use crate::monitor::{Progress, Stage};
use crate::pipeline::{Options, Output};
use crate::postprocess::Finding;
use crate::volume::{Grid, GridError};
use std::collections::BTreeSet;
use std::time::Duration;

/// Enum values of the protocol beside ours.
const OUTPUTS: [(pb::OutputKind, Output); 7] = [
    (pb::OutputKind::Labelmap, Output::Labelmap),
    (pb::OutputKind::Probabilities, Output::Probabilities),
    (pb::OutputKind::Nifti, Output::Nifti),
    (pb::OutputKind::Nrrd, Output::Nrrd),
    (pb::OutputKind::DicomSeg, Output::DicomSeg),
    (pb::OutputKind::Overlays, Output::Overlays),
    (pb::OutputKind::FindingsJson, Output::FindingsJson),
];
const FORMATS: [(pb::FileFormat, FileFormat); 4] = [
    (pb::FileFormat::Nifti, FileFormat::Nifti),
    (pb::FileFormat::NiftiGz, FileFormat::NiftiGz),
    (pb::FileFormat::Nrrd, FileFormat::Nrrd),
    (pb::FileFormat::MetaImage, FileFormat::MetaImage),
];
const STAGES: [(pb::Stage, Stage); 7] = [
    (pb::Stage::Fetch, Stage::Fetch),
    (pb::Stage::Decode, Stage::Decode),
    (pb::Stage::Preprocess, Stage::Preprocess),
    (pb::Stage::Infer, Stage::Infer),
    (pb::Stage::Postprocess, Stage::Postprocess),
    (pb::Stage::Encode, Stage::Encode),
    (pb::Stage::Store, Stage::Store),
];

/// A field's value is not allowed.
pub(super) fn field(
    field: &'static str,
    found: impl std::fmt::Debug,
    expected: &'static str,
) -> RequestError {
    RequestError::Field { field, found: format!("{found:?}"), expected }
}

/// A claimed grid. The number of voxels is checked against `limit` before anything else believes it.
pub(super) fn grid(message: &pb::Grid, limit: u64) -> Result<Grid, RequestError> {
    let size: [u64; 3] = three(&message.size, "header.raw.grid.size")?;
    let spacing_mm = three(&message.spacing_mm, "header.raw.grid.spacing_mm")?;
    let origin_lps = three(&message.origin_lps, "header.raw.grid.origin_lps")?;
    let d: [f64; 9] =
        message.direction.as_slice().try_into().map_err(|_| {
            field("header.raw.grid.direction", message.direction.len(), "it needs nine values")
        })?;
    let voxels = size.iter().fold(1_u64, |product, n| product.saturating_mul(*n));
    if voxels > limit {
        return Err(RequestError::VolumeTooLarge { voxels, limit });
    }
    let direction = [[d[0], d[1], d[2]], [d[3], d[4], d[5]], [d[6], d[7], d[8]]];
    Ok(Grid::new(size.map(|n| n as usize), spacing_mm, origin_lps, direction)?)
}

fn three<T: Copy>(values: &[T], name: &'static str) -> Result<[T; 3], RequestError> {
    values.try_into().map_err(|_| field(name, values.len(), "it needs three values"))
}

/// A grid as a message.
pub fn grid_message(grid: &Grid) -> pb::Grid {
    pb::Grid {
        size: grid.size().map(|n| n as u64).to_vec(),
        spacing_mm: grid.spacing_mm().to_vec(),
        origin_lps: grid.origin_lps().to_vec(),
        direction: grid.direction().concat(),
    }
}

/// The grid in an answer.
pub(super) fn grid_of_answer(message: &pb::Grid) -> Result<Grid, GridError> {
    // An answer's lists are as long as the protocol says, or the grid is refused as empty.
    let size = message.size.as_slice().try_into().unwrap_or([0_u64; 3]).map(|n| n as usize);
    let spacing_mm = message.spacing_mm.as_slice().try_into().unwrap_or([0.0; 3]);
    let origin_lps = message.origin_lps.as_slice().try_into().unwrap_or([f64::NAN; 3]);
    let row = |r: usize| message.direction.get(3 * r..3 * r + 3).and_then(|row| row.try_into().ok());
    let direction = std::array::from_fn(|r| row(r).unwrap_or([f64::NAN; 3]));
    Grid::new(size, spacing_mm, origin_lps, direction)
}

/// What the client asked for, checked.
pub(super) fn options(message: &pb::SegmentOptions, voxels: u64) -> Result<Options, RequestError> {
    if let Some(t) = message.threshold.filter(|t| !(*t > 0.0 && *t <= 1.0)) {
        return Err(field("header.options.threshold", t, "it must be above 0 and at most 1"));
    }
    if let Some(v) = message.minimum_component_mm3.filter(|v| !(v.is_finite() && *v >= 0.0)) {
        return Err(field("header.options.minimum_component_mm3", v, "it must be finite and at least 0"));
    }
    let uid = &message.series_uid;
    if uid.len() > 64 || uid.bytes().any(|b| !(b.is_ascii_digit() || b == b'.')) {
        return Err(field("header.options.series_uid", uid, "a UID has at most 64 digits and dots"));
    }
    let outputs = message.outputs.iter().map(|o| output(*o)).collect::<Result<BTreeSet<_>, _>>()?;
    Ok(Options {
        threshold: message.threshold.map(|t| t as f32),
        minimum_component_mm3: message.minimum_component_mm3,
        resample_uneven: message.resample_uneven,
        series_uid: (!uid.is_empty()).then(|| uid.clone()),
        outputs,
        maximum_voxels: Some(voxels),
        ..Options::default()
    })
}

fn output(value: i32) -> Result<Output, RequestError> {
    let known = OUTPUTS.iter().find(|(message, _)| *message as i32 == value);
    known.map(|(_, ours)| *ours).ok_or_else(|| field("header.options.outputs", value, "no such output"))
}

/// Options as a message.
pub(super) fn options_message(options: &Options) -> pb::SegmentOptions {
    let wanted = OUTPUTS.iter().filter(|(_, ours)| options.outputs.contains(ours));
    pb::SegmentOptions {
        threshold: options.threshold.map(f64::from),
        minimum_component_mm3: options.minimum_component_mm3,
        resample_uneven: options.resample_uneven,
        series_uid: options.series_uid.clone().unwrap_or_default(),
        outputs: wanted.map(|(message, _)| *message as i32).collect(),
        output_compression: pb::Compression::Unspecified as i32,
    }
}

/// A file format, checked.
pub(super) fn format(value: i32) -> Result<FileFormat, RequestError> {
    let known = FORMATS.iter().find(|(message, _)| *message as i32 == value);
    known.map(|(_, ours)| *ours).ok_or_else(|| field("header.file.format", value, "no such format"))
}

/// A file format as a message.
pub(super) fn format_message(format: FileFormat) -> pb::FileFormat {
    let known = FORMATS.iter().find(|(_, ours)| *ours == format);
    known.map_or(pb::FileFormat::Unspecified, |(message, _)| *message)
}

/// Whether bytes are gzip.
pub(super) fn is_gzip(value: i32, name: &'static str) -> Result<bool, RequestError> {
    match pb::Compression::try_from(value) {
        Ok(pb::Compression::Unspecified) => Ok(false),
        Ok(pb::Compression::Gzip) => Ok(true),
        Err(_) => Err(field(name, value, "no such compression")),
    }
}

/// A stage as a message.
pub(super) fn stage_message(stage: Stage) -> pb::Stage {
    let known = STAGES.iter().find(|(_, ours)| *ours == stage);
    known.map_or(pb::Stage::Unspecified, |(message, _)| *message)
}

/// The stage of a message; none for those that only a server knows.
pub(super) fn stage(value: i32) -> Option<Stage> {
    STAGES.iter().find(|(message, _)| *message as i32 == value).map(|(_, ours)| *ours)
}

/// Wall times as a message.
pub(super) fn timings(timings: &[(Stage, Duration)]) -> Vec<pb::StageTiming> {
    let message = |(stage, took): &(Stage, Duration)| pb::StageTiming {
        stage: stage_message(*stage) as i32,
        seconds: took.as_secs_f64(),
    };
    timings.iter().map(message).collect()
}

/// A step forward as an event.
pub(super) fn progress_message(progress: Progress) -> pb::Progress {
    let Progress { stage, done, total } = progress;
    pb::Progress {
        stage: stage_message(stage) as i32,
        done: done as u64,
        total: total as u64,
        fraction: if total == 0 { 0.0 } else { (done as f64 / total as f64).clamp(0.0, 1.0) },
        queue_place: 0,
    }
}

/// A finding as a message.
pub(super) fn finding_message(finding: &Finding) -> pb::Finding {
    pb::Finding {
        id: finding.id,
        segment: finding.segment.into(),
        volume_mm3: finding.volume_mm3,
        centroid_lps: finding.centroid_lps.to_vec(),
        box_min_lps: finding.box_lps[0].to_vec(),
        box_max_lps: finding.box_lps[1].to_vec(),
        box_min_vox: finding.box_vox.map(|[first, _]| first).to_vec(),
        box_max_vox: finding.box_vox.map(|[_, last]| last).to_vec(),
        mean_probability: finding.mean_probability.into(),
        max_probability: finding.max_probability.into(),
        slice: finding.slice,
    }
}

/// The finding of an answer; `None` when a list has another length than the protocol says.
pub(super) fn finding(message: &pb::Finding) -> Option<Finding> {
    let first: [u64; 3] = message.box_min_vox.as_slice().try_into().ok()?;
    let last: [u64; 3] = message.box_max_vox.as_slice().try_into().ok()?;
    Some(Finding {
        id: message.id,
        segment: message.segment.try_into().ok()?,
        volume_mm3: message.volume_mm3,
        centroid_lps: message.centroid_lps.as_slice().try_into().ok()?,
        box_lps: [
            message.box_min_lps.as_slice().try_into().ok()?,
            message.box_max_lps.as_slice().try_into().ok()?,
        ],
        box_vox: std::array::from_fn(|a| [first[a], last[a]]),
        mean_probability: message.mean_probability as f32,
        max_probability: message.max_probability as f32,
        slice: message.slice,
    })
}
