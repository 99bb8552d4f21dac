//! One error for the whole way: what kind it is, a stable reason, and its variables.
//!
//! Every stage has a typed error of its own; here they are flattened once, so that the service maps
//! kinds to status codes without knowing any stage.

use crate::dicom::ReadError;
use crate::infer::InferError;
use crate::itk::ItkError;
use crate::monitor::Cancelled;
use crate::overlay::OverlayError;
use crate::volume::GridError;
use std::fmt;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input is wrong in itself.
    InvalidArgument,
    /// The input is right but cannot be segmented as it is.
    FailedPrecondition,
    /// Something that was named does not exist.
    NotFound,
    /// What was named is not for this caller, or not for this server.
    PermissionDenied,
    /// A limit of this server was reached.
    ResourceExhausted,
    /// The caller went away or changed its mind.
    Cancelled,
    /// Not now.
    Unavailable,
    /// Our fault.
    Internal,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Stable, UPPER_SNAKE_CASE: what a program looks at.
    pub reason: &'static str,
    /// Every variable of the message.
    pub metadata: Vec<(String, String)>,
    /// A sentence for people.
    pub message: String,
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PipelineError {}

impl PipelineError {
    /// An error whose message is that of its cause.
    pub fn new(kind: ErrorKind, reason: &'static str, cause: impl fmt::Display) -> Self {
        Self { kind, reason, metadata: Vec::new(), message: cause.to_string() }
    }

    /// Adds a variable of the message.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.metadata.push((key.to_owned(), value.to_string()));
        self
    }

    pub(super) fn too_large(voxels: u64, limit: u64) -> Self {
        let message = format!("the volume has {voxels} voxels; this server accepts {limit}");
        Self::new(ErrorKind::ResourceExhausted, "VOLUME_TOO_LARGE", message)
            .with("voxels", voxels)
            .with("limit", limit)
    }

    pub(super) fn unknown_model<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Self {
        let known = known.cloned().collect::<Vec<_>>().join(", ");
        let message = format!("there is no model named {name:?}; this program has: {known}");
        Self::new(ErrorKind::NotFound, "UNKNOWN_MODEL", message).with("model", name).with("known", known)
    }
}

impl From<Cancelled> for PipelineError {
    fn from(e: Cancelled) -> Self {
        Self::new(ErrorKind::Cancelled, "CANCELLED", e)
    }
}

impl From<GridError> for PipelineError {
    fn from(e: GridError) -> Self {
        let reason = match e {
            GridError::EmptyAxis { .. } => "GRID_EMPTY_AXIS",
            GridError::Spacing { .. } => "GRID_SPACING",
            GridError::Origin { .. } => "GRID_ORIGIN",
            GridError::Direction { .. } => "GRID_DIRECTION",
            GridError::VoxelCount { .. } => "GRID_VOXEL_COUNT",
        };
        Self::new(ErrorKind::InvalidArgument, reason, e)
    }
}

impl From<OverlayError> for PipelineError {
    fn from(e: OverlayError) -> Self {
        match e {
            OverlayError::Itk(e) => e.into(),
            OverlayError::Png(e) => Self::new(ErrorKind::Internal, "OVERLAY", e),
        }
    }
}

impl From<ItkError> for PipelineError {
    fn from(e: ItkError) -> Self {
        use ErrorKind::{FailedPrecondition, Internal, InvalidArgument, ResourceExhausted};
        let (kind, reason, metadata) = match &e {
            ItkError::Cancelled(_) => return Cancelled.into(),
            ItkError::Grid(grid) => return grid.clone().into(),
            ItkError::UnsupportedFile { .. } => (FailedPrecondition, "FILE_UNSUPPORTED", vec![]),
            ItkError::BadFile { .. } => (InvalidArgument, "FILE_BAD", vec![]),
            ItkError::TooShort { claimed, found, .. } => (
                InvalidArgument,
                "FILE_TOO_SHORT",
                vec![("claimed_bytes", claimed.to_string()), ("found_bytes", found.to_string())],
            ),
            ItkError::TooManyVoxels { voxels, limit, .. } => (
                ResourceExhausted,
                "VOLUME_TOO_LARGE",
                vec![("voxels", voxels.to_string()), ("limit", limit.to_string())],
            ),
            ItkError::FileGrid { .. } => (InvalidArgument, "FILE_GRID", vec![]),
            ItkError::Memory { size } => (ResourceExhausted, "MEMORY", vec![("size", format!("{size:?}"))]),
            ItkError::Failed { .. } | ItkError::OutsideVolume { .. } => (Internal, "ITK", vec![]),
            ItkError::Io { .. } => (Internal, "FILE_IO", vec![]),
        };
        metadata.into_iter().fold(Self::new(kind, reason, &e), |all, (key, value)| all.with(key, value))
    }
}

impl From<InferError> for PipelineError {
    fn from(e: InferError) -> Self {
        match &e {
            InferError::Cancelled(_) => Cancelled.into(),
            InferError::OutOfMemory { batch, .. } => {
                Self::new(ErrorKind::ResourceExhausted, "DEVICE_MEMORY", &e).with("batch", batch)
            }
            InferError::NotFinite { plane, slice } => {
                Self::new(ErrorKind::Internal, "NOT_FINITE", &e).with("plane", plane).with("slice", slice)
            }
            InferError::GateSize { .. }
            | InferError::Spacing { .. }
            | InferError::Input(_)
            | InferError::Torch { .. } => Self::new(ErrorKind::Internal, "INFERENCE", &e),
        }
    }
}

impl From<ReadError> for PipelineError {
    fn from(e: ReadError) -> Self {
        let (kind, reason) = read_reason(&e);
        let error = Self::new(kind, reason, &e);
        match e {
            ReadError::Cancelled(e) => e.into(),
            ReadError::Grid(e) => e.into(),
            ReadError::NotCt { modality } => error.with("modality", modality),
            ReadError::Corrupt { name, .. } | ReadError::Zip { name, .. } => error.with("name", name),
            ReadError::UnsupportedTransferSyntax { name, uid, .. } => {
                error.with("name", name).with("transfer_syntax_uid", uid)
            }
            ReadError::MissingAttribute { sop_instance_uid, tag }
            | ReadError::InvalidAttribute { sop_instance_uid, tag, .. } => {
                error.with("sop_instance_uid", sop_instance_uid).with("tag", tag)
            }
            ReadError::UnsupportedPixels { sop_instance_uid, .. } => {
                error.with("sop_instance_uid", sop_instance_uid)
            }
            ReadError::UnevenSpacing { series_uid, expected_mm, found_mm, after_slice } => error
                .with("series_uid", series_uid)
                .with("expected_mm", expected_mm)
                .with("found_mm", found_mm)
                .with("after_slice", after_slice),
            ReadError::GantryTilt { series_uid, degrees } => {
                error.with("series_uid", series_uid).with("degrees", degrees)
            }
            ReadError::LimitExceeded { what, limit, found } => {
                error.with("what", what).with("limit", limit).with("found", found)
            }
            ReadError::NoSuchSeries { series_uid, .. }
            | ReadError::TooFewSlices { series_uid, .. }
            | ReadError::ConflictingDuplicate { series_uid, .. }
            | ReadError::MixedGeometry { series_uid, .. } => error.with("series_uid", series_uid),
            _ => error,
        }
    }
}

/// Kind and reason of each way in which a series cannot be read.
fn read_reason(e: &ReadError) -> (ErrorKind, &'static str) {
    use ErrorKind::{FailedPrecondition, Internal, InvalidArgument, NotFound, ResourceExhausted};
    match e {
        ReadError::NoDicom { .. } => (InvalidArgument, "DICOM_NONE"),
        ReadError::NotCt { .. } => (FailedPrecondition, "DICOM_NOT_CT"),
        ReadError::NoSuchSeries { .. } => (NotFound, "DICOM_NO_SUCH_SERIES"),
        ReadError::Corrupt { .. } => (InvalidArgument, "DICOM_CORRUPT"),
        ReadError::UnsupportedTransferSyntax { .. } => (FailedPrecondition, "DICOM_TRANSFER_SYNTAX"),
        ReadError::UnsupportedPixels { .. } => (FailedPrecondition, "DICOM_PIXELS"),
        ReadError::MissingAttribute { .. } => (InvalidArgument, "DICOM_MISSING_ATTRIBUTE"),
        ReadError::InvalidAttribute { .. } => (InvalidArgument, "DICOM_INVALID_ATTRIBUTE"),
        ReadError::MixedGeometry { .. } => (InvalidArgument, "DICOM_MIXED_GEOMETRY"),
        ReadError::ConflictingDuplicate { .. } => (InvalidArgument, "DICOM_CONFLICTING_DUPLICATE"),
        ReadError::UnevenSpacing { .. } => (FailedPrecondition, "DICOM_UNEVEN_SPACING"),
        ReadError::GantryTilt { .. } => (FailedPrecondition, "DICOM_GANTRY_TILT"),
        ReadError::TooFewSlices { .. } => (FailedPrecondition, "DICOM_TOO_FEW_SLICES"),
        ReadError::LimitExceeded { .. } => (ResourceExhausted, "DICOM_LIMIT"),
        ReadError::Zip { .. } => (InvalidArgument, "ZIP"),
        _ => (Internal, "DICOM_READ"),
    }
}
