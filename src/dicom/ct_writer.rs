//! A synthetic patient's CT as CT Image Storage instances (PS3.3 A.3), for phantoms and tests.

use super::elements::{DataSet, as_file, decimals, sequence, short, text, uid_of};
use crate::volume::Volume;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use std::path::Path;
use thiserror::Error;

/// Everything made up happened on this day: equal input gives equal bytes.
const DATE: &str = "20250101";
const TIME: &str = "120000";

/// A patient who does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticPatient {
    /// Patient Name is `SPINEFX^PHANTOM-<number>`, Patient ID `SPINEFX-PHANTOM-<number>`.
    pub number: u32,
    /// All UIDs derive from it: the same seed gives the same study, series and instances.
    pub seed: String,
}

/// Why instances could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// More rows or columns than DICOM's 16 bits hold.
    #[error("a slice of {columns} x {rows} voxels does not fit DICOM's 65535 x 65535")]
    TooLarge {
        /// Voxels along i.
        columns: usize,
        /// Voxels along j.
        rows: usize,
    },
    /// The folder or a file in it cannot be made.
    #[error("instance {instance}: {reason}")]
    File {
        /// Number of the slice, from 1.
        instance: usize,
        /// What the operating system or the encoder said.
        reason: String,
    },
}

/// Writes one CT Image Storage file per slice to `dir` as `00001.dcm`, `00002.dcm`, …
///
/// `volume` is in HU and may lie obliquely; stored values are the HU themselves (signed 16 bit, slope 1,
/// intercept 0), Explicit VR Little Endian. Rows run along i, columns along j. A reader stacks slices
/// along row × column: when the third axis of the grid points the other way (a left-handed grid), it
/// gets the same voxels at the same places with k reversed.
pub fn write_ct_series(
    volume: &Volume<i16>,
    patient: &SyntheticPatient,
    dir: &Path,
) -> Result<(), WriteError> {
    let [columns, rows, slices] = volume.grid().size();
    if columns > usize::from(u16::MAX) || rows > usize::from(u16::MAX) {
        return Err(WriteError::TooLarge { columns, rows });
    }
    std::fs::create_dir_all(dir)
        .map_err(|error| WriteError::File { instance: 1, reason: error.to_string() })?;
    for k in 0..slices {
        let path = dir.join(format!("{:05}.dcm", k + 1));
        as_file(instance(volume, patient, k))
            .and_then(|file| file.write_to_file(path).map_err(|error| error.to_string()))
            .map_err(|reason| WriteError::File { instance: k + 1, reason })?;
    }
    Ok(())
}

fn instance(volume: &Volume<i16>, patient: &SyntheticPatient, k: usize) -> DataSet {
    let mut to = DataSet::new_empty();
    identity(&mut to, patient, k);
    series(&mut to, patient);
    plane(&mut to, volume, k);
    pixels(&mut to, volume, k);
    to
}

/// SOP Common, Patient and General Study modules (PS3.3 C.12.1, C.7.1.1, C.7.2.1).
fn identity(to: &mut DataSet, patient: &SyntheticPatient, k: usize) {
    let SyntheticPatient { number, seed } = patient;
    text(to, tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    text(to, tags::SOP_INSTANCE_UID, VR::UI, &uid_of(&format!("{seed}/instance/{k}")));
    text(to, tags::PATIENT_NAME, VR::PN, &format!("SPINEFX^PHANTOM-{number}"));
    text(to, tags::PATIENT_ID, VR::LO, &format!("SPINEFX-PHANTOM-{number}"));
    text(to, tags::PATIENT_BIRTH_DATE, VR::DA, "");
    text(to, tags::PATIENT_SEX, VR::CS, "O");
    text(to, tags::STUDY_INSTANCE_UID, VR::UI, &uid_of(&format!("{seed}/study")));
    text(to, tags::STUDY_DATE, VR::DA, DATE);
    text(to, tags::STUDY_TIME, VR::TM, TIME);
    text(to, tags::STUDY_ID, VR::SH, &number.to_string());
    text(to, tags::STUDY_DESCRIPTION, VR::LO, "spinefx synthetic spine");
    text(to, tags::REFERRING_PHYSICIAN_NAME, VR::PN, "");
    text(to, tags::ACCESSION_NUMBER, VR::SH, "");
}

/// General Series, Frame of Reference and General Equipment modules (C.7.3.1, C.7.4.1, C.7.5.1).
fn series(to: &mut DataSet, patient: &SyntheticPatient) {
    let seed = &patient.seed;
    text(to, tags::MODALITY, VR::CS, "CT");
    text(to, tags::SERIES_INSTANCE_UID, VR::UI, &uid_of(&format!("{seed}/series")));
    text(to, tags::SERIES_NUMBER, VR::IS, "1");
    text(to, tags::SERIES_DATE, VR::DA, DATE);
    text(to, tags::SERIES_TIME, VR::TM, TIME);
    text(to, tags::SERIES_DESCRIPTION, VR::LO, "phantom");
    text(to, tags::BODY_PART_EXAMINED, VR::CS, "SPINE");
    text(to, tags::PATIENT_POSITION, VR::CS, "HFS");
    text(to, tags::FRAME_OF_REFERENCE_UID, VR::UI, &uid_of(&format!("{seed}/frame-of-reference")));
    text(to, tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
    text(to, tags::MANUFACTURER, VR::LO, "spinefx");
    text(to, tags::MANUFACTURER_MODEL_NAME, VR::LO, "phantom");
    text(to, tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
}

/// General Image, Image Plane and CT Image modules (C.7.6.1, C.7.6.2, C.8.2.1).
fn plane(to: &mut DataSet, volume: &Volume<i16>, k: usize) {
    let grid = volume.grid();
    let (spacing, direction) = (grid.spacing_mm(), grid.direction());
    let row_and_column: Vec<f64> =
        [0, 1].into_iter().flat_map(|axis| (0..3).map(move |r| direction[r][axis])).collect();
    text(to, tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
    text(to, tags::CONTENT_DATE, VR::DA, DATE);
    text(to, tags::CONTENT_TIME, VR::TM, TIME);
    text(to, tags::ACQUISITION_NUMBER, VR::IS, "1");
    text(to, tags::INSTANCE_NUMBER, VR::IS, &(k + 1).to_string());
    decimals(to, tags::IMAGE_POSITION_PATIENT, &grid.position_lps([0.0, 0.0, k as f64]));
    decimals(to, tags::IMAGE_ORIENTATION_PATIENT, &row_and_column);
    // Pixel Spacing is (between rows, between columns): j before i (PS3.3 10.7.1.3).
    decimals(to, tags::PIXEL_SPACING, &[spacing[1], spacing[0]]);
    decimals(to, tags::SLICE_THICKNESS, &[spacing[2]]);
    decimals(to, tags::KVP, &[120.0]);
    decimals(to, tags::RESCALE_INTERCEPT, &[0.0]);
    decimals(to, tags::RESCALE_SLOPE, &[1.0]);
    text(to, tags::RESCALE_TYPE, VR::LO, "HU");
    decimals(to, tags::WINDOW_CENTER, &[400.0]);
    decimals(to, tags::WINDOW_WIDTH, &[1800.0]);
    sequence(to, tags::ANATOMIC_REGION_SEQUENCE, vec![super::codes::SPINE.item()]);
}

/// Image Pixel module (C.7.6.3).
fn pixels(to: &mut DataSet, volume: &Volume<i16>, k: usize) {
    let [columns, rows, _] = volume.grid().size();
    short(to, tags::SAMPLES_PER_PIXEL, 1);
    text(to, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    short(to, tags::ROWS, rows as u16);
    short(to, tags::COLUMNS, columns as u16);
    short(to, tags::BITS_ALLOCATED, 16);
    short(to, tags::BITS_STORED, 16);
    short(to, tags::HIGH_BIT, 15);
    short(to, tags::PIXEL_REPRESENTATION, 1);
    let slice = &volume.voxels()[k * columns * rows..(k + 1) * columns * rows];
    let words: Vec<u16> = slice.iter().map(|hu| *hu as u16).collect();
    to.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(words.into())));
}
