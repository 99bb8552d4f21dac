//! Reading CT: every encoding of one block gives the same HU at the same places.
//!
//! Data: `../shared/data`, S05 (cornerstoneWADOImageLoader, MIT) and S08 (from LIDC-IDRI-0314, CC BY 3.0).

#[path = "dicom/common.rs"]
mod common;

use serde_json::Value;
use sha2::{Digest, Sha256};
use spinefx::dicom::{
    Limits, ReadError, ReadOptions, Series, SeriesReader, Stack, SyntheticPatient, instances_of_path,
    read_path, write_ct_series,
};
use spinefx::monitor::Monitor;
use spinefx::volume::{Grid, Volume};
use std::path::Path;

fn read(path: &Path) -> Result<Series, ReadError> {
    read_path(path, ReadOptions::default(), &Monitor::default())
}

fn stack(path: &Path) -> Stack {
    let mut reader = SeriesReader::new(ReadOptions::default());
    for file in instances_of_path(path, &Limits::default()).unwrap() {
        let (name, bytes) = file.unwrap();
        reader.push(&name, bytes).unwrap();
    }
    reader.into_stack().unwrap()
}

fn sha256<'a>(slices: impl Iterator<Item = &'a [i16]>) -> String {
    let mut hash = Sha256::new();
    for slice in slices {
        hash.update(slice.iter().flat_map(|hu| hu.to_le_bytes()).collect::<Vec<u8>>());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn assert_close(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() < 1e-4, "{what}: {found:?}, expected {wanted:?}");
    }
}

fn derived() -> Option<(std::path::PathBuf, Value)> {
    let folder = common::data("S08_derived_lidc")?;
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    Some((folder, serde_json::from_str(&text).unwrap()))
}

#[test]
fn every_derived_stack_has_the_expected_hu_and_places() {
    let Some((folder, expected)) = derived() else { return };
    let mut seen = 0;
    for (name, wanted) in expected.as_object().unwrap() {
        let Some(geometry) = wanted.get("geometry") else { continue };
        let stack = stack(&folder.join(format!("{name}.zip")));
        let [columns, rows, slices] = stack.size();
        assert_close(
            &[slices as f64, rows as f64, columns as f64],
            &numbers(&geometry["shape_zyx"]),
            &format!("{name}: shape"),
        );
        let hash = geometry["hu_int16_le_sha256"].as_str().unwrap();
        assert_eq!(sha256(stack.slices_hu()), hash, "{name}: HU");
        let positions = stack.positions_lps();
        assert_close(&positions[0], &numbers(&geometry["first_ipp"]), &format!("{name}: first"));
        let last = positions.last().unwrap();
        assert_close(last, &numbers(&geometry["last_ipp"]), &format!("{name}: last"));
        let distances = stack.distances_mm();
        let steps: Vec<f64> = distances.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let least = steps.iter().copied().fold(f64::INFINITY, f64::min);
        let most = steps.iter().copied().fold(0.0, f64::max);
        assert_close(&[least, most], &numbers(&geometry["slice_step_mm_min_max"]), name);
        seen += 1;
    }
    assert_eq!(seen, 19);
}

#[test]
fn even_stacks_become_volumes_on_their_grid() {
    let Some((folder, expected)) = derived() else { return };
    for (name, wanted) in expected.as_object().unwrap() {
        let uneven = ["tilt_15", "nonuniform", "missing_slices", "single_slice"];
        if uneven.contains(&name.as_str()) {
            continue;
        }
        let series = read(&folder.join(format!("{name}.zip"))).unwrap();
        let (grid, geometry) = (series.volume.grid(), &wanted["geometry"]);
        let hash = geometry["hu_int16_le_sha256"].as_str().unwrap();
        assert_eq!(sha256([series.volume.voxels()].into_iter()), hash, "{name}");
        assert_close(&grid.origin_lps(), &numbers(&geometry["first_ipp"]), name);
        let last = grid.position_lps([0.0, 0.0, (grid.size()[2] - 1) as f64]);
        assert_close(&last, &numbers(&geometry["last_ipp"]), name);
        let spacing = numbers(&geometry["pixel_spacing_row_col"]);
        assert_close(&grid.spacing_mm()[..2], &[spacing[1], spacing[0]], name);
        let direction = grid.direction();
        let cosines: Vec<f64> = [0, 1].into_iter().flat_map(|a| direction.map(|row| row[a])).collect();
        assert_close(&cosines, &numbers(&geometry["iop"]), name);
        assert_eq!(series.source.frames().len(), grid.size()[2]);
        assert_eq!(series.source.frames()[0].position_lps, grid.origin_lps());
    }
}

#[test]
fn the_largest_series_is_taken_unless_another_is_named() {
    let Some((folder, expected)) = derived() else { return };
    let path = folder.join("multi_series.zip");
    let uid = |key: &str| expected["multi_series"][key].as_str().unwrap().to_owned();
    let series = read(&path).unwrap();
    assert_eq!(series.source.series_instance_uid(), uid("series_A"));
    let notes = series.source.notes().join("\n");
    assert!(notes.contains("localizers") && notes.contains("other CT series"), "{notes}");
    let named = |series_uid| ReadOptions { series_uid: Some(series_uid), ..ReadOptions::default() };
    let series = read_path(&path, named(uid("series_B")), &Monitor::default()).unwrap();
    assert_eq!(series.source.series_instance_uid(), uid("series_B"));
    assert_eq!(series.volume.grid().size()[2], 16);
    let refused = read_path(&path, named("1.2.3".into()), &Monitor::default());
    assert!(matches!(refused, Err(ReadError::NoSuchSeries { files: 49, .. })), "{refused:?}");
}

#[test]
fn tilt_and_uneven_steps_are_named() {
    let Some((folder, _)) = derived() else { return };
    match read(&folder.join("tilt_15.zip")) {
        Err(ReadError::GantryTilt { degrees, .. }) => assert!((degrees - 15.0).abs() < 0.01),
        other => panic!("{other:?}"),
    }
    for (name, wanted_mm) in [("nonuniform", 2.0), ("missing_slices", 4.0)] {
        match read(&folder.join(format!("{name}.zip"))) {
            Err(ReadError::UnevenSpacing { expected_mm, found_mm, after_slice, .. }) => {
                assert_close(&[expected_mm, found_mm], &[1.0, wanted_mm], name);
                let distances = stack(&folder.join(format!("{name}.zip"))).distances_mm();
                let steps: Vec<f64> = distances.windows(2).map(|pair| pair[1] - pair[0]).collect();
                assert!((steps[after_slice] - wanted_mm).abs() < 1e-4, "{name}: {after_slice}");
                assert!(steps[..after_slice].iter().all(|step| (step - 1.0).abs() < 1e-4), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// HU that grow evenly through space, which linear interpolation has to reproduce everywhere.
fn ramp(place: [f64; 3]) -> f64 {
    4.0 * place[0] - 3.0 * place[1] + 6.0 * place[2] + 100.0
}

/// One slice of 24 × 20 pixels of the ramp at `origin`, as the bytes of a CT instance.
fn ramp_slice(origin: [f64; 3]) -> Vec<u8> {
    let grid = Grid::axis_aligned([24, 20, 1], [0.8, 0.9, 1.0], origin).unwrap();
    let place = |n: usize| grid.position_lps([(n % 24) as f64, (n / 24) as f64, 0.0]);
    let voxels = (0..grid.len()).map(|n| ramp(place(n)).round() as i16).collect();
    let dir = tempfile::tempdir().unwrap();
    let patient = SyntheticPatient { number: 2, seed: "ramp".into() };
    write_ct_series(&Volume::new(grid, voxels).unwrap(), &patient, dir.path()).unwrap();
    std::fs::read(dir.path().join("00001.dcm")).unwrap()
}

#[test]
fn resampling_a_tilted_and_uneven_stack_keeps_every_voxel_in_its_place() {
    let heights = [0.0, 1.0, 2.0, 4.5, 5.5, 6.5, 7.5, 10.0];
    let options = ReadOptions { resample_uneven: true, ..ReadOptions::default() };
    let mut reader = SeriesReader::new(options);
    for (n, z) in heights.iter().enumerate() {
        reader.push(&format!("{n}"), ramp_slice([-5.0 - 0.1 * z, 3.0 + 0.3 * z, *z])).unwrap();
    }
    let series = reader.finish(&Monitor::default()).unwrap();
    assert!(series.source.resampled());
    let grid = series.volume.grid();
    // The shear widens the box by 0.1 · 10 / 0.8 columns and 0.3 · 10 / 0.9 rows.
    assert_eq!(grid.size(), [24 + 2, 20 + 4, 11]);
    let mut inside = 0;
    for n in 0..grid.len() {
        let (i, j, k) = (n % 26, n / 26 % 24, n / (26 * 24));
        let place = grid.position_lps([i as f64, j as f64, k as f64]);
        let (x, y) = (place[0] + 5.0 + 0.1 * place[2], place[1] - 3.0 - 0.3 * place[2]);
        // One voxel off the slices' edges, both neighbours of the plane have values.
        if (1.0..=17.4).contains(&x) && (1.0..=16.0).contains(&y) {
            let found = f64::from(series.volume.at([i, j, k]));
            assert!((found - ramp(place)).abs() <= 1.0, "{i} {j} {k}: {found}, not {}", ramp(place));
            inside += 1;
        }
    }
    assert!(inside > 3000, "{inside}");
}

#[test]
fn one_slice_has_its_thickness_for_a_step() {
    let Some((folder, _)) = derived() else { return };
    let volume = read(&folder.join("single_slice.zip")).unwrap().volume;
    assert_eq!(volume.grid().size(), [100, 100, 1]);
    assert_eq!(volume.grid().spacing_mm()[2], 1.0);
}

#[test]
fn transfer_syntaxes_decode_to_the_same_hu() {
    let Some(folder) = common::data("S05_transfer_syntaxes") else { return };
    let hu = |path: &Path| stack(path).slices_hu().next().unwrap().to_vec();
    let wanted = hu(&folder.join("CTImage.dcm"));
    assert_eq!((wanted.iter().min(), wanted.iter().max()), (Some(&-3024), Some(&1378)));
    let (mut lossless, mut lossy) = (0, 0);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Mean difference allowed: one step of the lossy encoding's own rescale slope.
        let allowed = match name.as_str() {
            n if n.contains("eCT") || ["Process2_4", "6_8", "10_12"].iter().any(|p| n.contains(p)) => {
                continue;
            }
            n if n.contains("JPEGProcess1T") => 32.0,
            n if n.contains("JPEGLSLossy") || n.contains("4.91") => 8.0,
            _ => 0.0,
        };
        let found = hu(&path);
        let off: f64 = found.iter().zip(&wanted).map(|(a, b)| f64::from(a - b).abs()).sum();
        let mean = off / wanted.len() as f64;
        assert!(mean <= allowed, "{name}: {mean} HU off");
        if allowed == 0.0 { lossless += 1 } else { lossy += 1 }
    }
    assert_eq!((lossless, lossy), (9, 3));
}

#[test]
fn twelve_bit_jpeg_is_refused_by_name() {
    let Some(folder) = common::data("S05_transfer_syntaxes") else { return };
    for (process, uid) in [("2_4", "51"), ("6_8", "53"), ("10_12", "55")] {
        let uid = format!("1.2.840.10008.1.2.4.{uid}");
        let name = format!("CTImage.dcm_JPEGProcess{process}TransferSyntax_{uid}.dcm");
        match read(&folder.join(name)) {
            Err(ReadError::UnsupportedTransferSyntax { uid: found, .. }) => assert_eq!(found, uid),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_enhanced_ct_is_read_frame_by_frame() {
    let Some(folder) = common::data("S05_transfer_syntaxes") else { return };
    let series = read(&folder.join("eCT_Supplemental.dcm")).unwrap();
    let grid = series.volume.grid();
    assert_eq!(grid.size(), [512, 512, 2]);
    assert_close(&grid.spacing_mm(), &[0.388_672, 0.388_672, 10.0], "spacing");
    // Rows run to the right, so the normal points down and the upper frame (the second) comes first.
    assert_close(&grid.origin_lps(), &[99.5, -301.5, -149.0], "origin");
    assert_eq!(series.source.frames()[0].frame_number, Some(2));
    assert!(series.source.notes().iter().any(|note| note.contains("unspecified")));
}

#[test]
fn what_was_written_is_read_back() {
    let (s, c) = 0.3_f64.sin_cos();
    let direction = [[c, 0.0, s], [s * s, c, -s * c], [-s * c, s, c * c]];
    let grid = Grid::new([9, 5, 4], [0.7, 0.9, 1.3], [-12.5, 40.25, -300.125], direction).unwrap();
    let voxels = (0..grid.len()).map(|n| (n as i16) * 29 - 1024).collect();
    let volume = Volume::new(grid, voxels).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let patient = SyntheticPatient { number: 1, seed: "round trip".into() };
    write_ct_series(&volume, &patient, dir.path()).unwrap();
    let series = read(dir.path()).unwrap();
    assert_eq!(series.volume.voxels(), volume.voxels());
    assert!(series.volume.grid().same_place(volume.grid(), 1e-6));
    let shown = format!("{series:?}");
    assert!(!shown.contains("PHANTOM") && !shown.contains("2.25."), "identity in Debug: {shown}");
}

#[test]
fn a_cancelled_read_stops() {
    let Some((folder, _)) = derived() else { return };
    let monitor = Monitor::default();
    monitor.cancel();
    let stopped = read_path(&folder.join("base.zip"), ReadOptions::default(), &monitor);
    assert!(matches!(stopped, Err(ReadError::Cancelled(_))));
}
