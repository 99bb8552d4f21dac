//! Instances of a folder (with its subfolders), a zip archive or one file.

use super::error::ReadError;
use super::limits::{Budget, Limits, ReadOptions};
use super::series::{Series, SeriesReader};
use super::zip::{Entry, ZipFiles, is_zip};
use crate::monitor::{Monitor, Stage};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// Files decoded at the same time: enough for every core, few enough to hold in memory.
const BATCH_FILES: usize = 64;
const BATCH_BYTES: usize = 64 << 20;

/// Yields `(name, bytes)`, names relative to the path, in the order of the names. Files are read as they
/// come; whether they are DICOM is not looked at.
pub struct PathInstances {
    root: PathBuf,
    from: From,
    budget: Budget,
    outside: usize,
    files: usize,
}

enum From {
    Files(std::vec::IntoIter<PathBuf>),
    Zip(Box<ZipFiles<File>>),
}

impl PathInstances {
    /// Files in all, folders inside a zip archive included.
    pub fn files(&self) -> usize {
        self.files
    }

    /// Archive entries not read so far because their names lead out of the archive.
    pub fn outside(&self) -> usize {
        self.outside
    }

    fn read(&mut self, path: &Path) -> Result<(String, Vec<u8>), ReadError> {
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        let name = name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(self.budget.next_file() + 1).read_to_end(&mut bytes))
            .map_err(|error| io_error(path, &error))?;
        self.budget.add(bytes.len() as u64)?;
        Ok((name, bytes))
    }
}

impl Iterator for PathInstances {
    type Item = Result<(String, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match &mut self.from {
                From::Files(paths) => {
                    let path = paths.next()?;
                    return Some(self.read(&path));
                }
                From::Zip(zip) => match zip.next_entry(&self.budget)? {
                    Ok(Entry::Outside) => self.outside += 1,
                    Ok(Entry::File(name, bytes)) => {
                        let counted = self.budget.add(bytes.len() as u64);
                        return Some(counted.map(|()| (name, bytes)));
                    }
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}

/// Opens a folder, a zip archive (told by its content) or a single file.
pub fn instances_of_path(path: &Path, limits: &Limits) -> Result<PathInstances, ReadError> {
    let budget = Budget::new(limits);
    let from = if path.is_dir() {
        let mut paths = Vec::new();
        collect(path, limits.max_files, &mut paths)?;
        paths.sort();
        From::Files(paths.into_iter())
    } else {
        let mut file = File::open(path).map_err(|error| io_error(path, &error))?;
        let mut magic = Vec::new();
        let read = (&mut file).take(4).read_to_end(&mut magic).and_then(|_| file.rewind());
        read.map_err(|error| io_error(path, &error))?;
        if is_zip(&magic) {
            From::Zip(Box::new(ZipFiles::open(file, &file_name(path), limits)?))
        } else {
            From::Files(vec![path.to_owned()].into_iter())
        }
    };
    let files = match &from {
        From::Files(paths) => paths.len(),
        From::Zip(zip) => zip.len(),
    };
    let root = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    Ok(PathInstances { root: root.to_owned(), from, budget, outside: 0, files })
}

/// Reads a folder, a zip archive or one instance into a volume, decoding on all cores.
pub fn read_path(path: &Path, options: ReadOptions, monitor: &Monitor) -> Result<Series, ReadError> {
    let mut files = instances_of_path(path, &options.limits)?;
    let total = files.files();
    let mut reader = SeriesReader::new(options);
    loop {
        let batch = next_batch(&mut files)?;
        if batch.is_empty() {
            break;
        }
        reader.push_all(batch)?;
        monitor.step(Stage::Decode, reader.files(), total.max(reader.files()))?;
    }
    reader.note_outside(files.outside());
    reader.finish(monitor)
}

fn next_batch(files: &mut PathInstances) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_FILES && bytes < BATCH_BYTES {
        let Some(file) = files.next() else { break };
        let file = file?;
        bytes += file.1.len();
        batch.push(file);
    }
    Ok(batch)
}

/// Linked folders are not followed, so a link cannot make a loop.
pub(super) fn collect(folder: &Path, most: usize, paths: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let entries = std::fs::read_dir(folder).map_err(|error| io_error(folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| io_error(folder, &error))?;
        let kind = entry.file_type().map_err(|error| io_error(folder, &error))?;
        if kind.is_dir() {
            collect(&entry.path(), most, paths)?;
        } else if entry.path().is_file() {
            paths.push(entry.path());
        }
        if paths.len() > most {
            let found = paths.len() as u64;
            return Err(ReadError::LimitExceeded { what: "files", limit: most as u64, found });
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn io_error(path: &Path, error: &std::io::Error) -> ReadError {
    ReadError::Io { path: path.display().to_string(), reason: error.to_string() }
}
