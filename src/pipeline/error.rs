//! One error for the whole way: what kind it is, a stable reason, and its variables.
//!
//! Every stage has a typed error of its own; here they are flattened once, so that the service maps
//! kinds to status codes without knowing any stage.

use crate::dicom::ReadError;
use crate::infer::InferError;
use crate::itk::ItkError;
use crate::monitor::Cancelled;
use crate::overlay::OverlayError;
use crate::postprocess::PostprocessError;
use crate::preprocess::PreprocessError;
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

impl From<PreprocessError> for PipelineError {
    fn from(e: PreprocessError) -> Self {
        match e {
            PreprocessError::Itk(e) => e.into(),
            PreprocessError::Grid(e) => e.into(),
            PreprocessError::Cancelled(e) => e.into(),
        }
    }
}

impl From<PostprocessError> for PipelineError {
    fn from(e: PostprocessError) -> Self {
        match e {
            PostprocessError::Itk(e) => e.into(),
            PostprocessError::Grid(e) => e.into(),
            PostprocessError::Cancelled(e) => e.into(),
        }
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
