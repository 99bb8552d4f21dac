//! Bytes → data set (PS3.10 file format), without trusting a length.
//!
//! dicom-rs reserves memory for a value before it reads it and recurses into sequences, so the bytes are
//! walked first: the lengths of all values must add up to no more than the file has, and sequences must
//! not nest deeper than any real object does.

use super::attributes::text;
use super::elements::DataSet;
use dicom_core::Tag;
use dicom_core::header::Header;
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::TransferSyntaxIndex;
use dicom_encoding::transfer_syntax::TransferSyntax;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use flate2::read::DeflateDecoder;
use std::borrow::Cow;
use std::io::{Cursor, Read};

const PREAMBLE_BYTES: usize = 128;
const MAGIC: &[u8] = b"DICM";

/// Explicit VR Big Endian, still found in archives.
const RETIRED_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Deepest nesting of sequences. Structured reports reach about ten.
const MAX_DEPTH: usize = 32;

/// Most elements and items. Each costs far more memory than its eight bytes in the file; an enhanced CT
/// of 4000 frames has about 300 000.
const MAX_TOKENS: usize = 5_000_000;

/// A data set and how it was encoded.
pub(super) struct Parsed {
    pub data_set: DataSet,
    pub syntax: &'static TransferSyntax,
}

/// Why bytes are no data set.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// Nothing suggests DICOM.
    NotDicom,
    /// DICOM, but broken. The series is known when the file holds that much.
    Corrupt { reason: String, series_uid: Option<String> },
    /// DICOM in a transfer syntax that dicom-rs cannot even parse.
    UnknownSyntax { uid: String },
}

impl Refusal {
    fn corrupt(reason: impl Into<String>) -> Self {
        Self::Corrupt { reason: reason.into(), series_uid: None }
    }
}

/// Reads one file. Preamble and meta information may be absent if the data set starts with group 0008.
pub(super) fn parse(bytes: &[u8], max_bytes: u64) -> Result<Parsed, Refusal> {
    let Meta { has_magic, syntax: named, end, .. } = meta(bytes)?;
    let rest = &bytes[end..];
    if !has_magic && named.is_none() && !starts_like_a_data_set(rest) {
        return Err(Refusal::NotDicom);
    }
    let uid = named.unwrap_or_else(|| sniff(rest).to_owned());
    let syntax =
        TransferSyntaxRegistry.get(&uid).ok_or_else(|| Refusal::UnknownSyntax { uid: uid.clone() })?;
    let (rest, plain) = inflated(rest, syntax, max_bytes)?;
    let without_magic = |refusal| if has_magic { refusal } else { Refusal::NotDicom };
    let series_uid = walk(&rest, plain).map_err(without_magic)?;
    let data_set = DataSet::read_dataset_with_ts(&*rest, plain)
        .map_err(|error| Refusal::Corrupt { reason: error.to_string(), series_uid })?;
    Ok(Parsed { data_set, syntax })
}

/// SOP Instance UID: that of the meta group, or of the data set where the file has none.
pub(super) fn sop_instance_uid(bytes: &[u8], max_bytes: u64) -> Option<String> {
    if let Ok(Meta { instance: Some(uid), .. }) = meta(bytes) {
        return Some(uid);
    }
    let parsed = parse(bytes, max_bytes).ok()?;
    text(&parsed.data_set, tags::SOP_INSTANCE_UID)
}

/// What stands before the data set: preamble and meta group, as far as there are any.
struct Meta {
    /// Whether there is a preamble.
    has_magic: bool,
    /// Transfer Syntax UID (0002,0010).
    syntax: Option<String>,
    /// Media Storage SOP Instance UID (0002,0003).
    instance: Option<String>,
    /// Where the data set begins.
    end: usize,
}

/// Passes the preamble and reads the meta group, which is always Explicit VR Little Endian (PS3.10 7.1).
fn meta(bytes: &[u8]) -> Result<Meta, Refusal> {
    let has_magic = bytes.get(PREAMBLE_BYTES..PREAMBLE_BYTES + MAGIC.len()) == Some(MAGIC);
    let start = if has_magic { PREAMBLE_BYTES + MAGIC.len() } else { 0 };
    let mut found = Meta { has_magic, syntax: None, instance: None, end: start };
    while bytes.get(found.end..found.end + 2) == Some(&[2, 0]) {
        let at = found.end;
        let cut = || Refusal::corrupt("the file ends inside its meta information");
        let head = bytes.get(at..at + 8).ok_or_else(cut)?;
        let (value, length) = if matches!(&head[4..6], b"OB" | b"OW" | b"UN" | b"SQ" | b"UT") {
            let wide = bytes.get(at + 8..at + 12).ok_or_else(cut)?;
            (at + 12, u32::from_le_bytes([wide[0], wide[1], wide[2], wide[3]]) as usize)
        } else {
            (at + 8, usize::from(u16::from_le_bytes([head[6], head[7]])))
        };
        found.end = value + length;
        let value = bytes.get(value..found.end).ok_or_else(cut)?;
        let uid = match head[2..4] {
            [0x10, 0] => &mut found.syntax,
            [0x03, 0] => &mut found.instance,
            _ => continue,
        };
        let text = String::from_utf8_lossy(value);
        *uid = Some(text.trim_matches(['\0', ' ']).to_owned()).filter(|uid| !uid.is_empty());
    }
    Ok(found)
}

/// Whether bytes without any header begin with an element of group 0008, little or big endian.
fn starts_like_a_data_set(bytes: &[u8]) -> bool {
    matches!(bytes, [8, 0, element, 0, ..] if *element <= 0x18) || matches!(bytes, [0, 8, 0, ..])
}

/// Guesses the transfer syntax of a data set that does not say it.
fn sniff(bytes: &[u8]) -> &'static str {
    let explicit = bytes.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    match (bytes.first(), explicit) {
        (Some(0), _) => RETIRED_BIG_ENDIAN,
        (_, true) => uids::EXPLICIT_VR_LITTLE_ENDIAN,
        _ => uids::IMPLICIT_VR_LITTLE_ENDIAN,
    }
}

/// Undoes the deflating of a whole data set (PS3.5 A.5), up to a limit.
fn inflated<'a>(
    bytes: &'a [u8],
    syntax: &'static TransferSyntax,
    max_bytes: u64,
) -> Result<(Cow<'a, [u8]>, &'static TransferSyntax), Refusal> {
    if syntax.uid() != uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
        return Ok((Cow::Borrowed(bytes), syntax));
    }
    let mut out = Vec::new();
    DeflateDecoder::new(bytes)
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|error| Refusal::corrupt(format!("deflated data set: {error}")))?;
    if out.len() as u64 > max_bytes {
        return Err(Refusal::corrupt(format!("its data set inflates to more than {max_bytes} bytes")));
    }
    let plain = TransferSyntaxRegistry.get(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    Ok((Cow::Owned(out), plain.ok_or_else(|| Refusal::corrupt("no Explicit VR Little Endian"))?))
}

/// Walks all elements without reading values; returns the Series Instance UID on the way.
fn walk(bytes: &[u8], syntax: &TransferSyntax) -> Result<Option<String>, Refusal> {
    let mut series_uid = None;
    let broken = |reason: String, series_uid: &Option<String>| Refusal::Corrupt {
        reason,
        series_uid: series_uid.clone(),
    };
    let mut reader = LazyDataSetReader::new_with_ts(Cursor::new(bytes), syntax)
        .map_err(|error| Refusal::corrupt(error.to_string()))?;
    let (mut depth, mut claimed, mut tokens) = (0_usize, 0_u64, 0_usize);
    while let Some(token) = reader.advance() {
        let token = token.map_err(|error| broken(error.to_string(), &series_uid))?;
        tokens += 1;
        if tokens > MAX_TOKENS {
            return Err(broken(format!("more than {MAX_TOKENS} elements and items"), &series_uid));
        }
        match &token {
            LazyDataToken::SequenceStart { .. } | LazyDataToken::PixelSequenceStart => depth += 1,
            LazyDataToken::SequenceEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        claimed += value_length(&token);
        if claimed > bytes.len() as u64 {
            let reason = format!("cut short: values claim {claimed} bytes or more of {}", bytes.len());
            return Err(broken(reason, &series_uid));
        }
        if depth > MAX_DEPTH {
            return Err(broken(format!("sequences nest deeper than {MAX_DEPTH}"), &series_uid));
        }
        if depth == 0 && value_tag(&token) == Some(tags::SERIES_INSTANCE_UID) {
            let value = token.into_owned().map_err(|error| broken(error.to_string(), &series_uid))?;
            series_uid = owned_text(&value);
        } else {
            token.skip().map_err(|error| broken(error.to_string(), &series_uid))?;
        }
    }
    Ok(series_uid)
}

/// Class and series of an instance, from the beginning of its file.
pub(super) struct Head {
    pub sop_class_uid: String,
    pub series_instance_uid: String,
}

/// Reads no further than the Series Instance UID; `None` when that lies beyond `bytes` or there is none.
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let Meta { has_magic, syntax: named, end, .. } = meta(bytes).ok()?;
    let rest = &bytes[end..];
    if !has_magic && named.is_none() && !starts_like_a_data_set(rest) {
        return None;
    }
    let syntax = TransferSyntaxRegistry.get(&named.unwrap_or_else(|| sniff(rest).to_owned()))?;
    let mut reader = LazyDataSetReader::new_with_ts(Cursor::new(rest), syntax).ok()?;
    let (mut depth, mut class) = (0_usize, String::new());
    while let Some(token) = reader.advance() {
        let token = token.ok()?;
        match &token {
            LazyDataToken::SequenceStart { .. } | LazyDataToken::PixelSequenceStart => depth += 1,
            LazyDataToken::SequenceEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH || value_length(&token) > rest.len() as u64 {
            return None;
        }
        match value_tag(&token).filter(|_| depth == 0) {
            Some(tags::SOP_CLASS_UID) => class = owned_text(&token.into_owned().ok()?)?,
            Some(tags::SERIES_INSTANCE_UID) => {
                let series_instance_uid = owned_text(&token.into_owned().ok()?)?;
                return Some(Head { sop_class_uid: class, series_instance_uid });
            }
            _ => token.skip().ok()?,
        }
    }
    None
}

fn value_length<D>(token: &LazyDataToken<D>) -> u64 {
    match token {
        LazyDataToken::LazyValue { header, .. } => u64::from(header.len.0),
        LazyDataToken::LazyItemValue { len, .. } => u64::from(*len),
        _ => 0,
    }
}

fn value_tag<D>(token: &LazyDataToken<D>) -> Option<Tag> {
    match token {
        LazyDataToken::LazyValue { header, .. } => Some(header.tag()),
        _ => None,
    }
}

fn owned_text(token: &dicom_parser::dataset::DataToken) -> Option<String> {
    match token {
        dicom_parser::dataset::DataToken::PrimitiveValue(value) => {
            Some(value.to_str().trim_matches(['\0', ' ']).to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explicit(tag: [u8; 4], vr: [u8; 2], length: u32, value: &[u8]) -> Vec<u8> {
        let mut out = tag.to_vec();
        out.extend_from_slice(&vr);
        if matches!(&vr, b"OW" | b"SQ") {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&length.to_le_bytes());
        } else {
            out.extend_from_slice(&(length as u16).to_le_bytes());
        }
        out.extend_from_slice(value);
        out
    }

    #[test]
    fn a_claimed_length_reserves_nothing() {
        let mut bytes = explicit([8, 0, 0x60, 0], *b"CS", 2, b"CT");
        bytes.extend(explicit([0x20, 0, 0x0e, 0], *b"UI", 4, b"1.2\0"));
        bytes.extend(explicit([0xe0, 0x7f, 0x10, 0], *b"OW", 0xffff_fff0, b"abcd"));
        let file = [vec![0; 128], b"DICM".to_vec(), bytes].concat();
        let Err(Refusal::Corrupt { reason, series_uid }) = parse(&file, 1 << 20) else { panic!() };
        assert!(reason.starts_with("cut short"), "{reason}");
        assert_eq!(series_uid.as_deref(), Some("1.2"));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = explicit([8, 0, 0x60, 0], *b"CS", 2, b"CT");
        for _ in 0..100_000 {
            bytes.extend(explicit([8, 0, 0x40, 0x11], *b"SQ", u32::MAX, &[]));
            bytes.extend([0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff]);
        }
        let file = [vec![0; 128], b"DICM".to_vec(), bytes].concat();
        assert!(matches!(
            parse(&file, 1 << 20),
            Err(Refusal::Corrupt { reason, .. }) if reason.contains("nest")
        ));
    }

    #[test]
    fn bytes_that_are_not_dicom_are_told_apart_from_broken_dicom() {
        assert_eq!(parse(b"", 1).err(), Some(Refusal::NotDicom));
        assert_eq!(parse(b"just text", 1).err(), Some(Refusal::NotDicom));
        assert_eq!(parse(&[0x42; 5000], 1).err(), Some(Refusal::NotDicom));
        let file = [vec![0; 128], b"DICM".to_vec(), vec![2, 0, 0x10, 0, b'U', b'I', 99, 0]].concat();
        assert!(matches!(parse(&file, 1), Err(Refusal::Corrupt { .. })));
    }
}
