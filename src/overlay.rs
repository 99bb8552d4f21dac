//! Pictures of a mask over its CT: an axial, a sagittal and a coronal slice through each finding; and of
//! two masks, the truth and what was found.
//!
//! Bone window 400/1800 HU, in the radiological convention: the patient's right is on the picture's
//! left, anterior is up (axial) or left (sagittal), superior is up.

use crate::itk::{self, ItkError};
use crate::monitor::Monitor;
use crate::plane::Plane;
use crate::postprocess::Finding;
use crate::volume::{Grid, Volume};
use image::imageops::FilterType;
use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;
use thiserror::Error;

/// Centre and width in HU, as radiologists set it for bone.
const WINDOW_HU: [f64; 2] = [400.0, 1800.0];
/// Manifest's colour of a fracture.
const COLOUR: [f64; 3] = [230.0, 60.0, 50.0];
/// Colour of the truth.
const TRUTH_COLOUR: [f64; 3] = [60.0, 200.0, 80.0];
/// How strongly the mask's inside is tinted; its outline is opaque.
const TINT: f64 = 0.30;
/// Enlarged so that the longer side has about this many pixels.
const LONGER_SIDE: f64 = 768.0;
/// More pictures than this help nobody; the largest findings come first.
pub const MOST_FINDINGS: usize = 8;

/// One picture.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// `finding-1-sagittal.png`.
    pub name: String,
    /// PNG.
    pub png: Vec<u8>,
}

/// Why a picture could not be made.
#[derive(Debug, Error)]
pub enum OverlayError {
    /// ITK failed.
    #[error(transparent)]
    Itk(#[from] ItkError),
    /// PNG encoding failed.
    #[error(transparent)]
    Png(#[from] image::ImageError),
}

/// The order of a finding's pictures.
const VIEWS: [Plane; 3] = [Plane::Axial, Plane::Sagittal, Plane::Coronal];

/// Pictures through every finding, or through the middle of the CT when there is none.
pub fn overlays(
    ct_hu: &Volume<i16>,
    mask: &Volume<u8>,
    findings: &[Finding],
) -> Result<Vec<Overlay>, OverlayError> {
    let (ct_hu, mask) = (itk::orient(ct_hu)?, itk::orient(mask)?);
    let centre = ct_hu.grid().size().map(|n| (n / 2) as f64);
    let mut cuts: Vec<(String, [f64; 3])> = findings
        .iter()
        .take(MOST_FINDINGS)
        .map(|f| (format!("finding-{}", f.id), ct_hu.grid().index_of(f.centroid_lps)))
        .collect();
    if cuts.is_empty() {
        cuts.push(("no-finding".into(), centre));
    }
    let mut pictures = Vec::new();
    for (name, at) in cuts {
        for plane in VIEWS {
            let layer = Layer { mask: &mask, colour: COLOUR, tint: TINT };
            let png = draw(&ct_hu, &[layer], plane, plane.slice_of(nearest(ct_hu.grid(), at)))?;
            pictures.push(Overlay { name: format!("{name}-{}.png", plane.name()), png });
        }
    }
    Ok(pictures)
}

fn nearest(grid: &Grid, index: [f64; 3]) -> [usize; 3] {
    std::array::from_fn(|a| index[a].round().clamp(0.0, (grid.size()[a] - 1) as f64) as usize)
}

/// The order of a comparison's pictures.
const COMPARED: [Plane; 2] = [Plane::Axial, Plane::Sagittal];

/// An axial and a sagittal picture through the largest true fracture (or, without one, the largest
/// region found, or the middle): outlines, the truth green, the mask red. All volumes share one grid.
pub fn comparison(
    ct_hu: &Volume<i16>,
    truth: &Volume<u8>,
    found: &Volume<u8>,
) -> Result<Vec<Overlay>, OverlayError> {
    let (ct_hu, truth, found) = (itk::orient(ct_hu)?, itk::orient(truth)?, itk::orient(found)?);
    let shown = if truth.voxels().contains(&1) { &truth } else { &found };
    let (labels, _) = itk::connected_components(shown, &Monitor::default())?;
    let picture = |plane: Plane| {
        let slice = widest(&labels, plane);
        let layers = [
            Layer { mask: &truth, colour: TRUTH_COLOUR, tint: 0.0 },
            Layer { mask: &found, colour: COLOUR, tint: 0.0 },
        ];
        Ok(Overlay { name: format!("{}.png", plane.name()), png: draw(&ct_hu, &layers, plane, slice)? })
    };
    COMPARED.into_iter().map(picture).collect()
}

/// The slice in which the largest piece (label 1) has most voxels; the middle one without any piece.
fn widest(labels: &Volume<u32>, plane: Plane) -> usize {
    let size = labels.grid().size();
    let count = plane.slice_count(size);
    let mut areas = vec![0_u64; count];
    for (n, _) in labels.voxels().iter().enumerate().filter(|(_, label)| **label == 1) {
        areas[plane.slice_of([n % size[0], n / size[0] % size[1], n / (size[0] * size[1])])] += 1;
    }
    let most = areas.iter().copied().max().unwrap_or_default();
    if most == 0 { count / 2 } else { areas.iter().position(|area| *area == most).unwrap_or(count / 2) }
}

/// A mask as it is drawn: an opaque outline, and a tint inside from 0 (none) to 1.
struct Layer<'a> {
    mask: &'a Volume<u8>,
    colour: [f64; 3],
    tint: f64,
}

fn draw(ct_hu: &Volume<i16>, layers: &[Layer], plane: Plane, slice: usize) -> Result<Vec<u8>, OverlayError> {
    let (size, spacing) = (ct_hu.grid().size(), ct_hu.grid().spacing_mm());
    let voxel = |x: usize, y: usize| plane.voxel(size, slice, [y, x]);
    let [height, width] = plane.slice_size(size).map(|n| n as u32);
    let grey = RgbImage::from_fn(width, height, |x, y| {
        let hu = f64::from(ct_hu.at(voxel(x as usize, y as usize)));
        let level = ((hu - WINDOW_HU[0]) / WINDOW_HU[1] + 0.5).clamp(0.0, 1.0) * 255.0;
        Rgb([level as u8; 3])
    });
    // Millimetres decide the shape: anisotropic voxels must not squash the patient.
    let mm = plane.axes().map(|axis| size[axis] as f64 * spacing[axis]);
    let scale = LONGER_SIDE / mm[0].max(mm[1]);
    let [out_h, out_w] = mm.map(|m| ((m * scale).round() as u32).max(1));
    let mut picture = image::imageops::resize(&grey, out_w, out_h, FilterType::Triangle);
    for layer in layers {
        let inside = |x: u32, y: u32| {
            let back =
                |p: u32, out: u32, n: u32| ((p as usize * n as usize) / out as usize).min(n as usize - 1);
            layer.mask.at(voxel(back(x, out_w, width), back(y, out_h, height))) != 0
        };
        paint(&mut picture, layer, inside);
    }
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

fn paint(picture: &mut RgbImage, layer: &Layer, inside: impl Fn(u32, u32) -> bool) {
    let (width, height) = picture.dimensions();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if !inside(x, y) {
            continue;
        }
        let edge = x == 0
            || y == 0
            || x + 1 == width
            || y + 1 == height
            || !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
        let tint = if edge { 1.0 } else { layer.tint };
        for (channel, colour) in pixel.0.iter_mut().zip(layer.colour) {
            *channel = (f64::from(*channel) * (1.0 - tint) + colour * tint) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 × 30 × 10 voxels of 1 × 1 × 3 mm, with a mask block near the left, posterior, superior end.
    fn pair() -> (Volume<i16>, Volume<u8>, Finding) {
        let grid = Grid::axis_aligned([20, 30, 10], [1.0, 1.0, 3.0], [0.0; 3]).unwrap();
        let mut mask = Volume::filled(grid.clone(), 0_u8);
        for k in 7..9 {
            for j in 22..26 {
                for i in 14..18 {
                    mask.voxels_mut()[grid.offset([i, j, k])] = 1;
                }
            }
        }
        let finding = Finding {
            id: 1,
            segment: 1,
            volume_mm3: 96.0,
            centroid_lps: [15.5, 23.5, 22.5],
            box_lps: [[14.0, 22.0, 21.0], [17.0, 25.0, 24.0]],
            box_vox: [[14, 17], [22, 25], [7, 8]],
            mean_probability: 0.9,
            max_probability: 0.9,
            slice: 7,
        };
        (Volume::filled(grid, 40_i16), mask, finding)
    }

    fn red_centre(png: &[u8]) -> [f64; 2] {
        let picture = image::load_from_memory(png).unwrap().to_rgb8();
        let red: Vec<[f64; 2]> = picture
            .enumerate_pixels()
            .filter(|(_, _, p)| p.0[0] > p.0[1].saturating_add(20))
            .map(|(x, y, _)| {
                [f64::from(x) / f64::from(picture.width()), f64::from(y) / f64::from(picture.height())]
            })
            .collect();
        assert!(!red.is_empty());
        [0, 1].map(|a| red.iter().map(|p| p[a]).sum::<f64>() / red.len() as f64)
    }

    #[test]
    fn pictures_follow_the_radiological_convention() {
        let (ct, mask, finding) = pair();
        let pictures = overlays(&ct, &mask, &[finding]).unwrap();
        let names: Vec<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["finding-1-axial.png", "finding-1-sagittal.png", "finding-1-coronal.png"]);
        let [axial, sagittal, coronal] = [0, 1, 2].map(|n| red_centre(&pictures[n].png));
        // Patient's left is on the right, posterior is down (axial) or right (sagittal), superior up.
        assert!((axial[0] - 0.8).abs() < 0.05 && (axial[1] - 0.8).abs() < 0.05, "{axial:?}");
        assert!((sagittal[0] - 0.8).abs() < 0.05 && (sagittal[1] - 0.2).abs() < 0.05, "{sagittal:?}");
        assert!((coronal[0] - 0.8).abs() < 0.05 && (coronal[1] - 0.2).abs() < 0.05, "{coronal:?}");
    }

    #[test]
    fn a_comparison_shows_truth_and_mask_where_the_truth_is_widest() {
        let (ct, truth, _) = pair();
        let found = Volume::filled(truth.grid().clone(), 0_u8);
        let missed = comparison(&ct, &truth, &found).unwrap();
        let colours = |png: &[u8], at: usize| {
            let picture = image::load_from_memory(png).unwrap().to_rgb8();
            picture
                .pixels()
                .filter(|p| (0..3).all(|c| c == at || p.0[at] > p.0[c].saturating_add(20)))
                .count()
        };
        for picture in &missed {
            assert!(colours(&picture.png, 1) > 0 && colours(&picture.png, 0) == 0, "{}", picture.name);
        }
        let invented = comparison(&ct, &found, &truth).unwrap();
        assert!(invented.iter().all(|p| colours(&p.png, 0) > 0 && colours(&p.png, 1) == 0));
    }

    #[test]
    fn millimetres_decide_the_shape() {
        let (ct, mask, finding) = pair();
        let pictures = overlays(&ct, &mask, &[finding]).unwrap();
        let coronal = image::load_from_memory(&pictures[2].png).unwrap();
        // 20 mm across, 30 mm down.
        assert!((f64::from(coronal.width()) / f64::from(coronal.height()) - 2.0 / 3.0).abs() < 0.01);
    }
}
