//! The coded concepts a fracture segment needs, from SNOMED CT and DICOM's own scheme (PS3.16).

use super::elements::{DataSet, text};
use dicom_core::VR;
use dicom_dictionary_std::tags;

/// One coded concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    /// Code Value.
    pub value: &'static str,
    /// Coding Scheme Designator.
    pub scheme: &'static str,
    /// Code Meaning.
    pub meaning: &'static str,
}

impl Code {
    const fn new(value: &'static str, scheme: &'static str, meaning: &'static str) -> Self {
        Self { value, scheme, meaning }
    }

    /// As an item of a code sequence (PS3.3 8.8).
    pub(super) fn item(self) -> DataSet {
        let mut item = DataSet::new_empty();
        text(&mut item, tags::CODE_VALUE, VR::SH, self.value);
        text(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, self.scheme);
        text(&mut item, tags::CODE_MEANING, VR::LO, self.meaning);
        item
    }
}

/// Segmented property category (CID 7150).
pub(super) const ABNORMAL_STRUCTURE: Code =
    Code::new("49755003", "SCT", "Morphologically Abnormal Structure");
/// Segmented property type: the morphology. 125605004 is a disorder and belongs in a report.
pub(super) const FRACTURE: Code = Code::new("72704001", "SCT", "Fracture");
/// Category and type of what belongs to no segment.
pub(super) const BACKGROUND: Code = Code::new("125040", "DCM", "Background");
/// Anatomic region.
pub(super) const SPINE: Code = Code::new("421060004", "SCT", "Spine");
/// Algorithm family (CID 7162).
pub(super) const ARTIFICIAL_INTELLIGENCE: Code = Code::new("123110", "DCM", "Artificial Intelligence");
/// Derivation (CID 7203).
pub(super) const SEGMENTATION: Code = Code::new("113076", "DCM", "Segmentation");
/// Purpose of reference (CID 7202).
pub(super) const SOURCE_FOR_PROCESSING: Code =
    Code::new("121322", "DCM", "Source image for image processing operation");
