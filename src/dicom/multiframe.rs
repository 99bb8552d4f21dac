//! Enhanced and Legacy Converted Enhanced CT: geometry and rescale from functional groups (PS3.3
//! C.7.6.16), per frame or shared.

use super::attributes::{Required, items};
use super::elements::DataSet;
use super::error::ReadError;
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// The functional groups of one instance.
pub(super) struct Groups<'a> {
    shared: Option<&'a DataSet>,
    per_frame: &'a [DataSet],
}

impl<'a> Groups<'a> {
    /// Fails when there is not one per-frame item for each frame.
    pub(super) fn of(data_set: &'a DataSet, frames: usize, required: &Required) -> Result<Self, ReadError> {
        let tag = tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE;
        let per_frame = items(data_set, tag);
        if per_frame.len() != frames {
            let reason = format!("has {} items for {frames} frames", per_frame.len());
            return Err(required.invalid(tag, reason));
        }
        let shared = items(data_set, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
        Ok(Self { shared, per_frame })
    }

    /// The item of a macro for frame `n`.
    pub(super) fn find(&self, n: usize, group: Tag) -> Option<&'a DataSet> {
        let own = items(&self.per_frame[n], group).first();
        own.or_else(|| self.shared.and_then(|shared| items(shared, group).first()))
    }

    /// The item of a macro that must exist.
    pub(super) fn require(
        &self,
        n: usize,
        group: Tag,
        required: &Required,
    ) -> Result<&'a DataSet, ReadError> {
        self.find(n, group).ok_or_else(|| required.missing(group))
    }
}
