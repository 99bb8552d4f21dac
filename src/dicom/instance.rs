//! One file → decoded CT slices. Everything about a file that can be judged without its neighbours.

use super::attributes::{Required, number, text};
use super::elements::DataSet;
use super::error::ReadError;
use super::frames::{Frames, Layout};
use super::geometry::Plane;
use super::limits::ReadOptions;
use super::multiframe::Groups;
use super::part10::{self, Parsed, Refusal};
use super::source::SourceFrame;
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a scout view is left out.
pub(super) const LOCALIZERS: &str = "localizers";

/// A decoded slice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slice {
    pub frame: SourceFrame,
    pub plane: Plane,
    /// Columns, rows.
    pub size: [usize; 2],
    /// Row by row.
    pub hu: Vec<i16>,
}

/// A CT instance: its slices, and the attributes of the whole (without pixel data).
pub(super) struct CtInstance {
    pub series_uid: String,
    pub header: DataSet,
    pub slices: Vec<Slice>,
    pub notes: Vec<String>,
}

/// What a file turned out to be.
pub(super) enum Outcome {
    /// CT slices.
    Ct(Box<CtInstance>),
    /// CT, but of a series that was not asked for, or a localizer.
    LeftOut(&'static str),
    /// DICOM, but not a CT image.
    Other { modality: String },
    /// Not DICOM.
    NotDicom,
    /// DICOM that cannot be used; fatal if it belongs to the wanted series.
    Broken { error: ReadError, series_uid: Option<String> },
}

/// Decodes one file. Nothing escapes: a decoder that panics makes a broken file.
pub(super) fn decode(name: &str, bytes: &[u8], options: &ReadOptions) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(name, bytes, options))).unwrap_or_else(|_| {
        let reason = "the decoder gave up on it".to_owned();
        Outcome::Broken { error: ReadError::Corrupt { name: name.to_owned(), reason }, series_uid: None }
    })
}

fn decode_unguarded(name: &str, bytes: &[u8], options: &ReadOptions) -> Outcome {
    let corrupt = |reason| ReadError::Corrupt { name: name.to_owned(), reason };
    if bytes.is_empty() && is_called_dicom(name) {
        let error = corrupt("it is empty (0 bytes)".to_owned());
        return Outcome::Broken { error, series_uid: None };
    }
    let parsed = match part10::parse(bytes, options.limits.max_file_bytes) {
        Ok(parsed) => parsed,
        Err(Refusal::NotDicom) => return Outcome::NotDicom,
        Err(Refusal::Corrupt { reason, series_uid }) => {
            return Outcome::Broken { error: corrupt(reason), series_uid };
        }
        Err(Refusal::UnknownSyntax { uid }) => {
            let (name, syntax) = (name.to_owned(), "unknown".to_owned());
            let error = ReadError::UnsupportedTransferSyntax { name, uid, syntax };
            return Outcome::Broken { error, series_uid: None };
        }
    };
    if let Some(modality) = other_than_ct(&parsed.data_set) {
        return Outcome::Other { modality };
    }
    let series_uid = text(&parsed.data_set, tags::SERIES_INSTANCE_UID);
    if options.series_uid.is_some() && options.series_uid != series_uid {
        return Outcome::LeftOut("not of the wanted series");
    }
    if is_localizer(&parsed.data_set) {
        return Outcome::LeftOut(LOCALIZERS);
    }
    match read(name, parsed, options) {
        Ok(instance) => Outcome::Ct(Box::new(instance)),
        Err(error) => Outcome::Broken { error, series_uid },
    }
}

/// An empty file with a name that promises DICOM is a failed copy, not junk.
fn is_called_dicom(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let apple_double = lower.rsplit('/').next().is_some_and(|file| file.starts_with("._"));
    !apple_double && [".dcm", ".dicom", ".ima"].iter().any(|extension| lower.ends_with(extension))
}

/// `None` for a CT image. Screenshots and dose reports of a CT have its modality, but another class.
fn other_than_ct(data_set: &DataSet) -> Option<String> {
    let modality = text(data_set, tags::MODALITY);
    let class = text(data_set, tags::SOP_CLASS_UID);
    match (modality.as_deref(), class.as_deref()) {
        (_, Some(class)) if is_ct_class(class) => None,
        (Some("CT"), None) => None,
        (Some("CT"), Some(class)) => Some(format!("CT (but SOP class {class})")),
        (Some(other), _) => Some(other.to_owned()),
        (None, _) => Some("absent".to_owned()),
    }
}

fn is_ct_class(uid: &str) -> bool {
    uid == uids::CT_IMAGE_STORAGE || is_multiframe(uid)
}

fn is_multiframe(uid: &str) -> bool {
    uid == uids::ENHANCED_CT_IMAGE_STORAGE || uid == uids::LEGACY_CONVERTED_ENHANCED_CT_IMAGE_STORAGE
}

fn is_localizer(data_set: &DataSet) -> bool {
    text(data_set, tags::IMAGE_TYPE)
        .is_some_and(|types| types.split('\\').any(|t| matches!(t.trim(), "LOCALIZER" | "SCOUT")))
}

/// Reads geometry and rescale first, and decodes pixels only when all of that is there.
fn read(name: &str, parsed: Parsed, options: &ReadOptions) -> Result<CtInstance, ReadError> {
    let Parsed { mut data_set, syntax } = parsed;
    let uid = text(&data_set, tags::SOP_INSTANCE_UID).unwrap_or_default();
    let required = Required { sop_instance_uid: &uid };
    required.text(&data_set, tags::SOP_INSTANCE_UID)?;
    let series_uid = required.text(&data_set, tags::SERIES_INSTANCE_UID)?;
    let layout = Layout::read(&data_set, &required)?;
    let (limit, found) = (options.limits.max_voxels, layout.frames as u64 * layout.pixels() as u64);
    if found > limit {
        return Err(ReadError::LimitExceeded { what: "voxels of one instance", limit, found });
    }
    let class = text(&data_set, tags::SOP_CLASS_UID).unwrap_or_else(|| uids::CT_IMAGE_STORAGE.into());
    let mut notes = Vec::new();
    let slices = {
        let frames = Frames::new(&data_set, syntax, &layout, name)?;
        let multi = is_multiframe(&class).then(|| Groups::of(&data_set, layout.frames, &required));
        let reader = FrameReader { data_set: &data_set, groups: multi.transpose()?, required: &required };
        if reader.groups.is_none() && layout.frames != 1 {
            let reason = format!("is {} in a single-frame CT image", layout.frames);
            return Err(required.invalid(tags::NUMBER_OF_FRAMES, reason));
        }
        let one = |n: usize| -> Result<Slice, ReadError> {
            let plane = reader.plane(n)?;
            let [slope, intercept] = reader.rescale(n, &mut notes)?;
            let frame = SourceFrame {
                sop_class_uid: class.clone(),
                sop_instance_uid: uid.clone(),
                frame_number: reader.groups.is_some().then_some(n as u32 + 1),
                position_lps: plane.position_lps,
            };
            let hu = layout.to_hu(&frames.decode(n)?, slope, intercept);
            let size = [usize::from(layout.columns), usize::from(layout.rows)];
            Ok(Slice { frame, plane, size, hu })
        };
        (0..layout.frames).map(one).collect::<Result<Vec<_>, _>>()?
    };
    data_set.remove_element(tags::PIXEL_DATA);
    data_set.remove_element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    Ok(CtInstance { series_uid, header: data_set, slices, notes })
}

/// Finds the attributes of a frame in the data set itself or in its functional groups.
struct FrameReader<'a> {
    data_set: &'a DataSet,
    groups: Option<Groups<'a>>,
    required: &'a Required<'a>,
}

impl FrameReader<'_> {
    fn holder(&self, n: usize, group: Tag) -> Result<&DataSet, ReadError> {
        match &self.groups {
            Some(groups) => groups.require(n, group, self.required),
            None => Ok(self.data_set),
        }
    }

    fn plane(&self, n: usize) -> Result<Plane, ReadError> {
        let required = self.required;
        let position = self.holder(n, tags::PLANE_POSITION_SEQUENCE)?;
        let orientation = self.holder(n, tags::PLANE_ORIENTATION_SEQUENCE)?;
        let measures = self.holder(n, tags::PIXEL_MEASURES_SEQUENCE)?;
        let plane = Plane {
            position_lps: required.numbers(position, tags::IMAGE_POSITION_PATIENT)?,
            orientation: required.numbers(orientation, tags::IMAGE_ORIENTATION_PATIENT)?,
            pixel_spacing_mm: required.numbers(measures, tags::PIXEL_SPACING)?,
            thickness_mm: number(measures, tags::SLICE_THICKNESS).filter(|mm| *mm > 0.0),
        };
        if plane.axes().is_none() {
            let reason = "holds no two perpendicular unit vectors";
            return Err(required.invalid(tags::IMAGE_ORIENTATION_PATIENT, reason));
        }
        if plane.pixel_spacing_mm.iter().any(|mm| *mm <= 0.0) {
            return Err(required.invalid(tags::PIXEL_SPACING, "is not greater than 0"));
        }
        Ok(plane)
    }

    /// Slope and intercept. Values in units that are declared to be others than HU are refused.
    fn rescale(&self, n: usize, notes: &mut Vec<String>) -> Result<[f64; 2], ReadError> {
        let required = self.required;
        let holder = self.holder(n, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE)?;
        let [slope] = required.numbers(holder, tags::RESCALE_SLOPE)?;
        let [intercept] = required.numbers(holder, tags::RESCALE_INTERCEPT)?;
        if slope == 0.0 {
            return Err(required.invalid(tags::RESCALE_SLOPE, "is 0"));
        }
        match text(holder, tags::RESCALE_TYPE).as_deref() {
            None => {}
            Some(units) if units.to_ascii_uppercase().starts_with("HU") => {}
            Some("US") => {
                let note = "Rescale Type is unspecified (US): values were taken as HU".to_owned();
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            Some(units) => {
                let reason = format!("is {:?}, not HU", units.chars().take(16).collect::<String>());
                return Err(required.invalid(tags::RESCALE_TYPE, reason));
            }
        }
        Ok([slope, intercept])
    }
}
