//! What is wrong with pairs of CT and mask: all of it, in one list, before anything is trained.

use crate::volume::Grid;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why one pair cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file is not there.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A CT without a mask.
    #[error("{} has no mask: for a healthy spine, give an empty one", ct.display())]
    NoMask {
        /// The CT.
        ct: PathBuf,
    },
    /// A segmentation whose CT is not there.
    #[error("{} refers to a CT series that is not in the patient's folder", mask.display())]
    NoCt {
        /// The segmentation.
        mask: PathBuf,
    },
    /// The file cannot be read as what it should be.
    #[error("{reason}")]
    Unreadable {
        /// File and what is wrong with it.
        reason: String,
    },
    /// The mask lies elsewhere than its CT.
    #[error(
        "the mask's grid is not the CT's: {what} is {mask} in the mask, {ct} in the CT; resample the mask"
    )]
    OtherGrid {
        /// Size, spacing, origin or direction.
        what: &'static str,
        /// The CT's.
        ct: String,
        /// The mask's.
        mask: String,
    },
    /// More than 0 and 1.
    #[error("the mask holds the labels {found:?}{}; say with --label which mean fracture", named(segments))]
    Labels {
        /// All that occur.
        found: Vec<i16>,
        /// Numbers and names of a DICOM SEG's segments.
        segments: Vec<(u16, String)>,
    },
    /// Values that are no Hounsfield units.
    #[error("the CT's values are {low} to {high}: Hounsfield units of a patient go below 0")]
    NotHu {
        /// Lowest.
        low: i16,
        /// Highest.
        high: i16,
    },
    /// There is no bone in the CT.
    #[error("no voxel of the CT reaches the model's bone threshold; is it in HU?")]
    NoBone,
    /// Two pairs of one name.
    #[error("the id occurs {times} times; ids must differ (a column \"patient\" keeps pairs together)")]
    DuplicateId {
        /// How often.
        times: usize,
    },
}

impl Problem {
    /// What a reader said, with the file's name unless that is part of it.
    pub(super) fn told(path: &Path, error: &dyn Error) -> Self {
        let (path, said) = (path.display().to_string(), error.to_string());
        let reason = if said.contains(&path) { said } else { format!("{path}: {said}") };
        Self::Unreadable { reason }
    }

    /// The first respect in which two grids differ.
    pub(super) fn other_grid(ct: &Grid, mask: &Grid) -> Self {
        let (what, of): (_, fn(&Grid) -> String) = if ct.size() != mask.size() {
            ("size", |g| format!("{:?}", g.size()))
        } else if differ(&ct.spacing_mm(), &mask.spacing_mm(), 1e-4) {
            ("spacing", |g| format!("{:?}", g.spacing_mm()))
        } else if differ(&ct.origin_lps(), &mask.origin_lps(), 1e-2) {
            ("origin", |g| format!("{:?}", g.origin_lps()))
        } else {
            ("direction", |g| format!("{:?}", g.direction()))
        };
        Self::OtherGrid { what, ct: of(ct), mask: of(mask) }
    }
}

fn differ(a: &[f64; 3], b: &[f64; 3], tolerance: f64) -> bool {
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > tolerance)
}

/// ` (segment 2 "Wedge")`.
fn named(segments: &[(u16, String)]) -> String {
    let name = |(number, label): &(u16, String)| format!("{number} {label:?}");
    if segments.is_empty() {
        return String::new();
    }
    format!(" (segments {})", segments.iter().map(name).collect::<Vec<_>>().join(", "))
}

/// All problems of a set, by id.
#[derive(Debug, Clone, Default, PartialEq, Error)]
pub struct Problems(pub Vec<(String, Problem)>);

impl fmt::Display for Problems {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(to, "{} {noun} in the data; nothing was trained:", self.0.len())?;
        let widest = self.0.iter().map(|(id, _)| id.chars().count()).max().unwrap_or(0);
        self.0.iter().try_for_each(|(id, problem)| write!(to, "\n  {id:widest$}  {problem}"))
    }
}
