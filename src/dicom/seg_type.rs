//! How the pixels of a segmentation are stored (PS3.3 C.8.20.2.3).

use super::elements::{DataSet, short, text};
use super::seg_frames::{MaskFrame, pack};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_dictionary_std::uids::SEGMENTATION_STORAGE;

/// LABELMAP objects have a class of their own (Supplement 243).
pub(super) const LABEL_MAP_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.66.7";

/// Segmentation Type, as far as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentationType {
    /// One bit per pixel: what every viewer and archive reads.
    Binary,
    /// One byte per pixel, the number of its segment.
    LabelMap,
}

impl SegmentationType {
    /// BINARY, unless a frame would begin inside a byte: then readers disagree about its bits. OHIF 3.13
    /// shows such a mask in a wrong shape without a word, and label maps as they are; a reader that does
    /// not know label maps refuses them.
    pub fn of([columns, rows]: [usize; 2]) -> Self {
        if (columns * rows).is_multiple_of(8) { Self::Binary } else { Self::LabelMap }
    }

    /// SOP Class UID.
    pub fn sop_class(self) -> &'static str {
        match self {
            Self::Binary => SEGMENTATION_STORAGE,
            Self::LabelMap => LABEL_MAP_STORAGE,
        }
    }

    /// Bits Allocated.
    pub fn bits(self) -> usize {
        match self {
            Self::Binary => 1,
            Self::LabelMap => 8,
        }
    }

    /// Segmentation Type and what follows from it in the Image Pixel module.
    pub fn describe(self, to: &mut DataSet) {
        let name = match self {
            Self::Binary => "BINARY",
            Self::LabelMap => "LABELMAP",
        };
        text(to, tags::SEGMENTATION_TYPE, VR::CS, name);
        let bits = self.bits() as u16;
        short(to, tags::BITS_ALLOCATED, bits);
        short(to, tags::BITS_STORED, bits);
        short(to, tags::HIGH_BIT, bits - 1);
        if self == Self::LabelMap {
            short(to, tags::PIXEL_PADDING_VALUE, 0);
        }
    }

    /// Pixel Data, padded to an even number of bytes.
    pub fn encode(self, frames: &[MaskFrame]) -> Vec<u8> {
        match self {
            Self::Binary => pack(frames),
            Self::LabelMap => {
                let mut bytes: Vec<u8> =
                    frames.iter().flat_map(|frame| &frame.pixels).map(|pixel| u8::from(*pixel)).collect();
                bytes.resize(bytes.len().next_multiple_of(2), 0);
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_share_a_byte_become_label_maps() {
        for (size, meant) in [
            ([512, 512], SegmentationType::Binary),
            ([36, 56], SegmentationType::Binary),
            ([123, 123], SegmentationType::LabelMap),
            ([100, 101], SegmentationType::LabelMap),
        ] {
            assert_eq!(SegmentationType::of(size), meant, "{size:?}");
        }
    }
}
