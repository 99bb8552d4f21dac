//! What a result has to remember of the series it was computed from.

use super::elements::DataSet;
use super::geometry::Plane;
use crate::volume::Grid;
use std::fmt;

/// One slice of the source: an instance, or a frame of a multi-frame instance.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceFrame {
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// 1-based frame of a multi-frame instance; `None` for single-frame CT.
    pub frame_number: Option<u32>,
    /// Image Position (Patient): centre of the first pixel, LPS mm.
    pub position_lps: [f64; 3],
}

/// The attributes and geometry of a series that its segmentation copies and refers to.
///
/// `Debug` leaves out everything that could identify a patient.
#[derive(Clone)]
pub struct SourceSeries {
    pub(super) identity: DataSet,
    pub(super) study_instance_uid: String,
    pub(super) series_instance_uid: String,
    pub(super) frame_of_reference_uid: String,
    pub(super) frames: Vec<SourceFrame>,
    /// Orientation, pixel spacing and thickness of the first slice, as written.
    pub(super) plane: Plane,
    /// Columns and rows of a source slice.
    pub(super) size: [usize; 2],
    /// The grid of the volume, which is not that of the slices when the stack was resampled.
    pub(super) grid: Grid,
    pub(super) resampled: bool,
    pub(super) notes: Vec<String>,
}

impl SourceSeries {
    /// Series Instance UID.
    pub fn series_instance_uid(&self) -> &str {
        &self.series_instance_uid
    }

    /// Study Instance UID.
    pub fn study_instance_uid(&self) -> &str {
        &self.study_instance_uid
    }

    /// Frame of Reference UID; made up when the source has none, which the notes tell.
    pub fn frame_of_reference_uid(&self) -> &str {
        &self.frame_of_reference_uid
    }

    /// The slices in the order of the volume's k axis (of the stack, when it was resampled).
    pub fn frames(&self) -> &[SourceFrame] {
        &self.frames
    }

    /// The grid of the volume, on which masks are expected.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Whether the volume was resampled from a tilted or unevenly spaced stack.
    pub fn resampled(&self) -> bool {
        self.resampled
    }

    /// What was left out, repaired or assumed while reading.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl fmt::Debug for SourceSeries {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("SourceSeries")
            .field("frames", &self.frames.len())
            .field("grid", &self.grid)
            .field("resampled", &self.resampled)
            .finish_non_exhaustive()
    }
}
