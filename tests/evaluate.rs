//! `spinefx evaluate` as its user runs it: on the part of a set that training left out, and on a spine
//! that is known to be healthy.

mod common;

use common::spinefx;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const CONFIG: &str = r#"{
  "name": "tiny", "version": "0", "description": "For tests.",
  "architecture": {"kind": "msff", "width": 8, "attention_pool": 16},
  "plane": "sagittal", "spacing_mm": [4.0, 4.0, 4.0], "tile_vox": [32, 32], "tile_overlap": 0.0, "batch": 8,
  "window_hu": [-200.0, 1300.0], "bone_hu": 200.0, "bone_margin_mm": 8.0,
  "threshold": 0.5, "minimum_component_mm3": 0.0, "precision": "fp32"
}"#;

/// A set of ten small spines and a model that saw seven of them for a moment.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
            let phantom =
                ["phantom", "--seed", "31", "--count", "10", "--spacing", "4", "--prevalence", "1", "-o"];
            spinefx(&[&phantom[..], &[&at("set")]].concat());
            std::fs::write(dir.path().join("tiny.json"), CONFIG).unwrap();
            spinefx(&[
                "train",
                "--data",
                &at("set"),
                "--config",
                &at("tiny.json"),
                "-o",
                &at("model"),
                "--epochs",
                "1",
                "--slices-per-epoch",
                "16",
                "--device",
                "cpu",
                "--threads",
                "1",
            ]);
            dir
        })
        .path()
}

fn at(name: &str) -> String {
    folder().join(name).to_str().unwrap().to_owned()
}

/// Evaluates with a threshold so low that an untrained network finds something.
fn evaluate(args: &[&str], out: &str) -> (String, PathBuf) {
    let (model, out) = (at("model"), at(out));
    let fixed = [
        "evaluate",
        "--model",
        &model,
        "--threshold",
        "0.02",
        "--device",
        "cpu",
        "--threads",
        "1",
        "-o",
        &out,
    ];
    (spinefx(&[&fixed[..], args].concat()), PathBuf::from(out))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn lines(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn the_test_part_is_evaluated_and_reported() {
    let (text, out) = evaluate(&["--data", &at("set"), "--split", &at("model/split.json")], "test-part");
    let split = json(&folder().join("model/split.json"));
    let test: Vec<&str> = split["test"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let metrics = json(&out.join("metrics.json"));
    let volumes = metrics["volumes"].as_array().unwrap();
    assert_eq!(volumes.iter().map(|v| v["id"].as_str().unwrap()).collect::<Vec<_>>(), test);
    assert!(volumes.iter().any(|v| v["overlap"]["found"].as_u64().unwrap() > 0), "nothing found: {metrics}");

    let sum = |key: &str| volumes.iter().map(|v| v["overlap"][key].as_f64().unwrap()).sum::<f64>();
    let dsc = 2.0 * sum("both") / (sum("found") + sum("truth"));
    let pooled = |key: &str| metrics[key]["value"].as_f64().unwrap();
    assert!((pooled("pooled_dsc") - dsc).abs() < 1e-12);
    assert!((pooled("pooled_iou") - dsc / (2.0 - dsc)).abs() < 1e-12);
    assert!(pooled("pooled_miou_2class") > pooled("pooled_iou"));
    assert!(text.contains(&format!("{dsc:.3}")) && text.contains("never above DSC"), "{text}");

    let rows = lines(&out.join("metrics.csv"));
    assert_eq!(rows.iter().map(|r| r["id"].as_str()).collect::<Vec<_>>(), test);
    let slices = lines(&out.join("slices.csv"));
    for plane in ["sagittal", "axial"] {
        let of = |key: &str| {
            let slices = slices.iter().filter(|s| s["plane"] == plane);
            slices.map(|s| s[key].parse::<f64>().unwrap()).sum::<f64>()
        };
        assert_eq!(
            [of("truth_pixels"), of("found_pixels"), of("both_pixels")],
            ["truth", "found", "both"].map(sum)
        );
    }
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("data:image/png;base64,") && page.contains(&format!("{dsc:.3}")));
    for outside in ["<script", "src=\"http", "href="] {
        assert!(!page.contains(outside), "the page needs {outside}");
    }
}

#[test]
fn kinds_and_healthy_vertebrae_come_from_what_lies_beside_the_ct() {
    let (_, out) = evaluate(&["--data", &at("set")], "all");
    let metrics = json(&out.join("metrics.json"));
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let (mut lesions, mut levels) = (0, 0);
    for volume in metrics["volumes"].as_array().unwrap() {
        let truth = json(&folder().join("set").join(volume["id"].as_str().unwrap()).join("truth.json"));
        for level in truth["levels"].as_array().unwrap() {
            match level["fracture"]["kind"].as_str() {
                Some(kind) => *kinds.entry(kind.to_owned()).or_default() += 1,
                None => levels += 1,
            }
        }
        lesions += volume["lesions"]["lesions"].as_array().unwrap().len();
    }
    assert!(kinds.len() > 1, "{kinds:?}");
    let by_kind = metrics["by_kind"].as_object().unwrap();
    // At 4 mm a thin fracture may fall into pieces; each piece then counts, under its fracture's kind.
    for (kind, count) in &kinds {
        let found = by_kind.get(kind).map_or(0, |k| k["lesions"].as_u64().unwrap());
        assert!(found >= *count, "{kind}: {found} of {count}: {by_kind:?}");
    }
    let sum: u64 = by_kind.values().map(|k| k["lesions"].as_u64().unwrap()).sum();
    assert_eq!(sum, lesions as u64);
    assert_eq!(metrics["healthy"]["vertebrae"].as_u64().unwrap(), levels);
}

#[test]
fn in_a_healthy_spine_everything_found_is_false() {
    let ct = folder().join("set/phantom-31-0/ct.nii.gz");
    let (_, out) = evaluate(&["--healthy", "--data", ct.to_str().unwrap()], "healthy");
    let metrics = json(&out.join("metrics.json"));
    let volume = &metrics["volumes"][0];
    let found = volume["overlap"]["found"].as_f64().unwrap();
    assert!(found > 0.0, "{metrics}");
    assert_eq!(volume["overlap"]["truth"], 0);
    let wrong = volume["false_positive_mm3"].as_f64().unwrap();
    assert!((wrong - found * volume["voxel_mm3"].as_f64().unwrap()).abs() < 1e-6);
    let healthy = &metrics["healthy"];
    assert!((healthy["false_positive_mm3"]["value"].as_f64().unwrap() - wrong).abs() < 1e-6);
    let shared = healthy["near_spine_mm3"].as_f64().unwrap() + healthy["away_mm3"].as_f64().unwrap();
    assert!((shared - wrong).abs() < 1e-6, "{healthy}");
    assert!(metrics["dsc"].is_null(), "no fracture, no DSC");
}

#[test]
fn a_dicom_series_with_a_segmentation_is_measured_as_the_same_files_are() {
    let dicom = at("dicom");
    let phantom = ["phantom", "--seed", "31", "--count", "2", "--spacing", "4", "--prevalence", "1"];
    spinefx(&[&phantom[..], &["--format", "dicom", "-o", &dicom]].concat());
    let (_, by_index) = evaluate(&["--data", &dicom], "dicom-index");
    std::fs::remove_file(Path::new(&dicom).join("index.csv")).unwrap();
    let (_, by_layout) = evaluate(&["--data", &dicom], "dicom-layout");
    std::fs::write(folder().join("two.json"), r#"{"test": ["phantom-31-0", "phantom-31-1"]}"#).unwrap();
    let (_, files) = evaluate(&["--data", &at("set"), "--split", &at("two.json")], "two-files");
    let of = |out: &Path| -> Vec<Value> {
        let metrics = json(&out.join("metrics.json"));
        let volumes = metrics["volumes"].as_array().unwrap().iter();
        volumes.flat_map(|v| [v["id"].clone(), v["overlap"].clone()]).collect()
    };
    let files = of(&files);
    assert!(files[1]["truth"].as_u64().unwrap() > 0 && files[1]["found"].as_u64().unwrap() > 0, "{files:?}");
    assert_eq!(of(&by_index), files);
    assert_eq!(of(&by_layout), files);
}

#[test]
fn volumes_of_a_patient_are_drawn_together() {
    let grouped = |name: &str, patient: fn(usize) -> usize| {
        let line = |n| {
            format!("{n},set/phantom-31-{n}/ct.nii.gz,set/phantom-31-{n}/fracture.nii.gz,p{}\n", patient(n))
        };
        let lines: String = (0..4).map(line).collect();
        std::fs::write(folder().join(name), format!("id,ct,mask,patient\n{lines}")).unwrap();
        let (_, out) = evaluate(&["--data", &at(name)], &format!("{name}-out"));
        json(&out.join("metrics.json"))
    };
    let each = grouped("each.csv", |n| n);
    let pairs = grouped("pairs.csv", |n| n / 2);
    let one = grouped("one.csv", |_| 0);
    assert_eq!([&each, &pairs, &one].map(|m| m["patients"].as_u64().unwrap()), [4, 2, 1]);
    let figure = |metrics: &Value| metrics["pooled_dsc"].clone();
    assert!(
        figure(&each)["value"] == figure(&one)["value"] && figure(&one)["value"] == figure(&pairs)["value"]
    );
    assert!(figure(&one)["interval"].is_null() && figure(&each)["interval"] != figure(&pairs)["interval"]);
    // Of two patients a draw has the first alone, the second alone, or both: nothing lies beyond.
    let ends: Vec<f64> = [[0, 1], [2, 3]]
        .map(|pair| {
            let sum = |key: &str| {
                pair.map(|n| pairs["volumes"][n]["overlap"][key].as_f64().unwrap()).iter().sum::<f64>()
            };
            2.0 * sum("both") / (sum("found") + sum("truth"))
        })
        .to_vec();
    let interval: Vec<f64> = serde_json::from_value(figure(&pairs)["interval"].clone()).unwrap();
    let wanted = [ends[0].min(ends[1]), ends[0].max(ends[1])];
    assert!(wanted.iter().zip(&interval).all(|(a, b)| (a - b).abs() < 1e-12), "{wanted:?} {interval:?}");
}

#[test]
fn label_says_what_is_a_fracture() {
    let (_, out) = evaluate(&["--data", &at("set"), "--label", "2,3"], "other-labels");
    assert_eq!(json(&out.join("metrics.json"))["fractured"], 0);
}

#[test]
fn mistakes_are_named() {
    let wrong = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_spinefx"))
            .args([&["evaluate", "-o", &at("wrong")], args].concat())
            .output()
            .unwrap();
        assert!(!out.status.success(), "{args:?}");
        String::from_utf8(out.stderr).unwrap()
    };
    let (set, model) = (at("set"), at("model"));
    assert!(wrong(&["--model", "nobody", "--data", &set]).contains("--model nobody"));
    assert!(wrong(&["--model", &model, "--data", &at("nowhere")]).contains("nowhere"));
    let other = folder().join("other.json");
    std::fs::write(&other, r#"{"test": ["phantom-0-0"]}"#).unwrap();
    let text = wrong(&["--model", &model, "--data", &set, "--split", other.to_str().unwrap()]);
    assert!(text.contains("phantom-0-0"), "{text}");
    assert!(
        wrong(&["--model", &model, "--data", &set, "--lesion-overlap", "2"]).contains("--lesion-overlap")
    );
}
