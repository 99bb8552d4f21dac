//! Data of every kind: what can be trained on is found, and what cannot is listed all at once.

#[path = "train/mod.rs"]
mod common;

use common::{ct, mask, said, set, train};
use spinefx::dicom::{
    Algorithm, ReadOptions, SyntheticPatient, read_path, write_ct_series, write_segmentation,
};
use spinefx::itk::write_volume;
use spinefx::monitor::Monitor;
use spinefx::train::dataset;
use spinefx::volume::{Grid, Volume};
use std::path::Path;

/// A DICOM series and the segmentation that refers to it, in folders of their own.
fn dicom(patient: &Path, number: u32) {
    let series = patient.join("ct");
    let who = SyntheticPatient { number, seed: format!("train-{number}") };
    write_ct_series(&ct(true), &who, &series).unwrap();
    let source = read_path(&series, ReadOptions::default(), &Monitor::default()).unwrap().source;
    let by = Algorithm { name: "test".into(), version: "1".into(), weights_sha256: String::new() };
    std::fs::create_dir_all(patient.join("seg")).unwrap();
    let bytes = write_segmentation(&mask(true), &source, &by).unwrap();
    std::fs::write(patient.join("seg/1.dcm"), bytes).unwrap();
}

#[test]
fn pairs_are_found_by_layout_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    set(data, 2);
    for (n, [ct_name, mask_name]) in
        [["ct.nii", "mask.nii.gz"], ["ct.nrrd", "fracture.mha"], ["ct.mha", "mask.nrrd"]].iter().enumerate()
    {
        let folder = data.join("several").join(format!("series-{n}"));
        std::fs::create_dir_all(&folder).unwrap();
        write_volume(&ct(true), &folder.join(ct_name)).unwrap();
        write_volume(&mask(true), &folder.join(mask_name)).unwrap();
    }
    dicom(&data.join("dicom"), 7);
    let entries = dataset::index(data).unwrap();
    let ids: Vec<&str> = entries.iter().map(|e| e.id.as_str()).collect();
    let several = ["several/series-0", "several/series-1", "several/series-2"];
    assert_eq!(ids[..3], ["case-00", "case-01", "dicom"]);
    assert_eq!(ids[3..], several);
    assert!(entries[3..].iter().all(|e| e.patient == "several"));
    for entry in &entries {
        let pair = dataset::read(&entry.ct, &entry.mask, &[]).unwrap();
        assert_eq!(pair.mask.voxels(), mask(true).voxels(), "{}", entry.id);
        assert_eq!(pair.ct_hu.voxels(), ct(true).voxels(), "{}", entry.id);
    }
}

/// Ten pairs, each with its own fault but the first two.
fn faulty(data: &Path) {
    set(data, 10);
    let at = |n: usize, name: &str| data.join(format!("case-{n:02}")).join(name);
    std::fs::remove_file(at(2, "fracture.nii.gz")).unwrap();
    std::fs::write(at(3, "ct.nii.gz"), b"no image").unwrap();
    let coarse = Grid::axis_aligned([20, 20, 20], [8.0; 3], [-80.0, -80.0, 0.0]).unwrap();
    write_volume(&Volume::filled(coarse, 0_u8), &at(4, "fracture.nii.gz")).unwrap();
    let shifted = Grid::axis_aligned([40; 3], [4.0; 3], [-80.0, -76.0, 0.0]).unwrap();
    write_volume(&Volume::filled(shifted, 0_u8), &at(5, "fracture.nii.gz")).unwrap();
    write_volume(&mask(true).map(|v| v * 3), &at(6, "fracture.nii.gz")).unwrap();
    write_volume(&ct(true).map(|hu| hu + 1024), &at(7, "ct.nii.gz")).unwrap();
    write_volume(&ct(true).map(|hu| hu / 4), &at(8, "ct.nii.gz")).unwrap();
    let half = mask(true).map(|v| f32::from(*v) * 0.5);
    write_volume(&half, &at(9, "fracture.nii.gz")).unwrap();
}

#[test]
fn all_faults_are_listed_before_anything_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    let (data, output) = (dir.path().join("set"), dir.path().join("out"));
    faulty(&data);
    let done = train(&data, &output).output().unwrap();
    let text = said(&done);
    assert!(!done.status.success(), "{text}");
    assert!(text.contains("8 problems in the data"), "{text}");
    for (id, reason) in [
        ("case-02", "fracture.nii.gz is missing"),
        ("case-03", "ct.nii.gz"),
        ("case-04", "size is [20, 20, 20] in the mask, [40, 40, 40] in the CT"),
        ("case-05", "origin is [-80.0, -76.0, 0.0] in the mask"),
        ("case-06", "labels [0, 3]; say with --label"),
        ("case-07", "24 to 1524: Hounsfield units"),
        ("case-08", "bone threshold"),
        ("case-09", "not a whole number"),
    ] {
        let line = text.lines().find(|line| line.trim_start().starts_with(id));
        assert!(line.is_some_and(|line| line.contains(reason)), "{id}: {reason}\n{text}");
    }
    assert!(!text.contains("case-01"), "{text}");
    assert!(!output.join("checkpoint.safetensors").exists());
}

#[test]
fn a_csv_chooses_labels_patients_and_splits() {
    let dir = tempfile::tempdir().unwrap();
    set(dir.path(), 6);
    for n in 0..6 {
        let path = dir.path().join(format!("case-{n:02}/fracture.nii.gz"));
        // Label 2 is a fracture here; 1 stands for something else.
        write_volume(&mask(n > 0).map(|v| v * 2), &path).unwrap();
    }
    let line = |n: usize| format!("c{n},case-{n:02}/ct.nii.gz,case-{n:02}/fracture.nii.gz,p{}\n", n.max(1));
    let lines: String = (0..6).map(line).collect();
    let index = dir.path().join("pairs.csv");
    std::fs::write(&index, format!("id,ct,mask,patient\n{lines}")).unwrap();
    let split = dir.path().join("mine.json");
    std::fs::write(&split, r#"{"train":["c0","c1","c2","c3"],"validation":["c4"],"test":["c5"]}"#).unwrap();
    let output = dir.path().join("out");
    let mut command = train(&index, &output);
    command.args(["--label", "2", "--epochs", "1", "--slices-per-epoch", "8", "--accumulate", "2"]);
    let done = command.arg("--split").arg(&split).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("| training"), "{}", said(&done));
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(output.join("split.json")).unwrap()).unwrap();
    assert_eq!(written["test"][0], "c5");
    // Weights to start from, and no second pair of one name.
    let tuned = dir.path().join("tuned");
    let mut command = train(&index, &tuned);
    command.args([
        "--label",
        "2",
        "--epochs",
        "1",
        "--slices-per-epoch",
        "8",
        "--precision",
        "bf16",
        "--init",
    ]);
    let done = command.arg(&output).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    std::fs::write(&index, format!("id,ct,mask,patient\n{lines}{}", line(2))).unwrap();
    let done = train(&index, &dir.path().join("never")).args(["--label", "2"]).output().unwrap();
    assert!(said(&done).contains("c2  the id occurs 2 times"), "{}", said(&done));
}
