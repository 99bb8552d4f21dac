//! How the pixels of a segmentation are stored (PS3.3 C.8.20.2.3).

use super::elements::{DataSet, short, text};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_dictionary_std::uids::SEGMENTATION_STORAGE;

/// LABELMAP objects have a class of their own (Supplement 243).
pub(super) const LABEL_MAP_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.66.7";

/// The segment there is.
pub(super) const SEGMENT: u16 = 1;

/// What is none, where pixels have to name it.
pub(super) const BACKGROUND: u16 = 0;

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

    /// The segment that a whole frame is of; a label map's pixels name theirs.
    pub fn frame_segment(self) -> Option<u16> {
        (self == Self::Binary).then_some(SEGMENT)
    }

    /// Bits Allocated.
    pub fn bits(self) -> usize {
        match self {
            Self::Binary => 1,
            Self::LabelMap => 8,
        }
    }

    /// SOP class, Segmentation Type and what follows from it in the Image Pixel module.
    pub fn describe(self, to: &mut DataSet) {
        let (class, name) = match self {
            Self::Binary => (SEGMENTATION_STORAGE, "BINARY"),
            Self::LabelMap => (LABEL_MAP_STORAGE, "LABELMAP"),
        };
        text(to, tags::SOP_CLASS_UID, VR::UI, class);
        text(to, tags::SEGMENTATION_TYPE, VR::CS, name);
        let bits = self.bits() as u16;
        short(to, tags::BITS_ALLOCATED, bits);
        short(to, tags::BITS_STORED, bits);
        short(to, tags::HIGH_BIT, bits - 1);
        if self == Self::LabelMap {
            short(to, tags::PIXEL_PADDING_VALUE, BACKGROUND);
        }
    }

    /// Pixel Data of all frames, one after the other, padded to an even number of bytes.
    pub fn encode(self, pixels: impl Iterator<Item = bool>) -> Vec<u8> {
        let mut bytes = match self {
            Self::Binary => pack(pixels),
            Self::LabelMap => pixels.map(u8::from).collect(),
        };
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }
}

/// Bits one after the other, the first pixel in the least significant bit (PS3.5 8.2).
fn pack(pixels: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, pixel) in pixels.enumerate() {
        if n % 8 == 0 {
            bytes.push(0);
        }
        bytes[n / 8] |= u8::from(pixel) << (n % 8);
    }
    bytes
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

    #[test]
    fn bits_run_across_frames_from_the_least_significant() {
        let frames = [[true, false, false], [false, true, true], [true, true, true]];
        let encode = |frames: &[[bool; 3]]| SegmentationType::Binary.encode(frames.iter().flatten().copied());
        assert_eq!(encode(&frames), [0b1111_0001, 0b0000_0001]);
        assert_eq!(encode(&frames[..1]), [1, 0]);
    }
}
