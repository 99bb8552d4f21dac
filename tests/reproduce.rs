//! `spinefx reproduce` from nothing to a page, at a budget that shows nothing but that it runs.

mod common;

use common::spinefx;
use serde_json::Value;
use std::path::Path;

const ROWS: [(&str, &str, &str); 7] = [
    ("U-Net", "83.26", "84.39"),
    ("U-Net++", "85.92", "85.37"),
    ("FCN", "84.06", "85.62"),
    ("SpineGAN", "78.31", "75.49"),
    ("SegNet", "82.95", "83.62"),
    ("DeepLabv3+", "87.36", "88.15"),
    ("Proposed Model", "91.87", "93.36"),
];

fn kept(folder: &Path) -> Vec<(Value, std::time::SystemTime)> {
    let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
    json.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (serde_json::from_str(&text).unwrap(), path.metadata().unwrap().modified().unwrap())
    })
    .collect()
}

#[test]
fn table_2_has_seven_rows_from_what_the_trainings_reached() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (out, work) = (at("results"), at("work"));
    let args = ["reproduce", "table2", "--budget", "smoke", "--device", "cpu", "-o", &out, "--work", &work];
    let text = spinefx(&args);
    let folder = dir.path().join("results/table2-smoke");
    let outcomes = kept(&folder);
    assert_eq!(outcomes.len(), 7);
    let page = std::fs::read_to_string(dir.path().join("results/table2.md")).unwrap();
    for (name, dsc, iou) in ROWS {
        let row = page.lines().find(|line| line.starts_with(&format!("| {name} | {dsc} | {iou} |"))).unwrap();
        let (outcome, _) = outcomes.iter().find(|(o, _)| o["name"] == name).unwrap();
        let sum = |key: &str| -> f64 {
            let volumes = outcome["volumes"].as_array().unwrap();
            volumes.iter().map(|v| v["overlap"][key].as_f64().unwrap()).sum()
        };
        let ours = 200.0 * sum("both") / (sum("found") + sum("truth"));
        assert!(sum("truth") > 0.0 && row.contains(&format!("| {ours:.2}")), "{ours}: {row}");
        assert!(row.contains(&format!("| {} |", outcome["parameters"])), "{row}");
        assert!(text.contains(name), "{text}");
        let losses = if name == "SpineGAN" { "common + 1 × adversary" } else { "common" };
        assert!(outcome["losses"] == losses && row.contains(&format!("| {losses} |")), "{row}");
        let picture = row_picture(&page, name);
        assert!(dir.path().join("results").join(picture).is_file(), "{picture}");
    }
    assert!(page.contains("never above DSC") && page.contains("spinefx reproduce table2 --budget smoke"));
    let plot = std::fs::read_to_string(folder.join("plot.svg")).unwrap();
    assert!(ROWS.iter().all(|(name, _, _)| plot.contains(name)));

    // A second run trains nothing: every file of the trainings stays as it was.
    spinefx(&args);
    let again = kept(&folder);
    assert!(outcomes.iter().all(|outcome| again.contains(outcome)));
}

/// The path of a row's axial picture.
fn row_picture<'a>(page: &'a str, name: &str) -> &'a str {
    let at = page.find(&format!("![{name}, axial](")).unwrap();
    page[at..].split(['(', ')']).nth(1).unwrap()
}
