//! A Segmentation object → labels on a volume's grid (PS3.3 A.51, C.8.20): BINARY, FRACTIONAL and LABELMAP,
//! as spinefx, highdicom, 3D Slicer, OHIF and dcmqi write them.
//!
//! A frame is placed by its Image Position and Orientation alone. References to source instances are not
//! trusted for that: they say what a frame was computed from, not where its pixels are.

use super::attributes::{Required, integer, items, number, text};
use super::elements::DataSet;
use super::error::ReadError;
use super::frames::{Frames, Layout};
use super::geometry::Plane;
use super::limits::Limits;
use super::multiframe::Groups;
use super::part10::{self, Refusal};
use super::seg_type::LABEL_MAP_STORAGE;
use crate::volume::{Grid, Volume};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntax;
use std::borrow::Cow;
use std::path::Path;
use thiserror::Error;

/// A pixel centre may lie off a voxel centre by this part of a voxel.
const OFF_VOXELS: f64 = 0.1;

/// Why a segmentation object gives no labels.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SegReadError {
    /// The file cannot be read or is no whole object.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The object is something else.
    #[error("{path}: it is no DICOM segmentation (SOP class {class})")]
    NotSegmentation {
        /// The file.
        path: String,
        /// SOP Class UID.
        class: String,
    },
    /// Pixels of a kind that is not read.
    #[error("{path}: {reason}")]
    Unsupported {
        /// The file.
        path: String,
        /// What was found and what is read.
        reason: String,
    },
    /// A frame does not coincide with the CT's voxels.
    #[error("{path}: frame {frame} does not lie on the CT's voxels: {reason}")]
    OtherGrid {
        /// The file.
        path: String,
        /// From 1.
        frame: usize,
        /// What differs.
        reason: String,
    },
}

/// A segmentation object that was opened, but not yet placed.
pub struct Segmentation {
    path: String,
    data_set: DataSet,
    syntax: &'static TransferSyntax,
    sop_instance_uid: String,
    kind: Kind,
    size: [usize; 2],
    frames: usize,
}

/// Segmentation Type.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// One bit per pixel, frames one after the other without gap.
    Binary,
    /// Up to this value; half of it and more is inside.
    Fractional { most: u16 },
    /// The pixel is the segment number.
    LabelMap,
}

impl Segmentation {
    /// Opens a file.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, SegReadError> {
        let name = path.display().to_string();
        let io = |e: std::io::Error| ReadError::Io { path: name.clone(), reason: e.to_string() };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > limits.max_file_bytes {
            let limit = limits.max_file_bytes;
            return Err(ReadError::LimitExceeded { what: "bytes of one file", limit, found }.into());
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let parsed =
            part10::parse(&bytes, limits.max_file_bytes).map_err(|refusal| refused(&name, refusal))?;
        let class = text(&parsed.data_set, tags::SOP_CLASS_UID).unwrap_or_default();
        if class != uids::SEGMENTATION_STORAGE && class != LABEL_MAP_STORAGE {
            return Err(SegReadError::NotSegmentation { path: name, class });
        }
        let uid = text(&parsed.data_set, tags::SOP_INSTANCE_UID).unwrap_or_default();
        let required = Required { sop_instance_uid: &uid };
        let size = [tags::COLUMNS, tags::ROWS].map(|tag| required.short(&parsed.data_set, tag));
        let [columns, rows] = size;
        let size = [usize::from(columns?), usize::from(rows?)];
        let frames = integer(&parsed.data_set, tags::NUMBER_OF_FRAMES).unwrap_or(1);
        let frames = usize::try_from(frames).unwrap_or(0);
        let pixels = size[0] as u64 * size[1] as u64 * frames as u64;
        if pixels == 0 || pixels > limits.max_voxels {
            let (what, limit) = ("pixels of a segmentation", limits.max_voxels);
            return Err(ReadError::LimitExceeded { what, limit, found: pixels }.into());
        }
        let kind = kind(&name, &parsed.data_set)?;
        let (data_set, syntax) = (parsed.data_set, parsed.syntax);
        Ok(Self { path: name, data_set, syntax, sop_instance_uid: uid, kind, size, frames })
    }

    /// Series Instance UID of the images that it was made from, where the object says it.
    pub fn referenced_series_uid(&self) -> Option<String> {
        let series = items(&self.data_set, tags::REFERENCED_SERIES_SEQUENCE).first()?;
        text(series, tags::SERIES_INSTANCE_UID)
    }

    /// Number and label of every segment. A label map's background, number 0, is none.
    pub fn segments(&self) -> Vec<(u16, String)> {
        let segment = |item: &DataSet| {
            let number = u16::try_from(integer(item, tags::SEGMENT_NUMBER)?).ok()?;
            Some((number, text(item, tags::SEGMENT_LABEL).unwrap_or_default()))
        };
        let all = items(&self.data_set, tags::SEGMENT_SEQUENCE).iter().filter_map(segment);
        all.filter(|(number, _)| *number != 0).collect()
    }

    /// Segment numbers at the voxels of `grid`, 0 where there is none. Where segments overlap, the one
    /// that `wanted` names wins, else the higher number.
    pub fn on_grid(&self, grid: &Grid, wanted: &[i16]) -> Result<Volume<i16>, SegReadError> {
        let required = Required { sop_instance_uid: &self.sop_instance_uid };
        let groups = Groups::of(&self.data_set, self.frames, &required)?;
        let mut volume = Volume::filled(grid.clone(), 0_i16);
        let layout = match self.kind {
            Kind::Binary => None,
            Kind::Fractional { .. } | Kind::LabelMap => Some(Layout::read(&self.data_set, &required)?),
        };
        let decoder = match &layout {
            Some(layout) => Pixels::numbers(self, layout)?,
            None => Pixels::bits(self)?,
        };
        for frame in 0..self.frames {
            let place = Place::of(self, &groups, frame, grid)?;
            let number = self.segment_of(&groups, frame)?;
            let pixels = decoder.frame(frame)?;
            for (at, pixel) in pixels.iter().enumerate().filter(|(_, pixel)| **pixel != 0) {
                let label = if self.kind == Kind::LabelMap { *pixel } else { number };
                let voxel = &mut volume.voxels_mut()[place.voxel(at % self.size[0], at / self.size[0])];
                if *voxel == 0 || (!wanted.contains(voxel) && (wanted.contains(&label) || label > *voxel)) {
                    *voxel = label;
                }
            }
        }
        Ok(volume)
    }

    /// Referenced Segment Number of a frame; label maps have none.
    fn segment_of(&self, groups: &Groups, frame: usize) -> Result<i16, SegReadError> {
        if self.kind == Kind::LabelMap {
            return Ok(0);
        }
        let required = Required { sop_instance_uid: &self.sop_instance_uid };
        let item = groups.require(frame, tags::SEGMENT_IDENTIFICATION_SEQUENCE, &required)?;
        let number = required.short(item, tags::REFERENCED_SEGMENT_NUMBER)?;
        i16::try_from(number)
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| required.invalid(tags::REFERENCED_SEGMENT_NUMBER, format!("is {number}")).into())
    }
}

fn refused(name: &str, refusal: Refusal) -> SegReadError {
    let name = name.to_owned();
    match refusal {
        Refusal::NotDicom => ReadError::NoDicom { files: 1 },
        Refusal::Corrupt { reason, .. } => ReadError::Corrupt { name, reason },
        Refusal::UnknownSyntax { uid } => {
            ReadError::UnsupportedTransferSyntax { name, uid, syntax: "unknown".into() }
        }
    }
    .into()
}

fn kind(path: &str, data_set: &DataSet) -> Result<Kind, SegReadError> {
    let written = text(data_set, tags::SEGMENTATION_TYPE).unwrap_or_default();
    let bits = integer(data_set, tags::BITS_ALLOCATED).unwrap_or(0);
    match (written.as_str(), bits) {
        ("BINARY", 1) => Ok(Kind::Binary),
        ("FRACTIONAL", 8) => {
            let most = number(data_set, tags::MAXIMUM_FRACTIONAL_VALUE).unwrap_or(255.0);
            Ok(Kind::Fractional { most: most.clamp(1.0, 255.0) as u16 })
        }
        ("LABELMAP", 8 | 16) => Ok(Kind::LabelMap),
        _ => Err(SegReadError::Unsupported {
            path: path.to_owned(),
            reason: format!(
                "segmentation type {written:?} of {bits} bits; BINARY of 1, FRACTIONAL of 8 and LABELMAP of 8 or 16 are read"
            ),
        }),
    }
}

/// A frame's place among the voxels: index of the first pixel, and steps along a row and down a column.
struct Place {
    first: [i64; 3],
    along_row: [i64; 3],
    down_column: [i64; 3],
    size: [usize; 3],
}

impl Place {
    /// Fails unless every pixel of the frame has a voxel of its own.
    fn of(seg: &Segmentation, groups: &Groups, frame: usize, grid: &Grid) -> Result<Self, SegReadError> {
        let plane = plane(seg, groups, frame)?;
        let refuse =
            |reason: String| SegReadError::OtherGrid { path: seg.path.clone(), frame: frame + 1, reason };
        let axes = plane.axes().ok_or_else(|| refuse("its axes are not perpendicular".into()))?;
        let [between_rows, between_columns] = plane.pixel_spacing_mm;
        let first = grid.index_of(plane.position_lps);
        let step = |direction: [f64; 3], mm: f64| {
            let there = grid.index_of(std::array::from_fn(|a| plane.position_lps[a] + mm * direction[a]));
            std::array::from_fn::<f64, 3, _>(|a| there[a] - first[a])
        };
        let (along_row, down_column) = (step(axes.row, between_columns), step(axes.column, between_rows));
        let exact = [first, along_row, down_column];
        let whole = exact.map(|v| v.map(f64::round));
        let [columns, rows] = seg.size.map(|n| n as f64 - 1.0);
        // Steps add up: a pixel spacing that is a little off shows at the far corners.
        for (column, row) in [(0.0, 0.0), (columns, 0.0), (0.0, rows), (columns, rows)] {
            let at = |from: &[[f64; 3]; 3], a: usize| from[0][a] + column * from[1][a] + row * from[2][a];
            let off = (0..3).map(|a| (at(&exact, a) - at(&whole, a)).abs()).fold(0.0, f64::max);
            if off > OFF_VOXELS {
                return Err(refuse(format!("it is {off:.2} voxels off")));
            }
            if (0..3).any(|a| !(0.0..grid.size()[a] as f64).contains(&at(&whole, a))) {
                return Err(refuse("it reaches beyond them".into()));
            }
        }
        let [first, along_row, down_column] = whole.map(|v| v.map(|v| v as i64));
        Ok(Self { first, along_row, down_column, size: grid.size() })
    }

    /// Offset of a pixel's voxel.
    fn voxel(&self, column: usize, row: usize) -> usize {
        let at = |a: usize| {
            (self.first[a] + column as i64 * self.along_row[a] + row as i64 * self.down_column[a]) as usize
        };
        (at(2) * self.size[1] + at(1)) * self.size[0] + at(0)
    }
}

fn plane(seg: &Segmentation, groups: &Groups, frame: usize) -> Result<Plane, SegReadError> {
    let required = Required { sop_instance_uid: &seg.sop_instance_uid };
    let position = groups.require(frame, tags::PLANE_POSITION_SEQUENCE, &required)?;
    let orientation = groups.require(frame, tags::PLANE_ORIENTATION_SEQUENCE, &required)?;
    let measures = groups.require(frame, tags::PIXEL_MEASURES_SEQUENCE, &required)?;
    Ok(Plane {
        position_lps: required.numbers(position, tags::IMAGE_POSITION_PATIENT)?,
        orientation: required.numbers(orientation, tags::IMAGE_ORIENTATION_PATIENT)?,
        pixel_spacing_mm: required.numbers(measures, tags::PIXEL_SPACING)?,
        thickness_mm: None,
    })
}

/// Decodes frames: 0 outside, anything else inside (the segment number in a label map).
enum Pixels<'a> {
    /// Bits, the first pixel in the least significant one; a frame may begin inside a byte (PS3.5 8.2).
    Bits { bytes: Cow<'a, [u8]>, pixels: usize },
    /// Whole numbers, by the decoders that CT uses; what is below `least` is outside.
    Numbers { frames: Frames<'a>, layout: &'a Layout, least: u16 },
}

impl<'a> Pixels<'a> {
    fn bits(seg: &'a Segmentation) -> Result<Self, SegReadError> {
        let pixels = seg.size[0] * seg.size[1];
        let corrupt = |reason: String| ReadError::Corrupt { name: seg.path.clone(), reason };
        let element = seg.data_set.get(tags::PIXEL_DATA);
        let value = element.and_then(|element| element.value().primitive());
        let bytes = value.ok_or_else(|| SegReadError::Unsupported {
            path: seg.path.clone(),
            reason: format!(
                "BINARY frames in transfer syntax {}: only uncompressed ones are read",
                seg.syntax.uid()
            ),
        })?;
        let bytes = bytes.to_bytes();
        let needed = (pixels * seg.frames).div_ceil(8);
        if bytes.len() < needed {
            let found = bytes.len();
            return Err(corrupt(format!("{found} bytes of pixel data where {needed} are needed")).into());
        }
        Ok(Self::Bits { bytes, pixels })
    }

    fn numbers(seg: &'a Segmentation, layout: &'a Layout) -> Result<Self, SegReadError> {
        let frames = Frames::new(&seg.data_set, seg.syntax, layout, &seg.path)?;
        let least = match seg.kind {
            Kind::Fractional { most } => most.div_ceil(2),
            Kind::Binary | Kind::LabelMap => 1,
        };
        Ok(Self::Numbers { frames, layout, least })
    }

    fn frame(&self, n: usize) -> Result<Vec<i16>, SegReadError> {
        match self {
            Self::Bits { bytes, pixels } => {
                let bit = |at: usize| i16::from(bytes[at / 8] >> (at % 8) & 1);
                Ok((n * pixels..(n + 1) * pixels).map(bit).collect())
            }
            Self::Numbers { frames, layout, least } => {
                let mut values = layout.to_hu(&frames.decode(n)?, 1.0, 0.0);
                values.iter_mut().filter(|v| i32::from(**v) < i32::from(*least)).for_each(|v| *v = 0);
                Ok(values)
            }
        }
    }
}
