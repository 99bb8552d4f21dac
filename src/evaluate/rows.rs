//! The report as lines for people: the terminal and the HTML page print the same.

use super::bootstrap::Estimate;
use super::summary::{Report, Spread};
use serde::Serialize;

/// One line: what it is, its value, its interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// The value, with its unit.
    pub value: String,
    /// `0.871 to 0.912`, or empty.
    pub interval: String,
    /// Over what; may be empty.
    pub over: String,
}

/// Digits after the point.
type Digits = usize;

/// Writes an estimate; `-` where there is none.
pub fn row(
    name: impl Into<String>,
    figure: Option<Estimate>,
    digits: Digits,
    over: impl Into<String>,
) -> Row {
    let value = figure.map_or_else(|| "-".into(), |e| format!("{:.digits$}", e.value));
    let interval = figure.and_then(|e| e.interval);
    let interval =
        interval.map_or_else(String::new, |[low, high]| format!("{low:.digits$} to {high:.digits$}"));
    Row { name: name.into(), value, interval, over: over.into() }
}

fn spread(name: &str, figure: Option<Spread>, digits: Digits, unit: &str) -> Row {
    let volumes = figure.map_or(0, |s| s.volumes);
    let mut row = row(name, figure.map(|s| s.estimate), digits, format!("{volumes} volumes"));
    if let Some(deviation) = figure.and_then(|s| s.deviation) {
        row.value = format!("{} ± {deviation:.digits$}", row.value);
    }
    row.value.push_str(unit);
    row
}

/// The figures of the fracture, in the order of `docs/evaluation.md`.
pub fn main(report: &Report) -> Vec<Row> {
    let volumes = format!("{} volumes", report.volumes.len());
    let mut rows = vec![
        spread("DSC per volume, mean ± SD", report.dsc, 3, ""),
        spread("IoU per volume, mean ± SD", report.iou, 3, ""),
        row("DSC, all voxels pooled", report.pooled_dsc, 3, &volumes),
        row("IoU, all voxels pooled", report.pooled_iou, 3, &volumes),
        spread("2-class DSC (paper-like, includes background)", report.dsc_2class, 3, ""),
        spread("2-class mean IoU (paper-like, includes background)", report.miou_2class, 3, ""),
        row("2-class DSC, pooled", report.pooled_dsc_2class, 3, &volumes),
        row("2-class mean IoU, pooled", report.pooled_miou_2class, 3, &volumes),
    ];
    for slices in &report.slices {
        let (plane, over) = (slices.plane.name(), format!("{} slices", slices.positive));
        rows.push(row(format!("DSC per {plane} slice with a fracture"), slices.dsc, 3, &over));
        rows.push(row(format!("IoU per {plane} slice with a fracture"), slices.iou, 3, &over));
        let over = format!("{} slices", slices.negative);
        let name = format!("{plane} slices without a fracture that show one");
        rows.push(row(name, slices.false_positive_rate, 3, over));
    }
    rows.push(spread("HD95, mean ± SD", report.hd95_mm, 2, " mm"));
    rows.push(spread("ASSD, mean ± SD", report.assd_mm, 2, " mm"));
    rows
}

/// Fractures one by one.
pub fn lesions(report: &Report) -> Vec<Row> {
    let all = &report.lesions;
    let mut rows = vec![
        row("sensitivity", all.sensitivity, 3, format!("{} of {} fractures", all.found, all.lesions)),
        row("precision", report.precision, 3, format!("{} regions", report.regions)),
        row(
            "false positives per volume",
            report.false_positives_per_volume,
            2,
            format!("{} volumes", report.volumes.len()),
        ),
    ];
    for (kind, lesions) in &report.by_kind {
        let over = format!("{} of {} found", lesions.found, lesions.lesions);
        rows.push(row(format!("{kind}: DSC"), lesions.dsc, 3, over));
        let over = format!("{} fractures", lesions.lesions);
        rows.push(row(format!("{kind}: sensitivity"), lesions.sensitivity, 3, over));
    }
    rows
}

/// Volumes and vertebrae without a fracture.
pub fn healthy(report: &Report) -> Vec<Row> {
    let healthy = &report.healthy;
    let mut rows = vec![row(
        "false-positive volume per healthy volume, mm³",
        healthy.false_positive_mm3,
        0,
        format!("{} of {} with an empty mask", healthy.clean, healthy.volumes),
    )];
    if healthy.vertebrae > 0 {
        rows.push(row(
            "false-positive volume per healthy vertebra, mm³",
            healthy.per_vertebra_mm3,
            1,
            format!("{} of {} without any", healthy.clean_vertebrae, healthy.vertebrae),
        ));
        let plain = |name: &str, mm3: f64| Row {
            name: name.into(),
            value: format!("{mm3:.0}"),
            interval: String::new(),
            over: "volumes with vertebra labels".into(),
        };
        rows.push(plain("false-positive volume at vertebrae, in all, mm³", healthy.near_spine_mm3));
        rows.push(plain("false-positive volume away from vertebrae, in all, mm³", healthy.away_mm3));
    }
    rows
}

/// Calibration.
pub fn calibration(report: &Report) -> Vec<Row> {
    let plain = |name: &str, value: Option<f64>| {
        let figure = value.map(|value| Estimate { value, interval: None });
        row(name, figure, 4, format!("{} voxels near bone", report.calibration.voxels))
    };
    vec![
        plain("expected calibration error, 15 bins", report.calibration.ece),
        plain("Brier score", report.calibration.brier),
    ]
}

/// All of it, as the terminal shows it.
pub fn all(report: &Report) -> Vec<Row> {
    [main(report), lesions(report), healthy(report), calibration(report)].concat()
}
