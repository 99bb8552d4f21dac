//! Frames of a segmentation: which planes they are, and the functional groups that place them (PS3.3 C.7.6.16, C.8.20.3).

use super::codes;
use super::elements::{DataSet, decimals, sequence, short, text};
use super::geometry::Plane;
use super::seg_type::SegmentationType;
use super::source::{SourceFrame, SourceSeries};
use crate::volume::Volume;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;

/// One plane of the mask that has a voxel set.
pub(super) struct MaskFrame<'a> {
    pub source: &'a SourceFrame,
    /// One value per pixel, row by row.
    pub pixels: Vec<bool>,
}

/// The mask on the source's own planes, planes without a voxel left out. An empty mask leaves its first
/// plane, because a segmentation has at least one frame.
pub(super) fn on_source_planes<'a>(mask: &Volume<u8>, source: &'a SourceSeries) -> Vec<MaskFrame<'a>> {
    let plane = |(k, frame): (usize, &'a SourceFrame)| MaskFrame {
        source: frame,
        pixels: if source.resampled { sampled(mask, source, frame) } else { slice(mask, k) },
    };
    let mut frames: Vec<MaskFrame> = source
        .frames
        .iter()
        .enumerate()
        .map(plane)
        .filter(|frame| frame.pixels.iter().any(|pixel| *pixel))
        .collect();
    if frames.is_empty() {
        frames.extend(source.frames.first().map(|first| plane((0, first))));
    }
    frames
}

fn slice(mask: &Volume<u8>, k: usize) -> Vec<bool> {
    let [columns, rows, _] = mask.grid().size();
    mask.voxels()[k * columns * rows..(k + 1) * columns * rows].iter().map(|v| *v != 0).collect()
}

/// The nearest voxel at every pixel of a plane that does not lie on the mask's grid.
fn sampled(mask: &Volume<u8>, source: &SourceSeries, frame: &SourceFrame) -> Vec<bool> {
    let Some(axes) = source.plane.axes() else { return Vec::new() };
    let ([columns, rows], grid) = (source.size, mask.grid());
    let [between_rows, between_columns] = source.plane.pixel_spacing_mm;
    let at = |n: usize| {
        let (i, j) = ((n % columns) as f64 * between_columns, (n / columns) as f64 * between_rows);
        let place = std::array::from_fn(|a| frame.position_lps[a] + i * axes.row[a] + j * axes.column[a]);
        let index = grid.index_of(place).map(f64::round);
        let inside = (0..3).all(|a| index[a] >= 0.0 && index[a] < grid.size()[a] as f64);
        inside && mask.at(index.map(|v| v as usize)) != 0
    };
    (0..columns * rows).map(at).collect()
}

/// Groups that hold for all frames: pixel measures and orientation.
pub(super) fn shared_groups(source: &SourceSeries) -> DataSet {
    let Plane { orientation, pixel_spacing_mm, thickness_mm, .. } = &source.plane;
    let step_mm = source.grid.spacing_mm()[2];
    let mut measures = DataSet::new_empty();
    decimals(&mut measures, tags::SLICE_THICKNESS, &[thickness_mm.unwrap_or(step_mm)]);
    if !source.resampled {
        decimals(&mut measures, tags::SPACING_BETWEEN_SLICES, &[step_mm]);
    }
    decimals(&mut measures, tags::PIXEL_SPACING, pixel_spacing_mm);
    let mut plane = DataSet::new_empty();
    decimals(&mut plane, tags::IMAGE_ORIENTATION_PATIENT, orientation);
    let mut groups = DataSet::new_empty();
    sequence(&mut groups, tags::PIXEL_MEASURES_SEQUENCE, vec![measures]);
    sequence(&mut groups, tags::PLANE_ORIENTATION_SEQUENCE, vec![plane]);
    groups
}

/// Groups of one frame, the `rank`-th (from 1) along the stack. A frame of a label map is of no one segment.
pub(super) fn frame_groups(frame: &MaskFrame, kind: SegmentationType, rank: u32) -> DataSet {
    let segment = kind.frame_segment();
    let mut content = DataSet::new_empty();
    let index = PrimitiveValue::U32(segment.map(u32::from).into_iter().chain([rank]).collect());
    content.put(DataElement::new(tags::DIMENSION_INDEX_VALUES, VR::UL, index));
    let mut position = DataSet::new_empty();
    decimals(&mut position, tags::IMAGE_POSITION_PATIENT, &frame.source.position_lps);
    let mut groups = DataSet::new_empty();
    sequence(&mut groups, tags::FRAME_CONTENT_SEQUENCE, vec![content]);
    sequence(&mut groups, tags::PLANE_POSITION_SEQUENCE, vec![position]);
    if let Some(number) = segment {
        let mut segment = DataSet::new_empty();
        short(&mut segment, tags::REFERENCED_SEGMENT_NUMBER, number);
        sequence(&mut groups, tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment]);
    }
    sequence(&mut groups, tags::DERIVATION_IMAGE_SEQUENCE, vec![derivation(frame.source)]);
    groups
}

/// The source slice a frame was computed from; their pixels coincide.
fn derivation(source: &SourceFrame) -> DataSet {
    let mut image = DataSet::new_empty();
    text(&mut image, tags::REFERENCED_SOP_CLASS_UID, VR::UI, &source.sop_class_uid);
    text(&mut image, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &source.sop_instance_uid);
    if let Some(number) = source.frame_number {
        text(&mut image, tags::REFERENCED_FRAME_NUMBER, VR::IS, &number.to_string());
    }
    text(&mut image, tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "YES");
    let purpose = vec![codes::SOURCE_FOR_PROCESSING.item()];
    sequence(&mut image, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
    let mut derivation = DataSet::new_empty();
    sequence(&mut derivation, tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
    sequence(&mut derivation, tags::DERIVATION_CODE_SEQUENCE, vec![codes::SEGMENTATION.item()]);
    derivation
}

/// Multi-frame Dimension module (C.7.6.17): segment where frames have one, then position.
pub(super) fn dimensions(to: &mut DataSet, kind: SegmentationType, organization_uid: &str) {
    let mut organization = DataSet::new_empty();
    text(&mut organization, tags::DIMENSION_ORGANIZATION_UID, VR::UI, organization_uid);
    let index = |pointer: Tag, group: Tag, label: &str| {
        let mut item = DataSet::new_empty();
        text(&mut item, tags::DIMENSION_ORGANIZATION_UID, VR::UI, organization_uid);
        item.put(DataElement::new(tags::DIMENSION_INDEX_POINTER, VR::AT, PrimitiveValue::from(pointer)));
        item.put(DataElement::new(tags::FUNCTIONAL_GROUP_POINTER, VR::AT, PrimitiveValue::from(group)));
        text(&mut item, tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label);
        item
    };
    let segment = kind.frame_segment().map(|_| {
        index(tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number")
    });
    let position = index(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Image Position");
    let indices = segment.into_iter().chain([position]).collect();
    sequence(to, tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![organization]);
    sequence(to, tags::DIMENSION_INDEX_SEQUENCE, indices);
}
