//! Every figure of `spinefx evaluate` beside MONAI's, scipy's and numpy's on the same masks.

mod common;

use common::root;
use serde_json::Value;
use spinefx::evaluate::calibration::Reliability;
use spinefx::evaluate::lesions::{self, Kinds};
use spinefx::evaluate::{Overlap, surface};
use spinefx::itk;
use std::path::Path;
use std::process::Command;

const MOST: u64 = 1 << 20;

/// Runs the judge; `None`, said aloud, where there is no MONAI and no CI.
fn judged(folder: &Path) -> Option<Value> {
    let python = root().join(".venv/bin/python");
    let has_monai = python.exists()
        && Command::new(&python).args(["-c", "import monai, scipy"]).output().unwrap().status.success();
    if !has_monai {
        assert!(std::env::var_os("CI").is_none(), "no MONAI: run scripts/setup.sh --test");
        eprintln!("SKIP: no .venv with MONAI to compare with");
        return None;
    }
    let script = root().join("tests/metrics/monai_judge.py");
    let done = Command::new(python).arg(script).arg(folder).status().unwrap();
    assert!(done.success(), "monai_judge.py failed");
    Some(serde_json::from_str(&std::fs::read_to_string(folder.join("judged.json")).unwrap()).unwrap())
}

/// MONAI computes in 32-bit floats, so a distance of 30 mm is known to some 2e-6 mm: the tolerance is
/// relative above 1.
fn agree(name: &str, what: &str, ours: Option<f64>, theirs: &Value) {
    match (ours, theirs.as_f64()) {
        (None, None) => {}
        (Some(a), Some(b)) => {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{name}: {what} is {a}, the judge says {b}");
        }
        (a, b) => panic!("{name}: {what} is {a:?}, the judge says {b:?}"),
    }
}

#[test]
fn masks_are_measured_as_by_monai() {
    let dir = tempfile::tempdir().unwrap();
    let Some(judged) = judged(dir.path()) else { return };
    let pairs = judged["pairs"].as_object().unwrap();
    assert_eq!(pairs.len(), 33);
    for (name, theirs) in pairs {
        let mask = |what: &str| itk::read_mask(&dir.path().join(format!("{name}-{what}.nii.gz")), MOST);
        let (found, truth) = (mask("found").unwrap(), mask("truth").unwrap());
        let overlap = Overlap::of(found.voxels(), truth.voxels());
        agree(name, "DSC", overlap.dsc(), &theirs["dsc"]);
        agree(name, "IoU", overlap.iou(), &theirs["iou"]);
        agree(name, "2-class DSC", overlap.dsc_2class(), &theirs["dsc_2class"]);
        agree(name, "2-class IoU", overlap.iou_2class(), &theirs["iou_2class"]);
        if let (Some(dsc), Some(iou)) = (overlap.dsc(), overlap.iou()) {
            assert!((iou - dsc / (2.0 - dsc)).abs() < 1e-12 && iou <= dsc, "{name}: {dsc} {iou}");
        }
        let distance = surface::distance(&found, &truth);
        agree(name, "HD95", distance.map(|d| d.hd95_mm), &theirs["hd95_mm"]);
        agree(name, "ASSD", distance.map(|d| d.assd_mm), &theirs["assd_mm"]);
        let counted = lesions::count(&found, &truth, Kinds { listed: "", truth: None }, 0.1).unwrap();
        agree(name, "lesions", Some(counted.lesions.len() as f64), &theirs["lesions"]);
        agree(name, "regions", Some(counted.regions as f64), &theirs["regions"]);
        let shared: Overlap = counted.lesions.iter().map(|l| l.overlap).sum();
        if overlap.truth > 0 {
            assert_eq!(
                (shared.both, shared.found, shared.truth),
                (overlap.both, overlap.found, overlap.truth),
                "{name}: every voxel belongs to one lesion"
            );
        }
    }
    check_calibration(dir.path(), &judged["calibration"]);
}

fn check_calibration(folder: &Path, theirs: &Value) {
    let bytes = std::fs::read(folder.join("probabilities.f32")).unwrap();
    let probabilities: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let truth = std::fs::read(folder.join("probability-truth.u8")).unwrap();
    let ours = Reliability::of(&probabilities, &truth);
    agree("calibration", "ECE (numpy)", ours.ece(), &theirs["ece_numpy"]);
    agree("calibration", "ECE (MONAI)", ours.ece(), &theirs["ece_monai"]);
    agree("calibration", "Brier", ours.brier(), &theirs["brier"]);
}
