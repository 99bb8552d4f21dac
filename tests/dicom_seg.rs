//! Segmentation objects: dciodvfy finds no error, and highdicom and pydicom get back the very voxels at
//! the very places.
//!
//! Data: `../shared/data/S08_derived_lidc` (from LIDC-IDRI-0314, CC BY 3.0).

#[path = "dicom/common.rs"]
mod common;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use spinefx::dicom::{
    Algorithm, ReadOptions, SegError, Series, SyntheticPatient, read_path, write_ct_series,
    write_segmentation,
};
use spinefx::monitor::Monitor;
use spinefx::volume::{Grid, Volume};
use std::path::Path;

fn read(path: &Path, resample_uneven: bool) -> Series {
    let options = ReadOptions { resample_uneven, ..ReadOptions::default() };
    read_path(path, options, &Monitor::default()).unwrap()
}

fn algorithm() -> Algorithm {
    Algorithm { name: "msff".into(), version: "1.0".into(), weights_sha256: "cafe".repeat(16) }
}

/// About a third of the voxels of about half of the slices.
fn random_mask(grid: &Grid) -> Volume<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let [columns, rows, slices] = grid.size();
    let used: Vec<bool> = (0..slices).map(|_| random.next_u32() % 2 == 0).collect();
    let voxels =
        (0..grid.len()).map(|n| u8::from(used[n / (columns * rows)] && random.next_u32() % 3 == 0)).collect();
    Volume::new(grid.clone(), voxels).unwrap()
}

/// Writes the object and lets all judges look at it. `on_slices` is the mask as it has to come back.
fn judge(series: &Series, mask: &Volume<u8>, on_slices: &Volume<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seg.dcm");
    std::fs::write(&path, write_segmentation(mask, &series.source, &algorithm()).unwrap()).unwrap();
    let grid = on_slices.grid();
    let whole_bytes = (grid.size()[0] * grid.size()[1]).is_multiple_of(8);
    if whole_bytes {
        // dciodvfy does not know the class of label maps.
        common::assert_valid(&path);
    }
    let frames: Vec<_> =
        series.source.frames().iter().map(|f| (&f.sop_instance_uid, f.frame_number)).collect();
    let meant = serde_json::json!({
        "size": grid.size(), "spacing_mm": grid.spacing_mm(), "origin_lps": grid.origin_lps(),
        "direction": grid.direction(), "frames": frames, "even": !series.source.resampled(),
        "type": if whole_bytes { "BINARY" } else { "LABELMAP" },
    });
    std::fs::write(dir.path().join("mask.raw"), on_slices.voxels()).unwrap();
    std::fs::write(dir.path().join("meant.json"), meant.to_string()).unwrap();
    common::python("judge_seg.py", &[&path, dir.path()]);
}

fn judge_random(series: &Series) {
    let mask = random_mask(series.volume.grid());
    judge(series, &mask, &mask);
}

#[test]
fn axial_oblique_sagittal_and_multiframe_sources_get_their_voxels_back() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    for name in ["base", "oblique", "sagittal", "enhanced_legacy", "single_slice", "duplicates"] {
        judge_random(&read(&folder.join(format!("{name}.zip")), false));
    }
}

#[test]
fn empty_and_full_masks_are_valid_objects() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    let series = read(&folder.join("oblique.zip"), false);
    for value in [0, 1] {
        let mask = Volume::filled(series.volume.grid().clone(), value);
        judge(&series, &mask, &mask);
    }
}

#[test]
fn frames_that_would_share_a_byte_become_a_label_map() {
    let (s, c) = 0.3_f64.sin_cos();
    let direction = [[c, 0.0, s], [s * s, c, -s * c], [-s * c, s, c * c]];
    let grid = Grid::new([9, 5, 7], [0.7, 0.9, 1.3], [-12.5, 40.25, -300.125], direction).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let patient = SyntheticPatient { number: 3, seed: "odd".into() };
    write_ct_series(&Volume::filled(grid, 0), &patient, dir.path()).unwrap();
    let series = read(dir.path(), false);
    judge_random(&series);
    let mask = Volume::filled(series.volume.grid().clone(), 1);
    judge(&series, &mask, &mask);
}

/// A resampled series has a mask between its slices; the object must lie on the slices.
#[test]
fn a_tilted_source_gets_frames_on_its_own_planes() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    for name in ["tilt_15", "missing_slices"] {
        let series = read(&folder.join(format!("{name}.zip")), true);
        let (grid, frames) = (series.volume.grid(), series.source.frames());
        // A slab that is thick enough to be hit by the nearest voxel of every plane that crosses it.
        let middle = grid.position_lps(grid.size().map(|n| n as f64 / 2.0));
        let in_slab = |place: [f64; 3]| u8::from((place[2] - middle[2]).abs() < 5.0);
        let index = |n: usize, size: [usize; 3]| {
            [n % size[0], n / size[0] % size[1], n / (size[0] * size[1])].map(|v| v as f64)
        };
        let voxels = (0..grid.len()).map(|n| in_slab(grid.position_lps(index(n, grid.size()))));
        let mask = Volume::new(grid.clone(), voxels.collect()).unwrap();
        let size = [100, 100, frames.len()];
        let on_slices = (0..100 * 100 * frames.len()).map(|n| {
            let [i, j, k] = index(n, size);
            let start = frames[k as usize].position_lps;
            let (row, column) = (axis(grid, 0), axis(grid, 1));
            let place: [f64; 3] = std::array::from_fn(|a| start[a] + 0.78125 * (i * row[a] + j * column[a]));
            mask.at(grid.index_of(place).map(|v| v.round() as usize))
        });
        let spaced = Grid::axis_aligned(size, [1.0; 3], [0.0; 3]).unwrap();
        let on_slices = Volume::new(spaced, on_slices.collect()).unwrap();
        assert!(on_slices.voxels().contains(&1));
        judge(&series, &mask, &on_slices);
    }
}

fn axis(grid: &Grid, a: usize) -> [f64; 3] {
    grid.direction().map(|row| row[a])
}

#[test]
fn a_mask_on_another_grid_is_refused() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    let series = read(&folder.join("base.zip"), false);
    let grid = series.volume.grid();
    let moved = Grid::axis_aligned(grid.size(), grid.spacing_mm(), [0.0; 3]).unwrap();
    let refused = write_segmentation(&Volume::filled(moved, 1), &series.source, &algorithm());
    assert!(matches!(refused, Err(SegError::OtherGrid { .. })));
}

/// Series and SOP Instance UID of an object.
fn uids(segmentation: &[u8]) -> [String; 2] {
    let file = dicom_object::from_reader(segmentation).unwrap();
    ["SeriesInstanceUID", "SOPInstanceUID"]
        .map(|name| file.element_by_name(name).unwrap().to_str().unwrap().into_owned())
}

#[test]
fn the_uids_follow_from_series_mask_and_algorithm() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    let series = read(&folder.join("base.zip"), false);
    let write = |series: &Series, mask: &Volume<u8>, algorithm: &Algorithm| {
        uids(&write_segmentation(mask, &series.source, algorithm).unwrap())
    };
    let mask = random_mask(series.volume.grid());
    let twos = Volume::new(mask.grid().clone(), mask.voxels().iter().map(|v| 2 * v).collect()).unwrap();
    let first = write(&series, &mask, &algorithm());
    assert_eq!(first, write(&read(&folder.join("base.zip"), false), &mask, &algorithm()));
    assert_eq!(first, write(&series, &twos, &algorithm()), "any value but 0 is 1");

    let mut moved = mask.voxels().to_vec();
    moved[0] ^= 1;
    let moved = Volume::new(mask.grid().clone(), moved).unwrap();
    let other = |change: fn(&mut Algorithm)| {
        let mut other = algorithm();
        change(&mut other);
        other
    };
    let others = [
        write(&series, &moved, &algorithm()),
        write(&series, &mask, &other(|a| a.name.push('2'))),
        write(&series, &mask, &other(|a| a.version.push('2'))),
        write(&series, &mask, &other(|a| a.weights_sha256.push('2'))),
        write(&read(&folder.join("signed_slope_half.zip"), false), &mask, &algorithm()),
    ];
    let mut all: Vec<String> = others.into_iter().flatten().chain(first).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "every other result has a series and an instance of its own");
}
