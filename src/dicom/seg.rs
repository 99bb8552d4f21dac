//! A mask → a Segmentation Storage object (PS3.3 A.51): Explicit VR Little Endian, uncompressed, one
//! segment, BINARY wherever readers agree about its bits (`seg_type.rs`).

use super::codes;
use super::elements::{DataSet, as_file, sequence, short, text};
use super::seg_frames::{dimensions, frame_groups, on_source_planes, shared_groups};
use super::seg_type::{BACKGROUND, SEGMENT, SegmentationType};
use super::seg_uids::Uids;
use super::source::SourceSeries;
use crate::volume::Volume;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// What computed the mask (Algorithm Identification, PS3.3 10.16). The family is always artificial
/// intelligence (DCM 123110).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithm {
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// SHA-256 of the weights file, hexadecimal; recorded as a parameter.
    pub weights_sha256: String,
}

/// Why no segmentation could be written.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SegError {
    /// The voxels did not come from DICOM, so there is nothing to refer to. For callers whose source is
    /// optional.
    #[error("the input was not DICOM: a segmentation object has no series to refer to")]
    NoSource,
    /// The mask lies elsewhere than the volume it is said to belong to.
    #[error("the mask of {found:?} voxels does not lie on the series' grid of {expected:?}")]
    OtherGrid {
        /// Size of the series' volume.
        expected: [usize; 3],
        /// Size of the mask.
        found: [usize; 3],
    },
    /// The object exceeds what DICOM's 32-bit lengths hold.
    #[error("the mask has {bits} bits, more than a segmentation object holds")]
    TooLarge {
        /// Bits of all frames.
        bits: usize,
    },
    /// The encoder failed.
    #[error("the segmentation cannot be encoded: {reason}")]
    Encode {
        /// What it said.
        reason: String,
    },
}

/// Where the mask and the grid may differ, a tenth of a micrometre: they are meant to be equal.
const SAME_PLACE_MM: f64 = 1e-4;

/// Pixel Data of more than 4 GiB has no length.
const MAX_BITS: usize = 8 * (u32::MAX as usize - 1);

/// Display colour, a red: L* = 53, a* = 70, b* = 50, scaled as PS3.3 C.10.7.1.1 says.
const RED_CIELAB: [u16; 3] = [34_734, 50_886, 45_746];

/// Black: L* = 0, a* = b* = 0.
const BLACK_CIELAB: [u16; 3] = [0, 32_896, 32_896];

/// Writes a Part 10 file with the mask's planes that hold a voxel, in a series of its own, since viewers
/// show the last instance of a series only. The UIDs follow from series, mask and algorithm, so that the
/// same result never lies twice in an archive. An empty mask gives one empty frame.
///
/// * `mask`: 0 or 1 (anything else counts as 1) on the grid of [`super::Series::volume`]. When that was
///   resampled, the nearest mask voxel is taken at every pixel of the source's planes.
pub fn write_segmentation(
    mask: &Volume<u8>,
    source: &SourceSeries,
    algorithm: &Algorithm,
) -> Result<Vec<u8>, SegError> {
    if !mask.grid().same_place(&source.grid, SAME_PLACE_MM) {
        let (expected, found) = (source.grid.size(), mask.grid().size());
        return Err(SegError::OtherGrid { expected, found });
    }
    let frames = on_source_planes(mask, source);
    let kind = SegmentationType::of(source.size);
    let bits = kind.bits() * frames.iter().map(|frame| frame.pixels.len()).sum::<usize>();
    if bits > MAX_BITS {
        return Err(SegError::TooLarge { bits });
    }
    let (date, time) = now_utc();
    let mut to = source.identity.clone();
    let uids = Uids::of(mask, source, algorithm);
    general(&mut to, source, &uids, [&date, &time]);
    equipment(&mut to, algorithm);
    pixels(&mut to, source.size, frames.len());
    kind.describe(&mut to);
    sequence(&mut to, tags::SEGMENT_SEQUENCE, segments(kind, algorithm));
    dimensions(&mut to, kind, &uids.dimensions);
    sequence(&mut to, tags::REFERENCED_SERIES_SEQUENCE, vec![referenced_series(source)]);
    sequence(&mut to, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared_groups(source)]);
    let groups = frames.iter().zip(1..).map(|(frame, rank)| frame_groups(frame, kind, rank)).collect();
    sequence(&mut to, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups);
    let all_pixels = frames.iter().flat_map(|frame| frame.pixels.iter().copied());
    let bytes = PrimitiveValue::U8(kind.encode(all_pixels).into());
    to.put(DataElement::new(tags::PIXEL_DATA, VR::OB, bytes));
    encode(to)
}

fn encode(data_set: DataSet) -> Result<Vec<u8>, SegError> {
    let mut bytes = Vec::new();
    as_file(data_set)
        .and_then(|file| file.write_all(&mut bytes).map_err(|error| error.to_string()))
        .map_err(|reason| SegError::Encode { reason })?;
    Ok(bytes)
}

/// SOP Common, General Study and Series, Segmentation Series, Frame of Reference and General Image.
fn general(to: &mut DataSet, source: &SourceSeries, uids: &Uids, [date, time]: [&str; 2]) {
    // Text was decoded when it was read; UTF-8 writes whatever it was.
    text(to, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    text(to, tags::SOP_INSTANCE_UID, VR::UI, &uids.instance);
    text(to, tags::STUDY_INSTANCE_UID, VR::UI, &source.study_instance_uid);
    text(to, tags::SERIES_INSTANCE_UID, VR::UI, &uids.series);
    text(to, tags::FRAME_OF_REFERENCE_UID, VR::UI, &source.frame_of_reference_uid);
    if to.get(tags::POSITION_REFERENCE_INDICATOR).is_none() {
        text(to, tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
    }
    text(to, tags::MODALITY, VR::CS, "SEG");
    // After the scanner's series in most lists, so that a viewer does not open it first.
    text(to, tags::SERIES_NUMBER, VR::IS, "9700");
    text(to, tags::SERIES_DESCRIPTION, VR::LO, "spinefx fracture segmentation");
    text(to, tags::INSTANCE_NUMBER, VR::IS, "1");
    for (tag, vr, value) in [
        (tags::SERIES_DATE, VR::DA, date),
        (tags::SERIES_TIME, VR::TM, time),
        (tags::CONTENT_DATE, VR::DA, date),
        (tags::CONTENT_TIME, VR::TM, time),
        (tags::INSTANCE_CREATION_DATE, VR::DA, date),
        (tags::INSTANCE_CREATION_TIME, VR::TM, time),
    ] {
        text(to, tag, vr, value);
    }
}

/// General and Enhanced General Equipment (C.7.5.1, C.7.5.2).
fn equipment(to: &mut DataSet, algorithm: &Algorithm) {
    let Algorithm { name, weights_sha256, .. } = algorithm;
    text(to, tags::MANUFACTURER, VR::LO, "spinefx");
    text(to, tags::MANUFACTURER_MODEL_NAME, VR::LO, &long_string(name));
    // A program has no serial number; its weights are what one would ask for.
    let serial = if weights_sha256.is_empty() { "0".to_owned() } else { long_string(weights_sha256) };
    text(to, tags::DEVICE_SERIAL_NUMBER, VR::LO, &serial);
    text(to, tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
}

/// Image Pixel and Segmentation Image (C.7.6.3, C.8.20.2).
fn pixels(to: &mut DataSet, [columns, rows]: [usize; 2], frames: usize) {
    text(to, tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY");
    text(to, tags::CONTENT_LABEL, VR::CS, "FRACTURE");
    text(to, tags::CONTENT_DESCRIPTION, VR::LO, "Spine fractures");
    text(to, tags::CONTENT_CREATOR_NAME, VR::PN, "");
    text(to, tags::SEGMENTS_OVERLAP, VR::CS, "NO");
    text(to, tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    text(to, tags::NUMBER_OF_FRAMES, VR::IS, &frames.to_string());
    short(to, tags::SAMPLES_PER_PIXEL, 1);
    text(to, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    short(to, tags::ROWS, rows as u16);
    short(to, tags::COLUMNS, columns as u16);
    short(to, tags::PIXEL_REPRESENTATION, 0);
}

/// The segments that the pixels name: a label map's background is one, too (C.8.20.2.3). It comes last, since
/// OHIF 3.12 and 3.13 give segment n the colour of the n-th item.
fn segments(kind: SegmentationType, algorithm: &Algorithm) -> Vec<DataSet> {
    let background = (kind == SegmentationType::LabelMap).then(|| {
        let meaning = [codes::BACKGROUND, codes::BACKGROUND];
        segment((BACKGROUND, "Background"), meaning, BLACK_CIELAB, algorithm)
    });
    let meaning = [codes::ABNORMAL_STRUCTURE, codes::FRACTURE];
    let mut fracture = segment((SEGMENT, "Fracture"), meaning, RED_CIELAB, algorithm);
    code(&mut fracture, tags::ANATOMIC_REGION_SEQUENCE, codes::SPINE);
    std::iter::once(fracture).chain(background).collect()
}

/// A segment, told apart by `algorithm` (C.8.20.4). `meaning` is its category and its type.
fn segment(
    (number, label): (u16, &str),
    [category, of_type]: [codes::Code; 2],
    colour: [u16; 3],
    algorithm: &Algorithm,
) -> DataSet {
    let mut to = DataSet::new_empty();
    short(&mut to, tags::SEGMENT_NUMBER, number);
    text(&mut to, tags::SEGMENT_LABEL, VR::LO, label);
    text(&mut to, tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC");
    text(&mut to, tags::SEGMENT_ALGORITHM_NAME, VR::LO, &long_string(&algorithm.name));
    code(&mut to, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, category);
    code(&mut to, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, of_type);
    let colour = PrimitiveValue::U16(colour.into_iter().collect());
    to.put(DataElement::new(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, VR::US, colour));
    let mut by = DataSet::new_empty();
    code(&mut by, tags::ALGORITHM_FAMILY_CODE_SEQUENCE, codes::ARTIFICIAL_INTELLIGENCE);
    text(&mut by, tags::ALGORITHM_NAME, VR::LO, &long_string(&algorithm.name));
    text(&mut by, tags::ALGORITHM_VERSION, VR::LO, &long_string(&algorithm.version));
    text(&mut by, tags::ALGORITHM_SOURCE, VR::LO, "spinefx");
    let parameter = format!("weights_sha256={}", algorithm.weights_sha256);
    text(&mut by, tags::ALGORITHM_PARAMETERS, VR::LT, &parameter);
    sequence(&mut to, tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, vec![by]);
    to
}

fn code(to: &mut DataSet, tag: Tag, code: codes::Code) {
    sequence(to, tag, vec![code.item()]);
}

/// Common Instance Reference (C.12.2): every instance of the source, each once.
fn referenced_series(source: &SourceSeries) -> DataSet {
    let mut seen = BTreeSet::new();
    let once = source.frames.iter().filter(|frame| seen.insert(&frame.sop_instance_uid));
    let instances = once
        .map(|frame| {
            let mut item = DataSet::new_empty();
            text(&mut item, tags::REFERENCED_SOP_CLASS_UID, VR::UI, &frame.sop_class_uid);
            text(&mut item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &frame.sop_instance_uid);
            item
        })
        .collect();
    let mut to = DataSet::new_empty();
    text(&mut to, tags::SERIES_INSTANCE_UID, VR::UI, &source.series_instance_uid);
    sequence(&mut to, tags::REFERENCED_INSTANCE_SEQUENCE, instances);
    to
}

/// At most 64 characters, none of which would end the value.
fn long_string(value: &str) -> String {
    value.chars().filter(|c| *c != '\\' && !c.is_control()).take(64).collect()
}

/// Date and time as DICOM writes them, in UTC.
fn now_utc() -> (String, String) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil_date((seconds / 86_400) as i64);
    let of_day = seconds % 86_400;
    let time = format!("{:02}{:02}{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
    (format!("{year:04}{month:02}{day:02}"), time)
}

/// Gregorian date of a day counted from 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms": years that begin in March put the leap day last).
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (20_088, (2024, 12, 31)),
        ] {
            assert_eq!(civil_date(day), date);
        }
    }
}
