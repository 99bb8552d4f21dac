//! The files of an evaluation: `metrics.json`, `metrics.csv`, `slices.csv`, `report.html`, `pictures/`.

use super::EvaluateError;
use super::html;
use super::score::VolumeScore;
use super::summary::Report;
use crate::overlay::Overlay;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Folder of the pictures inside the output.
const PICTURES: &str = "pictures";

/// A folder that an evaluation is written to.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
}

/// One line of `metrics.csv`.
#[derive(Serialize)]
struct VolumeLine<'a> {
    id: &'a str,
    patient: &'a str,
    kinds: &'a str,
    truth_voxels: u64,
    found_voxels: u64,
    both_voxels: u64,
    voxel_mm3: f64,
    dsc: Option<f64>,
    iou: Option<f64>,
    dsc_2class: Option<f64>,
    iou_2class: Option<f64>,
    hd95_mm: Option<f64>,
    assd_mm: Option<f64>,
    lesions: usize,
    lesions_found: usize,
    regions: usize,
    false_positive_regions: usize,
    false_positive_mm3: f64,
    ece: Option<f64>,
    brier: Option<f64>,
    seconds: f64,
}

/// One line of `slices.csv`.
#[derive(Serialize)]
struct SliceLine<'a> {
    id: &'a str,
    volume: usize,
    plane: &'static str,
    slice: usize,
    truth_pixels: u64,
    found_pixels: u64,
    both_pixels: u64,
    dsc: Option<f64>,
    iou: Option<f64>,
}

impl Output {
    /// Makes the folder.
    pub fn create(folder: &Path) -> Result<Self, EvaluateError> {
        let pictures = folder.join(PICTURES);
        std::fs::create_dir_all(&pictures).map_err(|e| failed(&pictures, e))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Keeps a volume's pictures, `number` from 1 in the order of the set.
    pub fn pictures(&self, number: usize, pictures: &[Overlay]) -> Result<(), EvaluateError> {
        for picture in pictures {
            let path = self.picture(number, &picture.name);
            std::fs::write(&path, &picture.png).map_err(|e| failed(&path, e))?;
        }
        Ok(())
    }

    /// The patient's id may hold anything, so the volume's number names the file.
    fn picture(&self, number: usize, name: &str) -> PathBuf {
        self.folder.join(PICTURES).join(format!("{number:04}-{name}"))
    }

    /// Writes tables and report.
    pub fn finish(&self, report: &Report) -> Result<(), EvaluateError> {
        let json = serde_json::to_string_pretty(report).map_err(|e| failed(&self.folder, e))?;
        self.write("metrics.json", &(json + "\n"))?;
        self.table("metrics.csv", report.volumes.iter().map(volume_line))?;
        let slices = report.volumes.iter().enumerate().flat_map(|(n, v)| slice_lines(n + 1, v));
        self.table("slices.csv", slices)?;
        let shown = html::shown(report);
        let mut pictures = Vec::new();
        for (title, number) in shown {
            let png = |name: &str| {
                let path = self.picture(number, name);
                std::fs::read(&path).map_err(|e| failed(&path, e))
            };
            let volume = &report.volumes[number - 1];
            pictures.push(html::Pictures::new(title, volume, &png("axial.png")?, &png("sagittal.png")?));
        }
        self.write("report.html", &html::render(report, &pictures)?)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), EvaluateError> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).map_err(|e| failed(&path, e))
    }

    fn table(&self, name: &str, lines: impl Iterator<Item = impl Serialize>) -> Result<(), EvaluateError> {
        let path = self.folder.join(name);
        let mut table = csv::Writer::from_path(&path).map_err(|e| failed(&path, e))?;
        for line in lines {
            table.serialize(line).map_err(|e| failed(&path, e))?;
        }
        table.flush().map_err(|e| failed(&path, e))
    }
}

fn failed(path: &Path, reason: impl Display) -> EvaluateError {
    EvaluateError::Write { path: path.to_owned(), reason: reason.to_string() }
}

fn volume_line(v: &VolumeScore) -> VolumeLine<'_> {
    VolumeLine {
        id: &v.id,
        patient: &v.patient,
        kinds: &v.kinds,
        truth_voxels: v.overlap.truth,
        found_voxels: v.overlap.found,
        both_voxels: v.overlap.both,
        voxel_mm3: v.voxel_mm3,
        dsc: v.dsc,
        iou: v.iou,
        dsc_2class: v.dsc_2class,
        iou_2class: v.iou_2class,
        hd95_mm: v.surface.map(|s| s.hd95_mm),
        assd_mm: v.surface.map(|s| s.assd_mm),
        lesions: v.lesions.lesions.len(),
        lesions_found: v.lesions.lesions.iter().filter(|l| l.found).count(),
        regions: v.lesions.regions,
        false_positive_regions: v.lesions.regions - v.lesions.right_regions,
        false_positive_mm3: v.false_positive_mm3,
        ece: v.reliability.ece(),
        brier: v.reliability.brier(),
        seconds: v.seconds,
    }
}

fn slice_lines(volume: usize, v: &VolumeScore) -> impl Iterator<Item = SliceLine<'_>> {
    v.slices.iter().map(move |s| SliceLine {
        id: &v.id,
        volume,
        plane: s.plane.name(),
        slice: s.slice,
        truth_pixels: s.overlap.truth,
        found_pixels: s.overlap.found,
        both_pixels: s.overlap.both,
        dsc: s.overlap.dsc(),
        iou: s.overlap.iou(),
    })
}
