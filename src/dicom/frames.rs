//! Pixel Data → stored values, one frame at a time (PS3.5 8, PS3.3 C.7.6.3).

use super::attributes::{Required, integer, text};
use super::codestream::{self, Family};
use super::elements::DataSet;
use super::error::ReadError;
use dicom_core::PrimitiveValue;
use dicom_core::value::Value;
use dicom_dictionary_std::tags;
use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax};
use std::borrow::Cow;

/// How the pixels of an instance are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub rows: u16,
    pub columns: u16,
    pub frames: usize,
    bits_allocated: u16,
    bits_stored: u16,
    high_bit: u16,
    signed: bool,
    photometric: String,
}

impl Layout {
    /// Reads and checks the Image Pixel module.
    pub(super) fn read(of: &DataSet, required: &Required) -> Result<Self, ReadError> {
        let refuse = |reason: String| ReadError::UnsupportedPixels {
            sop_instance_uid: required.sop_instance_uid.to_owned(),
            reason,
        };
        let samples = integer(of, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        if samples != 1 {
            return Err(refuse(format!("{samples} samples per pixel, not 1")));
        }
        let bits_allocated = required.short(of, tags::BITS_ALLOCATED)?;
        let bits_stored = required.short(of, tags::BITS_STORED)?;
        let high_bit = required.short(of, tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1));
        let inside = bits_stored >= 1 && high_bit < bits_allocated && bits_stored <= high_bit + 1;
        if !matches!(bits_allocated, 8 | 16) || !inside {
            let bits = format!("{bits_stored} of {bits_allocated} bits up to bit {high_bit}");
            return Err(refuse(format!("pixels of {bits}")));
        }
        let frames = integer(of, tags::NUMBER_OF_FRAMES).unwrap_or(1);
        let (rows, columns) = (required.short(of, tags::ROWS)?, required.short(of, tags::COLUMNS)?);
        if frames < 1 || rows == 0 || columns == 0 {
            return Err(refuse(format!("{frames} frames of {columns} x {rows} pixels")));
        }
        let signed = required.short(of, tags::PIXEL_REPRESENTATION)? == 1;
        let photometric = text(of, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "MONOCHROME2".into());
        let frames = frames as usize;
        Ok(Self { rows, columns, frames, bits_allocated, bits_stored, high_bit, signed, photometric })
    }

    /// Pixels of one frame.
    pub(super) fn pixels(&self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }

    fn frame_bytes(&self) -> usize {
        self.pixels() * usize::from(self.bits_allocated / 8)
    }

    /// HU of one frame: slope · stored + intercept, rounded and clamped to 16 bits. Windows, padding and
    /// MONOCHROME1 concern the display and change nothing here (PS3.3 C.11.1, C.7.6.3.1.2).
    pub(super) fn to_hu(&self, bytes: &[u8], slope: f64, intercept: f64) -> Vec<i16> {
        let (low, unused) = (self.high_bit + 1 - self.bits_stored, 32 - u32::from(self.bits_stored));
        let stored = |raw: u16| {
            let shifted = (u32::from(raw) >> low) << unused;
            if self.signed { (shifted as i32 >> unused) as f64 } else { (shifted >> unused) as f64 }
        };
        let hu = |raw: u16| (slope * stored(raw) + intercept).round() as i16;
        if self.bits_allocated == 8 {
            return bytes.iter().map(|byte| hu(u16::from(*byte))).collect();
        }
        bytes.chunks_exact(2).map(|pair| hu(u16::from_le_bytes([pair[0], pair[1]]))).collect()
    }
}

/// Access to the frames of one instance.
pub(super) struct Frames<'a> {
    data_set: &'a DataSet,
    syntax: &'static TransferSyntax,
    layout: &'a Layout,
    name: &'a str,
}

impl<'a> Frames<'a> {
    /// Binds pixel data to its layout after checking that all frames are there, so that nothing is
    /// reserved for frames a header merely claims.
    pub(super) fn new(
        data_set: &'a DataSet,
        syntax: &'static TransferSyntax,
        layout: &'a Layout,
        name: &'a str,
    ) -> Result<Self, ReadError> {
        let frames = Self { data_set, syntax, layout, name };
        let reason = match frames.pixel_data()? {
            Value::PixelSequence(sequence) if sequence.fragments().len() < layout.frames => {
                format!("{} fragments for {} frames", sequence.fragments().len(), layout.frames)
            }
            Value::Primitive(value) => {
                let wanted = layout.frames.saturating_mul(layout.frame_bytes());
                let found = native_length(value);
                if found >= wanted {
                    return Ok(frames);
                }
                format!("{found} bytes of pixel data where {wanted} are needed")
            }
            Value::PixelSequence(_) => return Ok(frames),
            Value::Sequence(_) => "its pixel data is a sequence".to_owned(),
        };
        Err(frames.corrupt(reason))
    }

    /// Little-endian stored bytes of frame `n`, `Layout::frame_bytes` of them.
    pub(super) fn decode(&self, n: usize) -> Result<Cow<'a, [u8]>, ReadError> {
        let size = self.layout.frame_bytes();
        match self.pixel_data()? {
            Value::Primitive(value) => {
                native_part(value, n * size, size).ok_or_else(|| self.corrupt("its pixel data is cut short"))
            }
            Value::PixelSequence(_) => self.decompress(n).map(Cow::Owned),
            Value::Sequence(_) => Err(self.corrupt("its pixel data is a sequence")),
        }
    }

    fn pixel_data(
        &self,
    ) -> Result<&'a dicom_core::value::Value<DataSet, dicom_object::mem::InMemFragment>, ReadError> {
        let element = self.data_set.get(tags::PIXEL_DATA);
        element.map(dicom_core::DataElement::value).ok_or_else(|| self.corrupt("it has no pixel data"))
    }

    fn corrupt(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Corrupt { name: self.name.to_owned(), reason: reason.into() }
    }

    fn unsupported(&self, detail: &str) -> ReadError {
        ReadError::UnsupportedTransferSyntax {
            name: self.name.to_owned(),
            uid: self.syntax.uid().to_owned(),
            syntax: format!("{}{detail}", self.syntax.name()),
        }
    }

    fn decompress(&self, n: usize) -> Result<Vec<u8>, ReadError> {
        let family = family(self.syntax.uid()).ok_or_else(|| self.unsupported(""))?;
        let Codec::EncapsulatedPixelData(Some(codec), _) = self.syntax.codec() else {
            return Err(self.unsupported(""));
        };
        let bytes = self.fragments_of(n)?;
        self.check(family, &bytes)?;
        let frame = OneFrame { bytes: &bytes, layout: self.layout, uid: self.syntax.uid() };
        let mut out = Vec::new();
        codec.decode_frame(&frame, 0, &mut out).map_err(|error| self.corrupt(reasons(&error)))?;
        if out.len() != self.layout.frame_bytes() {
            let (found, wanted) = (out.len(), self.layout.frame_bytes());
            return Err(self.corrupt(format!("frame {} decodes to {found} bytes, not {wanted}", n + 1)));
        }
        Ok(out)
    }

    /// The fragments that make up frame `n`: all of them, one each, or as an offset table says.
    fn fragments_of(&self, n: usize) -> Result<Cow<'a, [u8]>, ReadError> {
        let Value::PixelSequence(sequence) = self.pixel_data()? else {
            return Err(self.corrupt("its pixel data is not encapsulated"));
        };
        let (fragments, frames) = (sequence.fragments(), self.layout.frames);
        if fragments.len() == frames {
            return Ok(Cow::Borrowed(&fragments[n]));
        }
        if frames == 1 {
            return Ok(Cow::Owned(fragments.concat()));
        }
        let table = self.offset_table(sequence.offset_table());
        if table.len() != frames {
            return Err(self.corrupt(format!(
                "{} fragments for {frames} frames, and no offset table tells them apart",
                fragments.len()
            )));
        }
        let end = table.get(n + 1).copied().unwrap_or(u64::MAX);
        let (mut at, mut out) = (0, Vec::new());
        for fragment in fragments {
            if (table[n]..end).contains(&at) {
                out.extend_from_slice(fragment);
            }
            // Each fragment is an item with a tag and a length before it.
            at += fragment.len() as u64 + 8;
        }
        Ok(Cow::Owned(out))
    }

    /// The basic offset table, or else the extended one (PS3.5 A.4, PS3.3 C.7.6.3.1.8).
    fn offset_table(&self, basic: &[u32]) -> Vec<u64> {
        if !basic.is_empty() {
            return basic.iter().map(|offset| u64::from(*offset)).collect();
        }
        let extended = self.data_set.get(tags::EXTENDED_OFFSET_TABLE);
        extended.and_then(|element| element.value().to_multi_int::<u64>().ok()).unwrap_or_default()
    }

    /// Compares what the codestream says with what the data set says.
    fn check(&self, family: Family, bytes: &[u8]) -> Result<(), ReadError> {
        let layout = self.layout;
        if family == Family::Rle {
            let segments = usize::from(layout.bits_allocated / 8);
            return codestream::check_rle(bytes, segments).map_err(|reason| self.corrupt(reason));
        }
        let header = codestream::header(family, bytes).map_err(|reason| self.corrupt(reason))?;
        let size = (u32::from(layout.columns), u32::from(layout.rows));
        if (header.columns, header.rows) != size || header.components != 1 {
            let (columns, rows, parts) = (header.columns, header.rows, header.components);
            return Err(self.corrupt(format!(
                "a compressed frame of {columns} x {rows} x {parts}, where the header says {} x {} x 1",
                size.0, size.1
            )));
        }
        // jpeg-decoder knows 8-bit Huffman DCT and 2- to 16-bit lossless, but not 12-bit DCT.
        if family == Family::Jpeg && header.process != 0xc3 && header.bits != 8 {
            return Err(self.unsupported(&format!(", {} bits per sample", header.bits)));
        }
        let allocated_for = if header.bits <= 8 { 8 } else { 16 };
        if family != Family::Jpeg2000 && allocated_for != layout.bits_allocated {
            let (bits, allocated) = (header.bits, layout.bits_allocated);
            return Err(self.corrupt(format!("a frame of {bits} bits for {allocated} bits allocated")));
        }
        Ok(())
    }
}

/// The codecs in use here; other transfer syntaxes with encapsulated pixels are refused by name.
fn family(uid: &str) -> Option<Family> {
    Some(match uid {
        "1.2.840.10008.1.2.5" => Family::Rle,
        "1.2.840.10008.1.2.4.50"
        | "1.2.840.10008.1.2.4.51"
        | "1.2.840.10008.1.2.4.57"
        | "1.2.840.10008.1.2.4.70" => Family::Jpeg,
        "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => Family::JpegLs,
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Family::Jpeg2000,
        _ => return None,
    })
}

/// Bytes of native pixel data.
fn native_length(value: &PrimitiveValue) -> usize {
    match value {
        PrimitiveValue::U8(bytes) => bytes.len(),
        PrimitiveValue::U16(words) => 2 * words.len(),
        _ => 0,
    }
}

/// A part of native pixel data in little-endian order; dicom-rs has undone big endian for words already.
fn native_part(value: &PrimitiveValue, start: usize, length: usize) -> Option<Cow<'_, [u8]>> {
    match value {
        PrimitiveValue::U8(bytes) => bytes.get(start..start + length).map(Cow::Borrowed),
        PrimitiveValue::U16(words) => {
            let words = words.get(start / 2..(start + length).div_ceil(2))?;
            let bytes = words.iter().flat_map(|word| word.to_le_bytes());
            Some(Cow::Owned(bytes.skip(start % 2).take(length).collect()))
        }
        _ => None,
    }
}

/// An error with its causes, which dicom-rs keeps apart.
fn reasons(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// One compressed frame, in the form that the decoders of dicom-rs take.
struct OneFrame<'a> {
    bytes: &'a [u8],
    layout: &'a Layout,
    uid: &'a str,
}

impl PixelDataObject for OneFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.uid
    }
    fn rows(&self) -> Option<u16> {
        Some(self.layout.rows)
    }
    fn cols(&self) -> Option<u16> {
        Some(self.layout.columns)
    }
    fn samples_per_pixel(&self) -> Option<u16> {
        Some(1)
    }
    fn bits_allocated(&self) -> Option<u16> {
        Some(self.layout.bits_allocated)
    }
    fn bits_stored(&self) -> Option<u16> {
        Some(self.layout.bits_stored)
    }
    fn photometric_interpretation(&self) -> Option<&str> {
        Some(&self.layout.photometric)
    }
    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }
    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }
    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(self.bytes))
    }
    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        None
    }
    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        let fragments = [self.bytes.to_vec()].into_iter().collect();
        Some(RawPixelData { fragments, offset_table: std::iter::empty().collect() })
    }
}
