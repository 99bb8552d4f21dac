//! Files → one series → a volume in HU.

use super::error::ReadError;
use super::instance::{CtInstance, Outcome, Slice, decode};
use super::limits::{Budget, ReadOptions};
use super::source::SourceSeries;
use super::stack::Stack;
use super::zip::{Entry, ZipFiles, is_zip};
use crate::monitor::{Monitor, Stage};
use crate::volume::Volume;
use dicom_object::InMemDicomObject;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;

/// A CT volume and what it came from. `Debug` shows neither voxels nor identity.
#[derive(Clone)]
pub struct Series {
    /// HU on a right-handed grid: i along the rows, j down the columns, k along their normal.
    pub volume: Volume<i16>,
    /// What a segmentation of the volume refers to.
    pub source: SourceSeries,
}

impl fmt::Debug for Series {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Series").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Slices of one Series Instance UID.
struct Gathered {
    header: InMemDicomObject,
    slices: Vec<Slice>,
    notes: Vec<String>,
}

/// Takes instances in any order and makes a volume of the wanted series.
///
/// Each file is decoded when it arrives and its bytes are dropped. Files that are no DICOM are ignored
/// with a note, so are other modalities, localizers and other series. A broken file is an error when it
/// belongs to the series that is taken in the end, or when it cannot be told to which it belongs.
pub struct SeriesReader {
    options: ReadOptions,
    budget: Budget,
    voxels: u64,
    series: BTreeMap<String, Gathered>,
    broken: Vec<(ReadError, Option<String>)>,
    other_modality: Option<String>,
    ignored: BTreeMap<&'static str, usize>,
}

const NOT_DICOM: &str = "not DICOM";
const NOT_CT: &str = "not CT images";
const OUTSIDE: &str = "archive entries whose names lead out of the archive";

impl SeriesReader {
    /// An empty reader.
    pub fn new(options: ReadOptions) -> Self {
        Self {
            budget: Budget::new(&options.limits),
            options,
            voxels: 0,
            series: BTreeMap::new(),
            broken: Vec::new(),
            other_modality: None,
            ignored: BTreeMap::new(),
        }
    }

    /// Files taken so far, those inside archives included.
    pub fn files(&self) -> usize {
        self.budget.files()
    }

    /// Takes one file: an instance, a zip archive of instances, or anything else, which is ignored.
    /// Fails only when a limit is exceeded or an archive is broken; see [`SeriesReader::finish`].
    pub fn push(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ReadError> {
        self.push_all(vec![(name.to_owned(), bytes)])
    }

    /// Takes several files and decodes them on all cores.
    pub fn push_all(&mut self, files: Vec<(String, Vec<u8>)>) -> Result<(), ReadError> {
        let (archives, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, b)| is_zip(b));
        for (_, bytes) in &files {
            self.budget.add(bytes.len() as u64)?;
        }
        let options = &self.options;
        let outcomes: Vec<Outcome> =
            files.into_par_iter().map(|(name, bytes)| decode(&name, &bytes, options)).collect();
        for outcome in outcomes {
            self.take(outcome)?;
        }
        archives.into_iter().try_for_each(|(name, bytes)| self.unpack(&name, bytes))
    }

    /// An archive inside an archive stays closed: it is no DICOM.
    fn unpack(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ReadError> {
        self.budget.add(bytes.len() as u64)?;
        let mut files = ZipFiles::open(Cursor::new(bytes), name, &self.options.limits)?;
        while let Some(entry) = files.next_entry(&self.budget) {
            match entry? {
                Entry::Outside => self.note_outside(1),
                Entry::File(name, bytes) => {
                    self.budget.add(bytes.len() as u64)?;
                    let outcome = decode(&name, &bytes, &self.options);
                    self.take(outcome)?;
                }
            }
        }
        Ok(())
    }

    /// Counts archive entries that were not read.
    pub(super) fn note_outside(&mut self, entries: usize) {
        if entries > 0 {
            *self.ignored.entry(OUTSIDE).or_default() += entries;
        }
    }

    fn take(&mut self, outcome: Outcome) -> Result<(), ReadError> {
        let mut ignore = |why| *self.ignored.entry(why).or_default() += 1;
        match outcome {
            Outcome::NotDicom => ignore(NOT_DICOM),
            Outcome::LeftOut(why) => ignore(why),
            Outcome::Other { modality } => {
                ignore(NOT_CT);
                self.other_modality.get_or_insert(modality);
            }
            Outcome::Broken { error, series_uid } => self.broken.push((error, series_uid)),
            Outcome::Ct(instance) => return self.gather(*instance),
        }
        Ok(())
    }

    fn gather(&mut self, instance: CtInstance) -> Result<(), ReadError> {
        self.voxels += instance.slices.iter().map(|slice| slice.hu.len() as u64).sum::<u64>();
        let (limit, found) = (self.options.limits.max_voxels, self.voxels);
        if found > limit {
            return Err(ReadError::LimitExceeded { what: "voxels", limit, found });
        }
        let CtInstance { series_uid, header, slices, notes } = instance;
        let gathered = self.series.entry(series_uid).or_insert_with(|| Gathered {
            header,
            slices: Vec::new(),
            notes: Vec::new(),
        });
        gathered.slices.extend(slices);
        for note in notes {
            if !gathered.notes.contains(&note) {
                gathered.notes.push(note);
            }
        }
        Ok(())
    }

    /// Chooses the series, sorts its slices and binds them to a grid.
    pub fn finish(self, monitor: &Monitor) -> Result<Series, ReadError> {
        let (files, options) = (self.files(), self.options.clone());
        let stack = self.into_stack()?;
        let series = stack.into_series(&options, monitor)?;
        monitor.step(Stage::Decode, files, files)?;
        Ok(series)
    }

    /// The sorted slices of the chosen series, before anything is asked of their spacing.
    pub fn into_stack(mut self) -> Result<Stack, ReadError> {
        let Some(uid) = self.choose() else { return Err(self.nothing_found()) };
        let of_it = |series: &Option<String>| series.as_ref().is_none_or(|series| *series == uid);
        if let Some(at) = self.broken.iter().position(|(_, series)| of_it(series)) {
            return Err(self.broken.swap_remove(at).0);
        }
        let Some(Gathered { header, slices, mut notes }) = self.series.remove(&uid) else {
            return Err(self.nothing_found());
        };
        notes.extend(self.ignored.iter().map(|(why, files)| format!("{files} files ignored: {why}")));
        let others: usize = self.series.values().map(|other| other.slices.len()).sum();
        if others > 0 {
            let series = self.series.len();
            notes.push(format!("{others} slices of {series} other CT series were left out"));
        }
        if !self.broken.is_empty() {
            notes.push(format!("{} broken files of other series were ignored", self.broken.len()));
        }
        Stack::new(uid, header, slices, notes)
    }

    /// The wanted series, or the one with most slices, broken ones counted: half a series must not win
    /// over a whole one, nor a scout of three slices over a series that cannot be decoded.
    fn choose(&self) -> Option<String> {
        if let Some(wanted) = &self.options.series_uid {
            return Some(wanted.clone());
        }
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for (uid, gathered) in &self.series {
            *sizes.entry(uid).or_default() += gathered.slices.len();
        }
        for uid in self.broken.iter().filter_map(|(_, uid)| uid.as_ref()) {
            *sizes.entry(uid).or_default() += 1;
        }
        sizes.into_iter().max_by_key(|(_, size)| *size).map(|(uid, _)| uid.to_owned())
    }

    fn nothing_found(mut self) -> ReadError {
        if !self.broken.is_empty() {
            return self.broken.swap_remove(0).0;
        }
        let files = self.files();
        if let Some(series_uid) = self.options.series_uid {
            return ReadError::NoSuchSeries { series_uid, files };
        }
        match self.other_modality {
            Some(modality) => ReadError::NotCt { modality },
            None if self.ignored.keys().any(|why| *why == super::instance::LOCALIZERS) => {
                ReadError::NotCt { modality: "CT (localizers only)".into() }
            }
            None => ReadError::NoDicom { files },
        }
    }
}
