//! Why a series cannot be read, as facts with numbers.

use crate::monitor::Cancelled;
use crate::volume::GridError;
use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use thiserror::Error;

/// Why instances do not become a volume. No variant holds a patient's name, identifier or date; file
/// names are those the caller gave.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing in the input is a DICOM image.
    #[error("none of {files} files is a DICOM instance")]
    NoDicom {
        /// Files looked at.
        files: usize,
    },
    /// The input is DICOM, but of another modality.
    #[error("modality is {modality}, not CT")]
    NotCt {
        /// Modality (0008,0060) of the first instance.
        modality: String,
    },
    /// The wanted series is not in the input.
    #[error("no CT slice of series {series_uid} in {files} files")]
    NoSuchSeries {
        /// What was asked for.
        series_uid: String,
        /// Files looked at.
        files: usize,
    },
    /// A file is DICOM but broken.
    #[error("{name}: {reason}")]
    Corrupt {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No decoder here for the transfer syntax or the codestream variant.
    #[error("{name}: cannot decode transfer syntax {uid} ({syntax})")]
    UnsupportedTransferSyntax {
        /// The file.
        name: String,
        /// Transfer Syntax UID.
        uid: String,
        /// Its name, and what about it is not supported.
        syntax: String,
    },
    /// Pixels that are not one grey value of 8 or 16 bits.
    #[error("instance {sop_instance_uid}: {reason}")]
    UnsupportedPixels {
        /// SOP Instance UID.
        sop_instance_uid: String,
        /// What was found.
        reason: String,
    },
    /// An attribute without which there is no geometry or no HU.
    #[error("instance {sop_instance_uid} lacks {tag}")]
    MissingAttribute {
        /// SOP Instance UID, empty when that is what is missing.
        sop_instance_uid: String,
        /// Tag and keyword.
        tag: String,
    },
    /// An attribute whose value makes no sense.
    #[error("instance {sop_instance_uid}: {tag} {reason}")]
    InvalidAttribute {
        /// SOP Instance UID.
        sop_instance_uid: String,
        /// Tag and keyword.
        tag: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Slices of one series that cannot be stacked.
    #[error("series {series_uid}: {what} is {found} in instance {sop_instance_uid}, but {expected} before")]
    MixedGeometry {
        /// Series Instance UID.
        series_uid: String,
        /// The instance that differs.
        sop_instance_uid: String,
        /// Size, pixel spacing, orientation or frame of reference.
        what: &'static str,
        /// Value of the first slice.
        expected: String,
        /// Value of this one.
        found: String,
    },
    /// Two slices at one place that show different things (several phases or echoes in one series).
    #[error("series {series_uid}: instances {first} and {second} lie at the same place and differ")]
    ConflictingDuplicate {
        /// Series Instance UID.
        series_uid: String,
        /// SOP Instance UID.
        first: String,
        /// SOP Instance UID.
        second: String,
    },
    /// A slice is missing, or the steps are uneven.
    #[error(
        "series {series_uid}: the step after slice {after_slice} is {found_mm:.3} mm, others are {expected_mm:.3} mm"
    )]
    UnevenSpacing {
        /// Series Instance UID.
        series_uid: String,
        /// Median step.
        expected_mm: f64,
        /// The step that differs most.
        found_mm: f64,
        /// 0-based slice below that step.
        after_slice: usize,
    },
    /// The slices are stacked along another line than their normal.
    #[error("series {series_uid}: slices are stacked {degrees:.2} degrees off their normal (gantry tilt)")]
    GantryTilt {
        /// Series Instance UID.
        series_uid: String,
        /// Angle between stack and normal.
        degrees: f64,
    },
    /// One slice without thickness is no volume.
    #[error("series {series_uid} has {found} slices and no slice thickness")]
    TooFewSlices {
        /// Series Instance UID.
        series_uid: String,
        /// Slices found.
        found: usize,
    },
    /// More than [`super::Limits`] allows.
    #[error("{what}: {found} exceeds the limit of {limit}")]
    LimitExceeded {
        /// What is counted.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// At least this much.
        found: u64,
    },
    /// The archive cannot be read.
    #[error("zip archive {name}: {reason}")]
    Zip {
        /// The archive.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("{path}: {reason}")]
    Io {
        /// File or folder.
        path: String,
        /// What it said.
        reason: String,
    },
    /// The geometry is no grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// `(0020,0032) ImagePositionPatient`.
pub(super) fn tag_name(tag: Tag) -> String {
    let keyword = StandardDataDictionary.by_tag(tag).map_or("private", |entry| entry.alias());
    format!("{tag} {keyword}")
}
