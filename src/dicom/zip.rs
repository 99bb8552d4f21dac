//! Files in a zip archive, unpacked in memory one after the other. Nothing is written anywhere, and no
//! size in the archive is believed: bytes are counted as they come out.

use super::error::ReadError;
use super::limits::{Budget, Limits};
use std::io::{Read, Seek, SeekFrom};
use zip::ZipArchive;
use zip::result::ZipError;

/// Below this many bytes a high ratio means a small archive, not a bomb.
const RATIO_FROM_BYTES: u64 = 16 << 20;

/// One entry.
pub(super) enum Entry {
    /// A file: its name in the archive and its content.
    File(String, Vec<u8>),
    /// A name that leads out of the archive (`..`, an absolute path): not read.
    Outside,
}

/// The entries of an archive in the order of its directory.
pub(super) struct ZipFiles<R> {
    archive: ZipArchive<R>,
    name: String,
    next: usize,
    packed_bytes: u64,
    unpacked_bytes: u64,
    limits: Limits,
}

/// Whether bytes begin like a zip archive, an empty one included.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Absolute names, drive letters and `..`, with either kind of slash.
fn leads_out(name: &str) -> bool {
    name.starts_with(['/', '\\'])
        || name.as_bytes().get(1) == Some(&b':')
        || name.split(['/', '\\']).any(|part| part == "..")
}

impl<R: Read + Seek> ZipFiles<R> {
    /// Reads the directory of the archive.
    pub(super) fn open(mut from: R, name: &str, limits: &Limits) -> Result<Self, ReadError> {
        let broken = |reason: String| ReadError::Zip { name: name.to_owned(), reason };
        let packed_bytes = from.seek(SeekFrom::End(0)).map_err(|error| broken(error.to_string()))?;
        from.rewind().map_err(|error| broken(error.to_string()))?;
        let archive = ZipArchive::new(from).map_err(|error| broken(error.to_string()))?;
        let (limit, found) = (limits.max_files as u64, archive.len() as u64);
        if found > limit {
            return Err(ReadError::LimitExceeded { what: "files in a zip archive", limit, found });
        }
        let (name, limits) = (name.to_owned(), limits.clone());
        Ok(Self { archive, name, next: 0, packed_bytes, unpacked_bytes: 0, limits })
    }

    /// Entries in all.
    pub(super) fn len(&self) -> usize {
        self.archive.len()
    }

    /// The next entry that is a file.
    pub(super) fn next_entry(&mut self, budget: &Budget) -> Option<Result<Entry, ReadError>> {
        while self.next < self.archive.len() {
            let n = self.next;
            self.next += 1;
            match self.entry(n, budget) {
                Ok(None) => {}
                Ok(Some(entry)) => return Some(Ok(entry)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    fn entry(&mut self, n: usize, budget: &Budget) -> Result<Option<Entry>, ReadError> {
        let allowed = budget.next_file().min(self.ratio_allows());
        let archive = self.name.clone();
        let broken = |error: ZipError| {
            let (name, reason) = (archive.clone(), error.to_string());
            ReadError::Zip { name, reason }
        };
        let mut file = self.archive.by_index(n).map_err(broken)?;
        if file.is_dir() {
            return Ok(None);
        }
        let name = file.name().map_err(broken)?.into_owned();
        if leads_out(&name) {
            return Ok(Some(Entry::Outside));
        }
        let mut bytes = Vec::new();
        file.by_ref().take(allowed.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| {
            ReadError::Zip { name: self.name.clone(), reason: format!("{name}: {error}") }
        })?;
        let found = bytes.len() as u64;
        if found > allowed {
            let what = "bytes unpacked from a zip archive";
            let (limit, found) = (self.unpacked_bytes + allowed, self.unpacked_bytes + found);
            return Err(ReadError::LimitExceeded { what, limit, found });
        }
        self.unpacked_bytes += found;
        Ok(Some(Entry::File(name, bytes)))
    }

    /// Bytes that may still come out before the archive counts as a bomb.
    fn ratio_allows(&self) -> u64 {
        let all = self.packed_bytes.saturating_mul(self.limits.max_zip_ratio).max(RATIO_FROM_BYTES);
        all.saturating_sub(self.unpacked_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out() {
        for name in ["/a", "\\a", "C:\\a", "../a", "a/../../b", "a\\..\\b", ".."] {
            assert!(leads_out(name), "{name}");
        }
        for name in ["a", "a/b.dcm", "..a/b..", "a/./b"] {
            assert!(!leads_out(name), "{name}");
        }
    }
}
