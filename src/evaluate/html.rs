//! `report.html`: one file that a browser shows and prints without anything else.

use super::rows;
use super::score::VolumeScore;
use super::summary::Report;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

/// The page's layout.
const TEMPLATE: &str = include_str!("report.html");

/// Pictures of one volume, as data URIs.
#[derive(Debug, Serialize)]
pub struct Pictures {
    title: &'static str,
    id: String,
    dsc: Option<f64>,
    false_positive_mm3: f64,
    axial: String,
    sagittal: String,
}

impl Pictures {
    /// Embeds two PNGs.
    pub fn new(title: &'static str, volume: &VolumeScore, axial: &[u8], sagittal: &[u8]) -> Self {
        let uri = |png: &[u8]| format!("data:image/png;base64,{}", STANDARD.encode(png));
        Self {
            title,
            id: volume.id.clone(),
            dsc: volume.dsc,
            false_positive_mm3: volume.false_positive_mm3,
            axial: uri(axial),
            sagittal: uri(sagittal),
        }
    }
}

/// Which volumes are shown, by number from 1: best, median and worst DSC of those with a fracture, and
/// of those without the one with most false positives.
pub fn shown(report: &Report) -> Vec<(&'static str, usize)> {
    let numbered = || report.volumes.iter().enumerate().map(|(n, v)| (n + 1, v));
    let mut fractured: Vec<(usize, f64)> =
        numbered().filter(|(_, v)| v.is_fractured()).map(|(n, v)| (n, v.dsc.unwrap_or(0.0))).collect();
    fractured.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut shown = Vec::new();
    let places = [("Best", 0), ("Median", fractured.len() / 2), ("Worst", fractured.len().saturating_sub(1))];
    for (title, place) in places {
        if let Some((number, _)) = fractured.get(place).filter(|(n, _)| shown.iter().all(|(_, s)| s != n)) {
            shown.push((title, *number));
        }
    }
    let healthy = numbered().filter(|(_, v)| !v.is_fractured());
    let worst = healthy.max_by(|a, b| a.1.false_positive_mm3.total_cmp(&b.1.false_positive_mm3));
    shown.extend(worst.map(|(number, _)| ("Without a fracture, most false positives", number)));
    shown
}

/// Lays the report out.
pub fn render(report: &Report, pictures: &[Pictures]) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The name's ending turns escaping on: ids come from files.
    environment.add_template("report.html", TEMPLATE)?;
    let groups = [
        ("Overlap and distance", rows::main(report)),
        ("Fracture by fracture", rows::lesions(report)),
        ("Healthy bone", rows::healthy(report)),
        ("Calibration", rows::calibration(report)),
    ];
    environment.get_template("report.html")?.render(context! {
        report => Serde(report),
        pictures => Serde(pictures),
        version => env!("CARGO_PKG_VERSION"),
        groups => Serde(groups),
    })
}
