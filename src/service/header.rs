//! The header of a SegmentVolume and the request of a SegmentSeries, checked in full before a byte of the
//! payload is received or fetched.

use super::config::Limits;
use super::convert::{self, field};
use super::error::RequestError;
use super::pb;
use crate::dicom::web::SeriesRef;
use crate::itk::FileFormat;
use crate::pipeline::{Options, Output, PipelineError};
use crate::volume::Grid;
use crate::worker::ModelInfo;
use pb::segment_volume_header::Payload as Message;
use uuid::Uuid;

/// What any good request says.
#[derive(Debug)]
pub(super) struct Asked {
    pub request_id: Uuid,
    pub model: ModelInfo,
    pub gzip_outputs: bool,
    pub options: Options,
}

/// A good header.
#[derive(Debug)]
pub(super) struct Plan {
    pub asked: Asked,
    pub payload: Payload,
    pub gzip_upload: bool,
}

/// A good request for a series. No `Debug`: it holds a secret.
pub(super) struct SeriesPlan {
    pub asked: Asked,
    pub series: SeriesRef,
    /// As sent; the archives' allow-list judges it.
    pub root: String,
    pub authorization: Option<String>,
    pub store: bool,
}

/// What will come.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// Voxels of a type on a grid.
    Raw { grid: Grid, voxel: pb::VoxelType },
    /// DICOM instances, and how many of them where the client said.
    Dicom { instances: Option<u64> },
    /// One file.
    File { format: FileFormat, bytes: u64 },
}

impl Payload {
    /// Word for logs.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Raw { .. } => "raw",
            Self::Dicom { .. } => "dicom",
            Self::File { .. } => "file",
        }
    }

    /// Unpacked bytes, where the header tells.
    pub(super) fn byte_count(&self) -> Option<u64> {
        match self {
            Self::Raw { grid, voxel } => Some(grid.len() as u64 * voxel_bytes(*voxel)),
            Self::Dicom { .. } => None,
            Self::File { bytes, .. } => Some(*bytes),
        }
    }
}

/// Bytes of a voxel.
pub(super) fn voxel_bytes(voxel: pb::VoxelType) -> u64 {
    match voxel {
        pb::VoxelType::Unspecified => 0,
        pb::VoxelType::Uint8 => 1,
        pb::VoxelType::Int16 | pb::VoxelType::Uint16 => 2,
        pb::VoxelType::Int32 | pb::VoxelType::Float32 => 4,
    }
}

/// Checks a header against the limits and the models there are (the first is the default).
pub(super) fn plan(
    header: pb::SegmentVolumeHeader,
    limits: &Limits,
    models: &[ModelInfo],
) -> Result<Plan, RequestError> {
    let request_id = request_id(&header.request_id)?;
    let gzip_upload = convert::is_gzip(header.upload_compression, "header.upload_compression")?;
    let payload = payload(header.payload.ok_or(RequestError::NoPayload)?, limits)?;
    if let Some(bytes) = payload.byte_count().filter(|bytes| *bytes > limits.upload_bytes) {
        return Err(RequestError::UploadTooLarge { bytes, limit: limits.upload_bytes });
    }
    let options = header.options.unwrap_or_default();
    let gzip_outputs = convert::is_gzip(options.output_compression, "header.options.output_compression")?;
    let mut options = convert::options(&options, limits.voxels)?;
    if options.outputs.is_empty() {
        options.outputs.insert(Output::Labelmap);
    }
    let asked = Asked { request_id, model: model(&header.model, models)?, gzip_outputs, options };
    Ok(Plan { asked, payload, gzip_upload })
}

/// Checks a request for a series, all but its root.
pub(super) fn series_plan(
    request: pb::SegmentSeriesRequest,
    limits: &Limits,
    models: &[ModelInfo],
) -> Result<SeriesPlan, RequestError> {
    let pb::SegmentSeriesRequest { request_id: id, model: name, source, options, skip_store } = request;
    let source = source.ok_or(RequestError::NoSource)?;
    let message = options.unwrap_or_default();
    if !message.series_uid.is_empty() {
        let expected = "it must be empty: source.series_uid names the series";
        return Err(field("options.series_uid", &message.series_uid, expected));
    }
    let gzip_outputs = convert::is_gzip(message.output_compression, "options.output_compression")?;
    let options = convert::options(&message, limits.voxels).map_err(RequestError::outside_header)?;
    let asked = Asked {
        request_id: request_id(&id).map_err(RequestError::outside_header)?,
        model: model(&name, models)?,
        gzip_outputs,
        options: Options {
            series_uid: Some(source.series_uid.clone()),
            // The limits of an upload hold for what the server fetches itself.
            maximum_bytes: Some(limits.upload_bytes),
            maximum_instances: Some(limits.instances),
            ..options
        },
    };
    let series = SeriesRef::new(&source.study_uid, &source.series_uid).map_err(PipelineError::from)?;
    let authorization = Some(source.authorization).filter(|text| !text.is_empty());
    Ok(SeriesPlan { asked, series, root: source.root, authorization, store: !skip_store })
}

fn request_id(text: &str) -> Result<Uuid, RequestError> {
    if text.is_empty() {
        return Ok(Uuid::new_v4());
    }
    Uuid::try_parse(text).map_err(|_| field("header.request_id", text, "it must be a UUID or empty"))
}

fn payload(message: Message, limits: &Limits) -> Result<Payload, RequestError> {
    match message {
        Message::Raw(raw) => {
            let missing = || field("header.raw.grid", "absent", "a raw volume needs its grid");
            let grid = convert::grid(&raw.grid.ok_or_else(missing)?, limits.voxels)?;
            match pb::VoxelType::try_from(raw.voxel_type) {
                Ok(voxel) if voxel != pb::VoxelType::Unspecified => Ok(Payload::Raw { grid, voxel }),
                _ => Err(field("header.raw.voxel_type", raw.voxel_type, "no such voxel type")),
            }
        }
        Message::Dicom(pb::DicomInstances { instance_count }) => {
            let instances = u64::from(instance_count);
            if instances > limits.instances {
                return Err(RequestError::TooManyInstances { instances, limit: limits.instances });
            }
            Ok(Payload::Dicom { instances: (instances > 0).then_some(instances) })
        }
        Message::File(pb::EncodedFile { format, byte_count }) => {
            if byte_count == 0 {
                return Err(field("header.file.byte_count", 0, "a file has at least one byte"));
            }
            Ok(Payload::File { format: convert::format(format)?, bytes: byte_count })
        }
    }
}

fn model(name: &str, models: &[ModelInfo]) -> Result<ModelInfo, RequestError> {
    let found = if name.is_empty() { models.first() } else { models.iter().find(|m| m.name == name) };
    found.cloned().ok_or_else(|| {
        let known = models.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ");
        // A hostile name must not fill the status's trailers.
        RequestError::UnknownModel { model: name.chars().take(64).collect(), known }
    })
}
