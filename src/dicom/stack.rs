//! Slices of one series in order along their normal, and whether they make a grid.
//!
//! The order comes from Image Position (Patient) projected on row × column, never from Instance Number,
//! Slice Location or a file name (PS3.3 C.7.6.2.1.1).

use super::error::ReadError;
use super::geometry::{Axes, dot, minus, norm, plus};
use super::identity;
use super::instance::Slice;
use super::limits::ReadOptions;
use super::resample;
use super::series::Series;
use super::source::SourceSeries;
use crate::monitor::Monitor;
use crate::volume::{Grid, Volume};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// Cosines and pixel spacings of one series agree to this; writers round to four decimals or more.
const SAME: f64 = 1e-3;

/// Slices closer than this lie at the same place.
const SAME_PLACE_MM: f64 = 0.01;

/// A slice may be off its place on an even grid by this part of the step, or by [`EVEN_MM`]: scanners
/// that round positions to 0.1 mm are off by half of that.
const EVEN_PART: f64 = 0.05;
const EVEN_MM: f64 = 0.05;

/// A slice may be off the stack's straight normal by this part of a pixel.
const STRAIGHT_PIXELS: f64 = 0.5;

/// Decoded slices, sorted along their normal, without duplicates, all of one size and orientation.
pub struct Stack {
    pub(super) series_uid: String,
    pub(super) header: InMemDicomObject,
    pub(super) slices: Vec<Slice>,
    pub(super) axes: Axes,
    pub(super) notes: Vec<String>,
}

impl Stack {
    pub(super) fn new(
        series_uid: String,
        header: InMemDicomObject,
        mut slices: Vec<Slice>,
        notes: Vec<String>,
    ) -> Result<Self, ReadError> {
        let first = slices.first().and_then(|slice| slice.plane.axes());
        let Some(axes) = first else {
            return Err(ReadError::TooFewSlices { series_uid, found: slices.len() });
        };
        same_geometry(&series_uid, &slices)?;
        slices.sort_by(|a, b| {
            let along = |slice: &Slice| dot(slice.frame.position_lps, axes.normal);
            along(a).total_cmp(&along(b))
        });
        let mut stack = Self { series_uid, header, slices, axes, notes };
        stack.drop_duplicates()?;
        Ok(stack)
    }

    /// Columns, rows, slices.
    pub fn size(&self) -> [usize; 3] {
        let [columns, rows] = self.slices[0].size;
        [columns, rows, self.slices.len()]
    }

    /// HU of the slices, row by row, in ascending order.
    pub fn slices_hu(&self) -> impl Iterator<Item = &[i16]> {
        self.slices.iter().map(|slice| slice.hu.as_slice())
    }

    /// Image Position (Patient) of the slices, LPS mm.
    pub fn positions_lps(&self) -> Vec<[f64; 3]> {
        self.slices.iter().map(|slice| slice.frame.position_lps).collect()
    }

    /// Distances of the slices from the first, along the normal.
    pub fn distances_mm(&self) -> Vec<f64> {
        let first = self.slices[0].frame.position_lps;
        let along = |slice: &Slice| dot(minus(slice.frame.position_lps, first), self.axes.normal);
        self.slices.iter().map(along).collect()
    }

    /// Angle between the stack and its normal, at the slice that is farthest off.
    pub fn tilt_degrees(&self) -> f64 {
        let off = self.off_normal_mm();
        let distances = self.distances_mm();
        let angles = off.iter().zip(&distances).skip(1).map(|(off, along)| off.atan2(*along));
        angles.fold(0.0_f64, f64::max).to_degrees()
    }

    /// Slices that are far from the straight line make a shear; a tilt is one that grows evenly.
    fn off_normal_mm(&self) -> Vec<f64> {
        let first = self.slices[0].frame.position_lps;
        let off = |slice: &Slice| {
            let step = minus(slice.frame.position_lps, first);
            norm(plus(step, -dot(step, self.axes.normal), self.axes.normal))
        };
        self.slices.iter().map(off).collect()
    }

    /// Same pixels: one of them goes, with a note. Different pixels: several volumes in one series.
    fn drop_duplicates(&mut self) -> Result<(), ReadError> {
        let mut kept: Vec<Slice> = Vec::with_capacity(self.slices.len());
        let mut dropped = 0;
        for slice in std::mem::take(&mut self.slices) {
            let Some(last) = kept.last() else {
                kept.push(slice);
                continue;
            };
            let step = minus(slice.frame.position_lps, last.frame.position_lps);
            if dot(step, self.axes.normal) > SAME_PLACE_MM {
                kept.push(slice);
            } else if norm(step) <= SAME_PLACE_MM && slice.hu == last.hu {
                dropped += 1;
            } else {
                return Err(ReadError::ConflictingDuplicate {
                    series_uid: self.series_uid.clone(),
                    first: last.frame.sop_instance_uid.clone(),
                    second: slice.frame.sop_instance_uid,
                });
            }
        }
        if dropped > 0 {
            self.notes.push(format!("{dropped} duplicate slices were dropped"));
        }
        self.slices = kept;
        Ok(())
    }

    /// Binds the slices to a grid; tilted or uneven stacks are resampled if the options say so.
    pub(super) fn into_series(
        mut self,
        options: &ReadOptions,
        monitor: &Monitor,
    ) -> Result<Series, ReadError> {
        let (volume, resampled) = match self.spacing_mm() {
            Ok(spacing_mm) => (self.bind(spacing_mm)?, false),
            Err(ReadError::UnevenSpacing { .. } | ReadError::GantryTilt { .. })
                if options.resample_uneven =>
            {
                let volume = resample::even(&self, options.limits.max_voxels, monitor)?;
                self.notes.push(format!(
                    "the stack was tilted by {:.2} degrees or uneven, and was resampled to {:.3} mm",
                    self.tilt_degrees(),
                    volume.grid().spacing_mm()[2]
                ));
                (volume, true)
            }
            Err(error) => return Err(error),
        };
        let source = self.into_source(volume.grid().clone(), resampled);
        Ok(Series { volume, source })
    }

    /// The even step between slices, or what keeps the stack from being a grid. One slice has its
    /// thickness for a step.
    fn spacing_mm(&self) -> Result<f64, ReadError> {
        let distances = self.distances_mm();
        let series_uid = self.series_uid.clone();
        let steps = distances.len() - 1;
        if steps == 0 {
            let thickness = self.slices[0].plane.thickness_mm;
            return thickness.ok_or(ReadError::TooFewSlices { series_uid, found: 1 });
        }
        let [row_mm, column_mm] = self.slices[0].plane.pixel_spacing_mm;
        if self.off_normal_mm().iter().any(|off| *off > STRAIGHT_PIXELS * row_mm.min(column_mm)) {
            return Err(ReadError::GantryTilt { series_uid, degrees: self.tilt_degrees() });
        }
        let even_mm = distances[steps] / steps as f64;
        let tolerance = EVEN_MM.max(EVEN_PART * even_mm);
        let off = |(n, along): (usize, &f64)| (along - n as f64 * even_mm).abs();
        if distances.iter().enumerate().map(off).any(|off| off > tolerance) {
            let (expected_mm, found_mm, after_slice) = worst_step(&distances);
            return Err(ReadError::UnevenSpacing { series_uid, expected_mm, found_mm, after_slice });
        }
        Ok(even_mm)
    }

    fn bind(&mut self, slice_spacing_mm: f64) -> Result<Volume<i16>, ReadError> {
        let plane = &self.slices[0].plane;
        let [between_rows, between_columns] = plane.pixel_spacing_mm;
        let spacing_mm = [between_columns, between_rows, slice_spacing_mm];
        let grid = Grid::new(self.size(), spacing_mm, plane.position_lps, self.axes.direction())?;
        let mut voxels = Vec::with_capacity(grid.len());
        for slice in &mut self.slices {
            voxels.append(&mut slice.hu);
            slice.hu.shrink_to_fit();
        }
        Ok(Volume::new(grid, voxels)?)
    }

    fn into_source(self, grid: Grid, resampled: bool) -> SourceSeries {
        let Self { series_uid, header, slices, mut notes, .. } = self;
        let mut known_or_made = |tag, what: &str| {
            identity::uid(&header, tag).unwrap_or_else(|| {
                notes.push(format!("the source has no usable {what} UID: one was made up"));
                super::elements::fresh_uid()
            })
        };
        let study_instance_uid = known_or_made(tags::STUDY_INSTANCE_UID, "Study Instance");
        let frame_of_reference_uid = known_or_made(tags::FRAME_OF_REFERENCE_UID, "Frame of Reference");
        let identity = identity::copy(&header, &mut notes);
        let (plane, size) = (slices[0].plane.clone(), slices[0].size);
        SourceSeries {
            identity,
            study_instance_uid,
            series_instance_uid: series_uid,
            frame_of_reference_uid,
            frames: slices.into_iter().map(|slice| slice.frame).collect(),
            plane,
            size,
            grid,
            resampled,
            notes,
        }
    }
}

/// Median step, the step that differs most from it, and the slice before that.
fn worst_step(distances: &[f64]) -> (f64, f64, usize) {
    let steps: Vec<f64> = distances.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let median = median_step(distances);
    let off = |n: &usize| (steps[*n] - median).abs();
    let worst = (0..steps.len()).max_by(|a, b| off(a).total_cmp(&off(b)).then(b.cmp(a))).unwrap_or(0);
    (median, steps[worst], worst)
}

/// Median distance of neighbours.
pub(super) fn median_step(distances: &[f64]) -> f64 {
    let mut steps: Vec<f64> = distances.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    steps[(steps.len() - 1) / 2]
}

/// Size, pixel spacing and orientation of the first slice bind all others.
fn same_geometry(series_uid: &str, slices: &[Slice]) -> Result<(), ReadError> {
    let first = &slices[0];
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= SAME);
    for slice in slices {
        let (one, other) = (&first.plane, &slice.plane);
        let (what, expected, found) = if slice.size != first.size {
            ("size", format!("{:?}", first.size), format!("{:?}", slice.size))
        } else if !close(&one.pixel_spacing_mm, &other.pixel_spacing_mm) {
            let spacings = (one.pixel_spacing_mm, other.pixel_spacing_mm);
            ("pixel spacing", format!("{:?}", spacings.0), format!("{:?}", spacings.1))
        } else if !close(&one.orientation, &other.orientation) {
            let both = (one.orientation, other.orientation);
            ("orientation", format!("{:?}", both.0), format!("{:?}", both.1))
        } else {
            continue;
        };
        return Err(ReadError::MixedGeometry {
            series_uid: series_uid.to_owned(),
            sop_instance_uid: slice.frame.sop_instance_uid.clone(),
            what,
            expected,
            found,
        });
    }
    Ok(())
}
