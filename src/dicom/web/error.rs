//! Why an archive does not give or take what was asked.

use crate::dicom::ReadError;
use crate::monitor::Cancelled;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

/// Why a request to an archive failed. No variant holds a token, a password, an answer's body or
/// anything of a patient.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum WebError {
    /// The root is not on the list. Nothing was sent.
    #[error(
        "this server does not talk to {root}: add it to the server's `archives`, or ask for one that is there"
    )]
    NotAllowed {
        /// The root, canonical, without user info, query and fragment.
        root: String,
    },
    /// The archive points elsewhere. Nothing was sent there.
    #[error("the archive redirects to {origin}, which is not among the server's `archives`")]
    RedirectNotAllowed {
        /// Scheme, host and port.
        origin: String,
    },
    /// A name resolves into a network that nobody allowed. No connection was opened.
    #[error(
        "{host} resolves to {address}, which is no public address: add its network to the archive's `networks`"
    )]
    AddressNotAllowed {
        /// The name.
        host: String,
        /// The first of its addresses that is not allowed.
        address: IpAddr,
    },
    /// The root is no address of a DICOMweb service.
    #[error("the archive's root {reason}")]
    BadRoot {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something else than a UID.
    #[error("{what} is no UID: numbers with single dots between them, 64 characters at most")]
    BadUid {
        /// Which field.
        what: &'static str,
    },
    /// A header value that is neither `Bearer …` nor `Basic …`.
    #[error("the authorization for the archive is neither 'Bearer <token>' nor 'Basic <credentials>'")]
    BadAuthorization,
    /// The series is of another modality.
    #[error("series {series_uid} is {modality}, not CT")]
    NotCt {
        /// Series Instance UID.
        series_uid: String,
        /// Modality (0008,0060).
        modality: String,
    },
    /// The archive knows no such series, or it has no instance.
    #[error("the archive has no series {series_uid} with instances in study {study_uid}")]
    NoSuchSeries {
        /// Study Instance UID.
        study_uid: String,
        /// Series Instance UID.
        series_uid: String,
    },
    /// The archive lists an instance and does not give it: a volume with a hole has a wrong geometry.
    #[error("the archive lists instance {sop_instance_uid} but does not have it")]
    MissingInstance {
        /// SOP Instance UID.
        sop_instance_uid: String,
    },
    /// The archive gives another instance than the one asked for.
    #[error("the archive was asked for instance {asked} and gave {found}")]
    WrongInstance {
        /// SOP Instance UID.
        asked: String,
        /// SOP Instance UID, or what else it was.
        found: String,
    },
    /// The archive does not accept the credentials.
    #[error("the archive refuses the credentials (HTTP {status})")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
    },
    /// Any other answer than success.
    #[error("the archive answered {what} with HTTP {status}")]
    Http {
        /// What was asked.
        what: &'static str,
        /// HTTP status.
        status: u16,
        /// When the archive wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No connection, or one that broke or fell silent.
    #[error("the archive cannot be reached for {what}: {reason}")]
    Unreachable {
        /// What was asked.
        what: &'static str,
        /// What happened.
        reason: String,
    },
    /// TLS failed: most often nobody who is trusted vouches for the archive's certificate.
    #[error("no secure connection to the archive: {reason}; a private authority goes into `ca_file`")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// An answer that is not what PS3.18 says.
    #[error("the archive's answer to {what} is malformed: {reason}")]
    Malformed {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An answer larger than allowed. It was not read to its end.
    #[error("the archive sends more {what} than the limit of {limit}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// The instances came, but they make no volume.
    #[error(transparent)]
    Read(ReadError),
    /// The archive did not take the object.
    #[error("the archive did not store instance {sop_instance_uid}: {}", reason_text(*reason_code))]
    StoreRefused {
        /// SOP Instance UID.
        sop_instance_uid: String,
        /// Failure Reason (0008,1197) where the archive gave one.
        reason_code: Option<u16>,
    },
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Failure reasons of PS3.18 table I.2-2 by number and name.
fn reason_text(code: Option<u16>) -> String {
    let Some(code) = code else { return "it gave no reason".to_owned() };
    let name = match code {
        0x0110 => "processing failure",
        0x0111 => "duplicate SOP instance",
        0x0122 => "SOP class not supported",
        0x0124 => "not authorized",
        0xA700..=0xA7FF => "out of resources",
        0xA900..=0xA9FF => "data set does not match SOP class",
        0xC000..=0xCFFF => "cannot understand",
        _ => "unknown reason",
    };
    format!("{name} (0x{code:04X})")
}

impl WebError {
    /// Whether asking again may help: what went wrong is of the network or of the moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Http { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }

    pub(super) fn malformed(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Malformed { what, reason: reason.into() }
    }

    pub(super) fn unreachable(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Unreachable { what, reason: reason.into() }
    }
}

impl From<ReadError> for WebError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Read(error),
        }
    }
}
