//! Why the service refuses a request, before or beside the pipeline.

use crate::pipeline::PipelineError;
use crate::volume::GridError;
use crate::worker::Refused;
use thiserror::Error;

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RequestError {
    /// The stream ended, or began with a chunk.
    #[error("the first message must be a header")]
    NoHeader,
    /// A second header, or a message of neither kind.
    #[error("after the header only chunks may follow")]
    NoChunk,
    /// The series is not named.
    #[error("the request names no series: source must be set")]
    NoSource,
    /// There is a mask, but no DICOM SEG to store; the notes of the result say why.
    #[error("no DICOM SEG could be made of the mask, so nothing was stored; the result's notes say why")]
    NoSeg,
    /// None of the payloads is set.
    #[error("the header names no payload: raw, dicom or file must be set")]
    NoPayload,
    /// A message could not be parsed.
    #[error("a message could not be parsed: {reason}")]
    Malformed {
        /// The decoder's reason.
        reason: String,
    },
    /// A message is larger than the limit.
    #[error("a message is larger than {limit} bytes; send the payload in chunks of 1 MiB")]
    MessageTooLarge {
        /// Bytes.
        limit: u64,
    },
    /// A field has a value that it cannot have.
    #[error("{field} is {found}: {expected}")]
    Field {
        /// Path in the header.
        field: &'static str,
        /// The value.
        found: String,
        /// The rule.
        expected: &'static str,
    },
    /// The header's grid is none.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A voxel is NaN.
    #[error("voxel {index} (i fastest) is not a number")]
    VoxelNotANumber {
        /// Place in the payload.
        index: usize,
    },
    /// There is no such model.
    #[error("there is no model named {model:?}; this server has: {known}")]
    UnknownModel {
        /// As asked for.
        model: String,
        /// Comma-separated.
        known: String,
    },
    /// The payload has another length than the header says.
    #[error("the header says {expected} bytes, the payload has {found}")]
    ByteCount {
        /// From the header.
        expected: u64,
        /// Received, or more than this when there was more to come.
        found: u64,
    },
    /// Another number of DICOM instances came than the header says.
    #[error("the header says {expected} instances, {found} came")]
    InstanceCount {
        /// From the header.
        expected: u64,
        /// Received.
        found: u64,
    },
    /// The parts of the payload are out of order.
    #[error("part {found} came after part {last}: parts are numbered from 0 without gaps")]
    PartOrder {
        /// The part before; absent at the start.
        last: String,
        /// The part that came.
        found: u32,
    },
    /// The payload is not the gzip stream that the header says.
    #[error("part {part} is not a whole gzip stream: {reason}")]
    Gzip {
        /// Of the payload.
        part: u32,
        /// The decoder's reason.
        reason: String,
    },
    /// The volume is larger than the limit.
    #[error("the volume has {voxels} voxels; this server accepts {limit}")]
    VolumeTooLarge {
        /// Claimed by the header.
        voxels: u64,
        /// The limit.
        limit: u64,
    },
    /// The payload is larger than the limit, by the header or as received.
    #[error("the payload has {bytes} bytes or more; this server accepts {limit}")]
    UploadTooLarge {
        /// Claimed or received.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// More instances than the limit.
    #[error("the payload has {instances} instances or more; this server accepts {limit}")]
    TooManyInstances {
        /// Claimed or received.
        instances: u64,
        /// The limit.
        limit: u64,
    },
    /// The same id is being worked on.
    #[error("request {request_id} is being worked on already")]
    Duplicate {
        /// As sent.
        request_id: String,
    },
    /// No place.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The client sends nothing more, but did not end its side either.
    #[error("no message came for {idle_s} s in mid-upload")]
    UploadStalled {
        /// The limit.
        idle_s: u64,
    },
    /// The client's or the server's deadline passed.
    #[error("the request took longer than {deadline_s:.3} s")]
    Deadline {
        /// From the header or the configuration.
        deadline_s: f64,
    },
    /// The client went away.
    #[error("the client cancelled the request")]
    Cancelled,
    /// No or a wrong token.
    #[error("a valid bearer token is needed in the authorization header")]
    Unauthenticated,
    /// A helper task was lost; ours to repair.
    #[error("the server failed inside; this request is lost, others go on")]
    Internal,
    /// The pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl RequestError {
    /// The same for a request whose fields do not stand in a header.
    pub(super) fn outside_header(self) -> Self {
        match self {
            Self::Field { field, found, expected } => {
                Self::Field { field: field.strip_prefix("header.").unwrap_or(field), found, expected }
            }
            other => other,
        }
    }
}
