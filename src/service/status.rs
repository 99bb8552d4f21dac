//! The one place where errors become `tonic::Status` (AIP-193): a canonical code, exactly one ErrorInfo,
//! field violations for bad arguments, a delay where trying again helps.

use super::error::RequestError;
use crate::pipeline::{ErrorKind, PipelineError};
use crate::volume::GridError;
use crate::worker::Refused;
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Domain of every ErrorInfo.
pub const DOMAIN: &str = "spinefx";
/// When to try again while nothing is known about the duration of requests.
const RETRY: Duration = Duration::from_secs(5);

/// An error in the terms of gRPC.
struct Facts {
    code: Code,
    reason: &'static str,
    metadata: Vec<(&'static str, String)>,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        let message = error.to_string();
        if let RequestError::Pipeline(e) = error {
            return of_pipeline(e);
        }
        let facts = facts(&error);
        let metadata: HashMap<_, _> = facts.metadata.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let mut details = ErrorDetails::with_error_info(facts.reason, DOMAIN, metadata);
        if facts.code == Code::InvalidArgument {
            details.add_bad_request_violation(facts.field.unwrap_or("message"), &message);
        }
        if let Some(after) = facts.retry_after {
            details.set_retry_info(Some(after));
        }
        Status::with_error_details(facts.code, message, details)
    }
}

/// The reason that a log line gives: no message, since that may quote the client's words.
pub(super) fn reason(error: &RequestError) -> &'static str {
    match error {
        RequestError::Pipeline(e) => e.reason,
        other => facts(other).reason,
    }
}

fn of_pipeline(error: PipelineError) -> Status {
    let code = match error.kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::ResourceExhausted => Code::ResourceExhausted,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Internal => Code::Internal,
    };
    let metadata: HashMap<String, String> = error.metadata.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(error.reason, DOMAIN, metadata);
    match code {
        Code::InvalidArgument => {
            details.add_bad_request_violation("payload", &error.message);
        }
        Code::Unavailable => {
            details.set_retry_info(Some(RETRY));
        }
        _ => {}
    }
    Status::with_error_details(code, error.message, details)
}

fn facts(error: &RequestError) -> Facts {
    use RequestError as E;
    let bad = |reason, field, metadata| Facts {
        code: Code::InvalidArgument,
        reason,
        metadata,
        field: Some(field),
        retry_after: None,
    };
    match error {
        E::NoHeader => bad("HEADER_MISSING", "header", vec![]),
        E::NoChunk => bad("CHUNK_MISSING", "chunk", vec![]),
        E::NoPayload => bad("PAYLOAD_MISSING", "header.payload", vec![]),
        E::NoSource => bad("SOURCE_MISSING", "source", vec![]),
        E::Malformed { reason } => bad("MESSAGE_MALFORMED", "message", vec![("reason", reason.clone())]),
        E::Field { field, found, expected } => {
            let metadata = [("field", *field), ("found", found), ("expected", *expected)];
            bad("FIELD_INVALID", field, metadata.map(|(k, v)| (k, v.to_owned())).to_vec())
        }
        E::Grid(e) => grid(e),
        E::VoxelNotANumber { index } => {
            bad("VOXEL_NOT_A_NUMBER", "chunk.data", vec![("index", index.to_string())])
        }
        E::ByteCount { expected, found } => {
            let metadata = vec![("expected", expected.to_string()), ("found", found.to_string())];
            bad("BYTE_COUNT", "chunk.data", metadata)
        }
        E::InstanceCount { expected, found } => {
            let metadata = vec![("expected", expected.to_string()), ("found", found.to_string())];
            bad("INSTANCE_COUNT", "header.dicom.instance_count", metadata)
        }
        E::PartOrder { last, found } => {
            bad("PART_ORDER", "chunk.part", vec![("last", last.clone()), ("found", found.to_string())])
        }
        E::Gzip { part, reason } => {
            bad("GZIP", "chunk.data", vec![("part", part.to_string()), ("reason", reason.clone())])
        }
        other => refusal(other),
    }
}

fn grid(error: &GridError) -> Facts {
    let (reason, field, variable, value) = match error {
        GridError::EmptyAxis { size } => {
            ("GRID_EMPTY_AXIS", "header.raw.grid.size", "size", format!("{size:?}"))
        }
        GridError::Spacing { spacing_mm } => {
            ("GRID_SPACING", "header.raw.grid.spacing_mm", "spacing_mm", format!("{spacing_mm:?}"))
        }
        GridError::Origin { origin_lps } => {
            ("GRID_ORIGIN", "header.raw.grid.origin_lps", "origin_lps", format!("{origin_lps:?}"))
        }
        GridError::Direction { direction } => {
            ("GRID_DIRECTION", "header.raw.grid.direction", "direction", format!("{direction:?}"))
        }
        GridError::VoxelCount { found, .. } => {
            ("GRID_VOXEL_COUNT", "header.raw.grid.size", "found", found.to_string())
        }
    };
    let metadata = vec![(variable, value)];
    Facts { code: Code::InvalidArgument, reason, metadata, field: Some(field), retry_after: None }
}

/// Errors that are not about the bytes of the request.
fn refusal(error: &RequestError) -> Facts {
    use RequestError as E;
    let limit = |limit: &u64| ("limit", limit.to_string());
    let (code, reason, metadata) = match error {
        E::UnknownModel { model, known } => {
            (Code::NotFound, "UNKNOWN_MODEL", vec![("model", model.clone()), ("known", known.clone())])
        }
        E::MessageTooLarge { limit: l } => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE", vec![limit(l)]),
        E::VolumeTooLarge { voxels, limit: l } => {
            (Code::ResourceExhausted, "VOLUME_TOO_LARGE", vec![("voxels", voxels.to_string()), limit(l)])
        }
        E::UploadTooLarge { bytes, limit: l } => {
            (Code::ResourceExhausted, "UPLOAD_TOO_LARGE", vec![("bytes", bytes.to_string()), limit(l)])
        }
        E::TooManyInstances { instances, limit: l } => {
            let metadata = vec![("instances", instances.to_string()), limit(l)];
            (Code::ResourceExhausted, "TOO_MANY_INSTANCES", metadata)
        }
        E::Duplicate { request_id } => {
            (Code::AlreadyExists, "DUPLICATE_REQUEST", vec![("request_id", request_id.clone())])
        }
        E::Refused(Refused::Full { limit, .. }) => {
            (Code::ResourceExhausted, "QUEUE_FULL", vec![("limit", limit.to_string())])
        }
        E::Refused(Refused::Draining) => (Code::Unavailable, "DRAINING", vec![]),
        E::UploadStalled { idle_s } => {
            (Code::DeadlineExceeded, "UPLOAD_STALLED", vec![("idle_s", idle_s.to_string())])
        }
        E::Deadline { deadline_s } => {
            (Code::DeadlineExceeded, "DEADLINE", vec![("deadline_s", format!("{deadline_s:.3}"))])
        }
        E::Cancelled => (Code::Cancelled, "CANCELLED", vec![]),
        E::NoSeg => (Code::FailedPrecondition, "NO_SEG", vec![]),
        E::Unauthenticated => (Code::Unauthenticated, "TOKEN", vec![]),
        _ => (Code::Internal, "INTERNAL", vec![]),
    };
    Facts { code, reason, metadata, field: None, retry_after: retry_after(error) }
}

fn retry_after(error: &RequestError) -> Option<Duration> {
    match error {
        RequestError::Refused(Refused::Full { retry_after, .. }) => Some(retry_after.unwrap_or(RETRY)),
        RequestError::Refused(Refused::Draining) => Some(RETRY),
        _ => None,
    }
}
