//! Patients on disk → slices for training, split by patient.
//!
//! A set is a folder with an `index.csv` (columns `id,ct,mask`, further ones ignored; paths relative to
//! it), as `spinefx phantom` writes. All slices of a patient stay on one side of the split.

use crate::itk::{self, Component, Interpolation, ItkError};
use crate::monitor::Monitor;
use crate::preprocess::{self, Recipe};
use crate::volume::Volume;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Largest training CT: 1024 × 1024 × 2048 voxels.
pub const MAXIMUM_VOXELS: u64 = 1 << 31;

/// One line of `index.csv`.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Patient (or phantom) the pair belongs to.
    pub id: String,
    /// CT file.
    pub ct: PathBuf,
    /// Fracture mask on the CT's grid.
    pub mask: PathBuf,
    /// Kinds of fracture, where known; for reports only.
    #[serde(default)]
    pub kinds: String,
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

/// Patients of the three parts, 70 / 10 / 20 % as in the paper (section "Model Training Parameters").
#[derive(Debug, Clone)]
pub struct Split {
    /// Trained on.
    pub train: Vec<Entry>,
    /// Steers the learning rate and the stop.
    pub validation: Vec<Entry>,
    /// Touched by `evaluate` only.
    pub test: Vec<Entry>,
}

/// Why a set could not be read.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The index is missing or no CSV.
    #[error("{path}: {source}")]
    Index {
        /// The index.
        path: PathBuf,
        /// What csv said.
        source: csv::Error,
    },
    /// Too few patients for three parts.
    #[error("{path}: {patients} patients; a 70/10/20 split needs at least 5")]
    TooFew {
        /// The index.
        path: PathBuf,
        /// How many it names.
        patients: usize,
    },
    /// A file could not be read.
    #[error(transparent)]
    Itk(#[from] ItkError),
    /// A CT could not be prepared.
    #[error("{id}: {source}")]
    Preprocess {
        /// Patient.
        id: String,
        /// What went wrong.
        source: ItkError,
    },
    /// The mask lies elsewhere than its CT.
    #[error("{id}: the mask's grid ({mask:?}) is not the CT's ({ct:?})")]
    OtherGrid {
        /// Patient.
        id: String,
        /// Voxels of the CT.
        ct: [usize; 3],
        /// Voxels of the mask.
        mask: [usize; 3],
    },
    /// There is no bone in the CT.
    #[error("{id}: no voxel reaches the model's bone threshold; is the CT in HU?")]
    NoBone {
        /// Patient.
        id: String,
    },
}

/// Reads `index.csv` of a folder; its paths become absolute or relative to the caller.
pub fn index(dir: &Path) -> Result<Vec<Entry>, DatasetError> {
    let path = dir.join("index.csv");
    let wrap = |source| DatasetError::Index { path: path.clone(), source };
    let mut entries: Vec<Entry> = csv::Reader::from_path(&path)
        .map_err(wrap)?
        .into_deserialize()
        .collect::<Result<_, _>>()
        .map_err(wrap)?;
    for entry in &mut entries {
        entry.ct = dir.join(&entry.ct);
        entry.mask = dir.join(&entry.mask);
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(entries)
}

/// Splits by patient: sorted ids, shuffled with a seeded ChaCha generator.
pub fn split(dir: &Path, seed: u64) -> Result<Split, DatasetError> {
    let entries = index(dir)?;
    let mut ids: Vec<String> = entries.iter().map(|e| e.id.clone()).collect();
    ids.dedup();
    if ids.len() < 5 {
        return Err(DatasetError::TooFew { path: dir.join("index.csv"), patients: ids.len() });
    }
    shuffle(&mut ids, &mut ChaCha12Rng::seed_from_u64(seed));
    let count = ids.len() as f64;
    let train = (count * 0.7).round() as usize;
    let validation = ((count * 0.1).round() as usize).max(1);
    let of = |part: &[String]| entries.iter().filter(|e| part.contains(&e.id)).cloned().collect();
    Ok(Split {
        train: of(&ids[..train]),
        validation: of(&ids[train..train + validation]),
        test: of(&ids[train + validation..]),
    })
}

/// Reads and prepares one pair exactly as a request is prepared.
pub fn load(entry: &Entry, recipe: &Recipe, monitor: &Monitor) -> Result<Patient, DatasetError> {
    let ct = itk::read_volume(&entry.ct, MAXIMUM_VOXELS)?;
    let mask = itk::read_mask(&entry.mask, MAXIMUM_VOXELS)?;
    let id = || entry.id.clone();
    if !ct.grid().same_place(mask.grid(), 0.01) {
        return Err(DatasetError::OtherGrid { id: id(), ct: ct.grid().size(), mask: mask.grid().size() });
    }
    let prepared = preprocess::prepare(&ct, recipe, monitor)
        .map_err(|source| DatasetError::Preprocess { id: id(), source })?
        .ok_or_else(|| DatasetError::NoBone { id: id() })?;
    let mask = itk::resample(&mask, prepared.normalised.grid(), Interpolation::Nearest, 0, monitor)?;
    let (_, lesions) = itk::connected_components(&mask, monitor)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    #[test]
    fn a_split_keeps_patients_apart_and_repeats() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = String::from("id,ct,mask,kinds\n");
        for n in 0..20 {
            // Two volumes each: both must land on the same side.
            write!(lines, "p{n:02},p{n}/a.nii.gz,p{n}/am.nii.gz,\np{n:02},p{n}/b.nii.gz,p{n}/bm.nii.gz,\n")
                .unwrap();
        }
        std::fs::write(dir.path().join("index.csv"), lines).unwrap();
        let split = super::split(dir.path(), 7).unwrap();
        let ids = |part: &[Entry]| part.iter().map(|e| e.id.clone()).collect::<BTreeSet<_>>();
        let parts = [ids(&split.train), ids(&split.validation), ids(&split.test)];
        assert_eq!(parts.each_ref().map(BTreeSet::len), [14, 2, 4]);
        assert_eq!(parts.iter().flatten().collect::<BTreeSet<_>>().len(), 20, "no patient in two parts");
        assert_eq!(split.train.len(), 28);
        let again = super::split(dir.path(), 7).unwrap();
        assert_eq!(ids(&again.test), parts[2]);
    }

    #[test]
    fn too_few_patients_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.csv"), "id,ct,mask\na,a,a\n").unwrap();
        assert!(matches!(super::split(dir.path(), 0), Err(DatasetError::TooFew { patients: 1, .. })));
    }
}
