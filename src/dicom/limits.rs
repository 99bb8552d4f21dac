//! How much a series may ask for, and how it is to be read.

use super::error::ReadError;

/// Bounds on what is read. Every count is of bytes or voxels really seen, never of what a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files in a folder, archive or stream.
    pub max_files: usize,
    /// Bytes of one file, after unpacking and after inflating a deflated data set.
    pub max_file_bytes: u64,
    /// Bytes of all files together.
    pub max_total_bytes: u64,
    /// Voxels held at once: all frames of all CT series in the input, and the volume made of them.
    pub max_voxels: u64,
    /// Unpacked bytes per byte of a zip archive, looked at once 16 MiB came out.
    pub max_zip_ratio: u64,
}

impl Default for Limits {
    /// Room for a whole-body CT at 0.5 mm (512 × 512 × 4000) and no more than 2 GiB of voxels.
    fn default() -> Self {
        Self {
            max_files: 20_000,
            max_file_bytes: 1 << 30,
            max_total_bytes: 4 << 30,
            max_voxels: 1 << 30,
            max_zip_ratio: 100,
        }
    }
}

/// Which series to read and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Series Instance UID of the wanted series; otherwise the CT series with most slices is taken.
    pub series_uid: Option<String>,
    /// Resample a tilted or unevenly spaced stack onto an even, right-angled grid instead of refusing it.
    pub resample_uneven: bool,
    /// Bounds on what is read.
    pub limits: Limits,
}

/// Counts files and bytes against their bounds.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    limits: Limits,
    files: usize,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), files: 0, bytes: 0 }
    }

    /// Files counted so far.
    pub(super) fn files(&self) -> usize {
        self.files
    }

    /// Most bytes the next file may have.
    pub(super) fn next_file(&self) -> u64 {
        self.limits.max_file_bytes.min(self.limits.max_total_bytes.saturating_sub(self.bytes))
    }

    /// Counts one more file of `length` bytes.
    pub(super) fn add(&mut self, length: u64) -> Result<(), ReadError> {
        let limits = &self.limits;
        self.files += 1;
        self.bytes = self.bytes.saturating_add(length);
        for (what, limit, found) in [
            ("files", limits.max_files as u64, self.files as u64),
            ("bytes of one file", limits.max_file_bytes, length),
            ("bytes of all files", limits.max_total_bytes, self.bytes),
        ] {
            if found > limit {
                return Err(ReadError::LimitExceeded { what, limit, found });
            }
        }
        Ok(())
    }
}
