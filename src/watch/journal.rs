//! What was done with which series: JSON lines that only grow, each on disk before anything relies on it.

use crate::dicom::web::SeriesRecord;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What became of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was there before the watch began, and is left alone.
    Before,
    /// Its SEG is in the archive.
    Done,
    /// It cannot be segmented, however often one tries.
    Refused,
    /// It was not segmented this time.
    Failed,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Series Instance UID.
    pub series_uid: String,
    /// How many instances it had, where the archive counts them.
    pub instances: Option<u64>,
    /// What became of it.
    pub state: State,
    /// Series Instance UID of the SEG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seg_series_uid: Option<String>,
    /// How many fractures it marks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<usize>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Entry {
    fn new(series: &SeriesRecord, state: State) -> Self {
        Self {
            series_uid: series.series_uid.clone(),
            instances: series.instances,
            state,
            seg_series_uid: None,
            findings: None,
            reason: None,
        }
    }

    /// It was there before.
    pub(super) fn before(series: &SeriesRecord) -> Self {
        Self::new(series, State::Before)
    }

    /// Its SEG is stored.
    pub(super) fn done(series: &SeriesRecord, seg_series_uid: String, findings: usize) -> Self {
        let (seg_series_uid, findings) = (Some(seg_series_uid), Some(findings));
        Self { seg_series_uid, findings, ..Self::new(series, State::Done) }
    }

    /// It has none.
    pub(super) fn failed(series: &SeriesRecord, state: State, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..Self::new(series, state) }
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// From here on, what appears in the archive is new.
    Begun {
        begun: bool,
    },
    Entry(Entry),
}

/// Why there is no journal.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("journal {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else follows an archive with it.
    #[error("journal {path} is in use by another watch; give each archive its own with --journal")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is another file.
    #[error("{path}: line {line} is not of a journal; give another file with --journal")]
    NotOne {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

/// The journal, locked while it is open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    begun: bool,
    last: HashMap<String, (Entry, u32)>,
}

impl Journal {
    /// Opens or makes one. A last line without its end is that of a crash and is dropped.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        file.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => JournalError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => failed(source),
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).and_then(|()| file.seek(io::SeekFrom::End(0))).map_err(failed)?;
        let mut journal = Self { path: path.to_owned(), file, begun: false, last: HashMap::new() };
        for (n, line) in text[..whole].lines().enumerate() {
            let not_one = |_| JournalError::NotOne { path: path.to_owned(), line: n + 1 };
            journal.take(serde_json::from_str(line).map_err(not_one)?);
        }
        Ok(journal)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Begun { begun } => self.begun = begun,
            Line::Entry(entry) => {
                let failures = u32::from(entry.state == State::Failed);
                let before = self.last.get(&entry.series_uid).map_or(0, |(last, failures)| {
                    if last.instances == entry.instances { *failures } else { 0 }
                });
                self.last.insert(entry.series_uid.clone(), (entry, before + failures));
            }
        }
    }

    /// Whether it says what was there before.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Says what was there before; a crash in between leaves it unsaid.
    pub fn begin(&mut self, before: impl Iterator<Item = Entry>) -> Result<(), JournalError> {
        let lines = before.map(Line::Entry).chain([Line::Begun { begun: true }]);
        self.append(lines.collect())
    }

    /// Adds what became of a series.
    pub fn record(&mut self, entry: Entry) -> Result<(), JournalError> {
        self.append(vec![Line::Entry(entry)])
    }

    fn append(&mut self, lines: Vec<Line>) -> Result<(), JournalError> {
        let text = lines.iter().try_fold(String::new(), |text, line| {
            serde_json::to_string(line).map(|line| text + &line + "\n").map_err(io::Error::from)
        });
        let written = text.and_then(|text| self.file.write_all(text.as_bytes()));
        let failed = |source| JournalError::File { path: self.path.clone(), source };
        written.and_then(|()| self.file.sync_data()).map_err(failed)?;
        for line in lines {
            self.take(line);
        }
        Ok(())
    }

    /// How often a series of this size has failed.
    pub fn attempts(&self, series: &SeriesRecord) -> u32 {
        let same = self.last.get(&series.series_uid).filter(|(last, _)| last.instances == series.instances);
        same.map_or(0, |(_, failures)| *failures)
    }

    /// Whether there is something to do: it is new, has grown, or failed fewer than `attempts` times.
    pub fn wants(&self, series: &SeriesRecord, attempts: u32) -> bool {
        self.last.get(&series.series_uid).is_none_or(|(last, failures)| {
            series.instances > last.instances || (last.state == State::Failed && *failures < attempts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn series(uid: &str, instances: u64) -> SeriesRecord {
        SeriesRecord::new(["1", uid, "CT"], Some(instances), [])
    }

    fn temporary() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        (folder, path)
    }

    #[test]
    fn what_was_done_is_known_after_a_restart() {
        let (_folder, path) = temporary();
        let mut journal = Journal::open(&path).unwrap();
        assert!(!journal.has_begun());
        journal.begin([Entry::before(&series("1.0", 9))].into_iter()).unwrap();
        journal.record(Entry::done(&series("1.1", 5), "2.1".into(), 3)).unwrap();
        journal.record(Entry::failed(&series("1.2", 5), State::Failed, "UNREACHABLE")).unwrap();
        journal.record(Entry::failed(&series("1.3", 5), State::Refused, "NOT_CT")).unwrap();
        drop(journal);

        let journal = Journal::open(&path).unwrap();
        assert!(journal.has_begun());
        let wants = |uid, n| journal.wants(&series(uid, n), 2);
        assert!(!wants("1.0", 9) && !wants("1.1", 5) && !wants("1.3", 5));
        assert!(wants("1.2", 5), "one failure of two");
        assert!(wants("1.1", 6), "it has grown");
        assert!(!wants("1.1", 4), "instances that were deleted change nothing");
        assert!(wants("1.9", 1));
    }

    #[test]
    fn a_series_is_given_up_after_so_many_failures_until_it_grows() {
        let (_folder, path) = temporary();
        let mut journal = Journal::open(&path).unwrap();
        for _ in 0..2 {
            assert!(journal.wants(&series("1", 5), 2));
            journal.record(Entry::failed(&series("1", 5), State::Failed, "UNREACHABLE")).unwrap();
        }
        assert!(!journal.wants(&series("1", 5), 2));
        assert_eq!((journal.attempts(&series("1", 5)), journal.attempts(&series("1", 6))), (2, 0));
        journal.record(Entry::failed(&series("1", 6), State::Failed, "UNREACHABLE")).unwrap();
        assert!(journal.wants(&series("1", 6), 2));
    }

    #[test]
    fn half_a_line_is_dropped_and_the_rest_holds() {
        let (_folder, path) = temporary();
        let mut journal = Journal::open(&path).unwrap();
        journal.record(Entry::done(&series("1.1", 5), "2.1".into(), 0)).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], br#"{"series_uid":"1.2","inst"#].concat()).unwrap();

        let mut journal = Journal::open(&path).unwrap();
        assert!(!journal.wants(&series("1.1", 5), 1) && journal.wants(&series("1.2", 5), 1));
        journal.record(Entry::done(&series("1.2", 5), "2.2".into(), 0)).unwrap();
        drop(journal);
        assert!(!Journal::open(&path).unwrap().wants(&series("1.2", 5), 1));
    }

    #[test]
    fn two_watches_do_not_share_a_journal_and_another_file_is_left_alone() {
        let (_folder, path) = temporary();
        let journal = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse { .. })));
        drop(journal);
        fs::write(&path, "workers = 3\n").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::NotOne { line: 1, .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "workers = 3\n");
    }
}
