//! The volumes of a split, read and checked in one go.

use super::dataset::{self, DataOptions, DatasetError, Entry, Patient};
use super::discover::discover;
use super::event::Event;
use super::problem::{Problem, Problems};
use super::split::{self, Split};
use crate::monitor::Monitor;
use crate::preprocess::Recipe;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// Most pairs in hand at once, each with its whole CT in memory.
const SIDE_BY_SIDE: usize = 8;

/// What a set holds, for people to recognise mistakes by.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Patients of training, validation and test.
    pub patients: [usize; 3],
    /// Volumes of the same.
    pub volumes: [usize; 3],
    /// Volumes without a fracture, of the same.
    pub healthy: [usize; 3],
    /// Lowest and highest spacing of the CTs as stored, per axis of the file.
    pub spacing_mm: [[f64; 3]; 2],
}

/// Prepared volumes.
pub struct Loaded {
    /// Training part.
    pub train: Vec<Patient>,
    /// Validation part.
    pub validation: Vec<Patient>,
    /// The whole set, test part included.
    pub summary: Summary,
    /// Who is in which part.
    pub split: Split,
}

/// Reads every pair. Those of the test part are only looked at, so that no mistake in them is found
/// after days of training.
pub fn load(
    options: &DataOptions,
    seed: u64,
    recipe: &Recipe,
    on: &mut dyn FnMut(Event),
) -> Result<Loaded, DatasetError> {
    let (entries, problems) = discover(&options.path)?;
    let split = match &options.split {
        _ if !problems.0.is_empty() => None,
        Some(path) => Some(split::follow(path, &entries)?),
        None => Some(split::draw(&entries, seed)?),
    };
    let parts: [&[Entry]; 3] = match &split {
        Some(split) => [&split.train[..], &split.validation, &split.test],
        // The pairs that were found are checked nevertheless, so that the list is whole.
        None => [&[], &[], &entries[..]],
    };
    let mut reader = Reader::new(problems);
    let total = entries.len();
    let all: Vec<(usize, &Entry)> =
        parts.iter().enumerate().flat_map(|(part, p)| p.iter().map(move |e| (part, e))).collect();
    let mut prepared = [Vec::new(), Vec::new()];
    for some in all.chunks(rayon::current_num_threads().min(SIDE_BY_SIDE)) {
        // After a problem nothing will be trained: the rest is checked without keeping it.
        let fine = reader.problems.0.is_empty();
        let seen: Vec<_> =
            some.par_iter().map(|(part, entry)| look(entry, *part < 2 && fine, options, recipe)).collect();
        for (&(part, entry), seen) in some.iter().zip(seen) {
            if let Some(patient) = reader.take(entry, part, seen) {
                prepared[part].push(patient);
            }
            on(Event::Loaded(reader.done, total));
        }
    }
    let Some(split) = split.clone().filter(|_| reader.problems.0.is_empty()) else {
        return Err(reader.problems.into());
    };
    let mut summary = reader.summary;
    summary.patients = [&split.train, &split.validation, &split.test].map(|part| patients(part));
    let [train, validation] = prepared;
    Ok(Loaded { train, validation, summary, split })
}

fn patients(part: &[Entry]) -> usize {
    part.iter().map(|e| &e.patient).collect::<std::collections::BTreeSet<_>>().len()
}

/// What a pair is, with itself for training where it is wanted.
struct Seen {
    spacing_mm: [f64; 3],
    healthy: bool,
    patient: Option<Patient>,
}

/// Reads and checks a pair, and prepares it to `keep`.
fn look(entry: &Entry, keep: bool, options: &DataOptions, recipe: &Recipe) -> Result<Seen, Problem> {
    let pair = dataset::read(&entry.ct, &entry.mask, &options.labels)?;
    if !pair.ct_hu.voxels().iter().any(|hu| f64::from(*hu) >= recipe.bone_hu) {
        return Err(Problem::NoBone);
    }
    Ok(Seen {
        spacing_mm: pair.ct_hu.grid().spacing_mm(),
        healthy: !pair.mask.voxels().contains(&1),
        patient: keep.then(|| dataset::prepare(entry, &pair, recipe, &Monitor::default())).transpose()?,
    })
}

/// Remembers what was seen.
struct Reader {
    problems: Problems,
    summary: Summary,
    done: usize,
}

impl Reader {
    fn new(problems: Problems) -> Self {
        let spacing_mm = [[f64::INFINITY; 3], [0.0; 3]];
        let summary = Summary { patients: [0; 3], volumes: [0; 3], healthy: [0; 3], spacing_mm };
        Self { problems, summary, done: 0 }
    }

    /// The prepared pair; none of one that is not kept or has a problem.
    fn take(&mut self, entry: &Entry, part: usize, seen: Result<Seen, Problem>) -> Option<Patient> {
        self.done += 1;
        let seen = seen.map_err(|problem| self.problems.0.push((entry.id.clone(), problem))).ok()?;
        self.summary.volumes[part] += 1;
        self.summary.healthy[part] += usize::from(seen.healthy);
        let [low, high] = &mut self.summary.spacing_mm;
        for (axis, mm) in seen.spacing_mm.into_iter().enumerate() {
            (low[axis], high[axis]) = (low[axis].min(mm), high[axis].max(mm));
        }
        seen.patient
    }
}

/// SHA-256 over what the network will see, so that a run does not go on with other volumes.
pub fn fingerprint<'a>(patients: impl Iterator<Item = &'a Patient>) -> String {
    let mut hash = Sha256::new();
    for patient in patients {
        hash.update(patient.entry.id.as_bytes());
        hash.update(patient.entry.times().to_le_bytes());
        hash.update(patient.mask.voxels());
        for part in patient.normalised.voxels().chunks(4096) {
            let bytes: Vec<u8> = part.iter().flat_map(|v| v.to_le_bytes()).collect();
            hash.update(&bytes);
        }
    }
    hex::encode(hash.finalize())
}
