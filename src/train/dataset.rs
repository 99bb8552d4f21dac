//! Pairs of CT and mask on disk → volumes as the network wants them.

use super::discover;
use super::problem::{Problem, Problems};
use super::split::Split;
use crate::dicom::{self, Limits, ReadOptions, Segmentation};
use crate::itk::{self, Component, FileFormat, Interpolation, ItkError};
use crate::monitor::Monitor;
use crate::preprocess::{self, Recipe};
use crate::volume::Volume;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;
use serde::Deserialize;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Largest training CT: 1024 × 1024 × 2048 voxels.
pub const MAXIMUM_VOXELS: u64 = 1 << 31;

/// Where CT and mask may differ: a hundredth of a millimetre, for files that round.
const SAME_PLACE_MM: f64 = 0.01;

/// Which pairs, and what in their masks is a fracture.
#[derive(Debug, Clone)]
pub struct DataOptions {
    /// A folder (with `index.csv` or laid out as docs/training.md says) or a CSV file.
    pub path: PathBuf,
    /// Labels (segment numbers) that mean fracture. Empty: 1, and nothing but 0 and 1 is accepted.
    pub labels: Vec<i16>,
    /// A `split.json` to follow instead of drawing one.
    pub split: Option<PathBuf>,
}

/// A pair of CT and mask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Name of the pair, unlike any other.
    pub id: String,
    /// Whom it shows; pairs of one patient stay in one part of a split. The id when the index has none.
    #[serde(default)]
    pub patient: String,
    /// CT: a file, or DICOM (a folder, a zip archive or one instance).
    pub ct: PathBuf,
    /// Fracture mask on the CT's grid: a file or a DICOM SEG.
    pub mask: PathBuf,
    /// Kinds of fracture, where known; for reports only.
    #[serde(default)]
    pub kinds: String,
    /// How many times as often as others training draws its slices; once where the index says nothing.
    #[serde(default)]
    pub repeat: Option<NonZeroUsize>,
}

impl Entry {
    /// How often each slice counts among those to draw from.
    pub fn times(&self) -> usize {
        self.repeat.map_or(1, NonZeroUsize::get)
    }
}

/// A pair of CT and mask at the model's spacing.
pub struct Patient {
    /// From the index.
    pub entry: Entry,
    /// −1..1, cropped to bone.
    pub normalised: Volume<f32>,
    /// 1 near bone.
    pub gate: Volume<u8>,
    /// 1 in a fracture; same grid.
    pub mask: Volume<u8>,
    /// The connected pieces of the mask.
    pub lesions: Vec<Component>,
}

/// A pair as it lies on disk.
pub struct Pair {
    /// HU.
    pub ct_hu: Volume<i16>,
    /// 1 in a fracture; same grid.
    pub mask: Volume<u8>,
}

/// Why a set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The index is missing or no CSV.
    #[error("{path}: {source}")]
    Index {
        /// The index.
        path: PathBuf,
        /// What csv said.
        source: csv::Error,
    },
    /// A folder could not be listed.
    #[error("{path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing that looks like a pair.
    #[error(
        "{path}: no pairs of CT and mask; give a folder with index.csv (columns id, ct, mask), or one sub-folder per patient with ct.nii.gz and fracture.nii.gz, or with a DICOM series and a DICOM SEG"
    )]
    NothingFound {
        /// The folder.
        path: PathBuf,
    },
    /// Too few patients for three parts.
    #[error("{patients} patients; a 70/10/20 split needs at least 5")]
    TooFew {
        /// How many there are.
        patients: usize,
    },
    /// A `split.json` that does not fit.
    #[error("{path}: {reason}")]
    Split {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Pairs that cannot be used.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// Every pair of a folder or CSV file, sorted by id; paths become absolute or relative to the caller.
pub fn index(path: &Path) -> Result<Vec<Entry>, DatasetError> {
    let (entries, problems) = discover::discover(path)?;
    if problems.0.is_empty() { Ok(entries) } else { Err(problems.into()) }
}

/// Draws the split of a set that training makes with the same seed.
pub fn split(path: &Path, seed: u64) -> Result<Split, DatasetError> {
    super::split::draw(&index(path)?, seed)
}

/// Reads CT and mask, and refuses what would only teach nonsense. `labels` are those of
/// [`DataOptions::labels`].
pub fn read(ct: &Path, mask: &Path, labels: &[i16]) -> Result<Pair, Problem> {
    if let Some(missing) = [ct, mask].into_iter().find(|path| !path.exists()) {
        return Err(Problem::Missing { path: missing.to_owned() });
    }
    let told = |e: &dyn Error| Problem::told(mask, e);
    let seg = match FileFormat::from_path(mask) {
        Some(_) => None,
        None => Some(Segmentation::open(mask, &Limits::default()).map_err(|e| told(&e))?),
    };
    let ct_hu = read_ct(ct, seg.as_ref().and_then(Segmentation::referenced_series_uid))?;
    let found = match &seg {
        Some(seg) => seg.on_grid(ct_hu.grid(), labels).map_err(|e| told(&e))?,
        None => itk::read_labelmap(mask, MAXIMUM_VOXELS).map_err(|e| told(&e))?,
    };
    if !ct_hu.grid().same_place(found.grid(), SAME_PLACE_MM) {
        return Err(Problem::other_grid(ct_hu.grid(), found.grid()));
    }
    let mask = fracture(&found, labels, seg.as_ref())?;
    Ok(Pair { ct_hu, mask })
}

/// Reads a CT in HU: an image file, or the DICOM series of this UID, the largest one when absent.
pub fn read_ct(ct: &Path, series_uid: Option<String>) -> Result<Volume<i16>, Problem> {
    let ct_hu = if FileFormat::from_path(ct).is_some() && ct.is_file() {
        itk::read_volume(ct, MAXIMUM_VOXELS).map_err(|e| Problem::told(ct, &e))?
    } else {
        let options = ReadOptions { series_uid, ..ReadOptions::default() };
        let series = dicom::read_path(ct, options, &Monitor::default());
        series.map_err(|e| Problem::told(ct, &e))?.volume
    };
    let (low, high) = ct_hu.voxels().iter().fold((i16::MAX, i16::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    // Fat alone is −100 HU: a CT without a negative voxel was shifted or rescaled by whoever wrote it.
    if low >= 0 { Err(Problem::NotHu { low, high }) } else { Ok(ct_hu) }
}

/// 1 at the wanted labels.
fn fracture(found: &Volume<i16>, labels: &[i16], seg: Option<&Segmentation>) -> Result<Volume<u8>, Problem> {
    if !labels.is_empty() {
        return Ok(found.map(|v| u8::from(labels.contains(v))));
    }
    let mut present = std::collections::BTreeSet::new();
    present.extend(found.voxels().iter().copied());
    if present.iter().any(|v| !(0..=1).contains(v)) {
        let segments = seg.map(Segmentation::segments).unwrap_or_default();
        return Err(Problem::Labels { found: present.into_iter().collect(), segments });
    }
    Ok(found.map(|v| u8::from(*v == 1)))
}

/// Prepares a pair exactly as a request is prepared.
pub fn prepare(entry: &Entry, pair: &Pair, recipe: &Recipe, monitor: &Monitor) -> Result<Patient, Problem> {
    let told = |e: ItkError| Problem::told(&entry.ct, &e);
    let prepared = preprocess::prepare(&pair.ct_hu, recipe, monitor).map_err(told)?.ok_or(Problem::NoBone)?;
    let mask = itk::resample(&pair.mask, prepared.normalised.grid(), Interpolation::Nearest, 0, monitor);
    let mask = mask.map_err(told)?;
    let (_, lesions) = itk::connected_components(&mask, monitor).map_err(told)?;
    Ok(Patient { entry: entry.clone(), normalised: prepared.normalised, gate: prepared.gate, mask, lesions })
}

/// Fisher–Yates with an explicit generator, so that a seed means the same order for good.
pub fn shuffle<T>(items: &mut [T], rng: &mut ChaCha12Rng) {
    for n in (1..items.len()).rev() {
        items.swap(n, below(rng, n + 1));
    }
}

/// A uniform index below `n`.
pub fn below(rng: &mut ChaCha12Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// A uniform number in `low..high`.
pub fn uniform(rng: &mut ChaCha12Rng, low: f64, high: f64) -> f64 {
    let unit = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    low + unit * (high - low)
}
