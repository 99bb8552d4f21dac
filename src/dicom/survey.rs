//! What lies in a folder: CT series and segmentations, told by the beginnings of files.

use super::error::ReadError;
use super::folder::collect;
use super::limits::Limits;
use super::part10::head;
use dicom_dictionary_std::uids;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The Series Instance UID stands within the first few kilobytes; private groups may come before it.
const HEAD_BYTES: u64 = 64 << 10;

/// CT series and segmentation objects below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Series Instance UID of each CT series, and the folder that holds its instances.
    pub ct: BTreeMap<String, PathBuf>,
    /// Segmentation files, in the order of their names.
    pub segmentations: Vec<PathBuf>,
}

/// Looks at every file of `folder` and its sub-folders.
pub fn survey(folder: &Path, limits: &Limits) -> Result<Survey, ReadError> {
    let mut paths = Vec::new();
    collect(folder, limits.max_files, &mut paths)?;
    paths.sort();
    let mut found = Survey::default();
    for path in paths {
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut bytes));
        read.map_err(|e| ReadError::Io { path: path.display().to_string(), reason: e.to_string() })?;
        let Some(head) = head(&bytes) else { continue };
        match head.sop_class_uid.as_str() {
            uids::CT_IMAGE_STORAGE
            | uids::ENHANCED_CT_IMAGE_STORAGE
            | uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE => {
                let holder = path.parent().unwrap_or(folder).to_owned();
                let entry = found.ct.entry(head.series_instance_uid).or_insert_with(|| holder.clone());
                // A series in several folders is read from the one that holds them all.
                while !holder.starts_with(&*entry) && entry.pop() {}
            }
            uids::SEGMENTATION_STORAGE | super::seg_type::LABEL_MAP_STORAGE => {
                found.segmentations.push(path);
            }
            _ => {}
        }
    }
    Ok(found)
}
