//! What an archive has to do with a failed request.

use super::error::{ErrorKind, PipelineError};
use crate::dicom::web::WebError;

impl From<WebError> for PipelineError {
    fn from(e: WebError) -> Self {
        let (kind, reason) = kind_and_reason(&e);
        let error = Self::new(kind, reason, &e);
        match e {
            WebError::Read(e) => e.into(),
            WebError::Cancelled(e) => e.into(),
            WebError::NotAllowed { root } => error.with("root", root),
            WebError::RedirectNotAllowed { origin } => error.with("origin", origin),
            WebError::AddressNotAllowed { host, address } => {
                error.with("host", host).with("address", address)
            }
            WebError::BadUid { what } => error.with("field", what),
            WebError::NotCt { series_uid, modality } => {
                error.with("series_uid", series_uid).with("modality", modality)
            }
            WebError::NoSuchSeries { study_uid, series_uid } => {
                error.with("study_uid", study_uid).with("series_uid", series_uid)
            }
            WebError::MissingInstance { sop_instance_uid } => {
                error.with("sop_instance_uid", sop_instance_uid)
            }
            WebError::WrongInstance { asked, found } => error.with("asked", asked).with("found", found),
            WebError::Unauthorized { status } | WebError::Http { status, .. } => error.with("status", status),
            WebError::Limit { what, limit } => error.with("what", what).with("limit", limit),
            WebError::StoreRefused { sop_instance_uid, reason_code } => {
                let code = reason_code.map_or_else(String::new, |code| format!("0x{code:04X}"));
                error.with("sop_instance_uid", sop_instance_uid).with("failure_reason", code)
            }
            _ => error,
        }
    }
}

/// Kind and reason of each way in which an archive does not give or take what was asked.
fn kind_and_reason(e: &WebError) -> (ErrorKind, &'static str) {
    use ErrorKind::{
        FailedPrecondition, Internal, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted,
        Unavailable,
    };
    match e {
        WebError::NotAllowed { .. } => (PermissionDenied, "ARCHIVE_NOT_ALLOWED"),
        WebError::RedirectNotAllowed { .. } => (PermissionDenied, "ARCHIVE_REDIRECT_NOT_ALLOWED"),
        WebError::AddressNotAllowed { .. } => (PermissionDenied, "ARCHIVE_ADDRESS_NOT_ALLOWED"),
        WebError::BadRoot { .. } => (InvalidArgument, "ARCHIVE_ROOT"),
        WebError::BadUid { .. } => (InvalidArgument, "ARCHIVE_UID"),
        WebError::BadAuthorization => (InvalidArgument, "ARCHIVE_AUTHORIZATION"),
        WebError::NotCt { .. } => (FailedPrecondition, "DICOM_NOT_CT"),
        WebError::NoSuchSeries { .. } => (NotFound, "ARCHIVE_NO_SUCH_SERIES"),
        WebError::MissingInstance { .. } => (FailedPrecondition, "ARCHIVE_MISSING_INSTANCE"),
        WebError::WrongInstance { .. } => (FailedPrecondition, "ARCHIVE_WRONG_INSTANCE"),
        // Not "unauthenticated": the caller's credentials for this server are good.
        WebError::Unauthorized { .. } => (PermissionDenied, "ARCHIVE_UNAUTHORIZED"),
        WebError::Http { .. } if e.is_transient() => (Unavailable, "ARCHIVE_HTTP"),
        WebError::Http { .. } => (FailedPrecondition, "ARCHIVE_HTTP"),
        WebError::Unreachable { .. } => (Unavailable, "ARCHIVE_UNREACHABLE"),
        WebError::Tls { .. } => (FailedPrecondition, "ARCHIVE_TLS"),
        WebError::Malformed { .. } => (FailedPrecondition, "ARCHIVE_MALFORMED"),
        WebError::Limit { .. } => (ResourceExhausted, "ARCHIVE_LIMIT"),
        WebError::StoreRefused { .. } => (FailedPrecondition, "ARCHIVE_STORE_REFUSED"),
        _ => (Internal, "ARCHIVE"),
    }
}
