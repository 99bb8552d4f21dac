//! Segmentation objects read back voxel by voxel: our own, and those that highdicom writes.

#[path = "dicom/common.rs"]
mod common;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use spinefx::dicom::{
    Algorithm, Limits, ReadOptions, SegReadError, Segmentation, Series, SyntheticPatient, read_path, survey,
    write_ct_series, write_segmentation,
};
use spinefx::monitor::Monitor;
use spinefx::volume::{Grid, Volume};
use std::path::Path;

/// An oblique series of 13 × 11 × 7: no dimension is a multiple of 8, so that binary frames share bytes.
fn series(folder: &Path) -> Series {
    series_of([13, 11, 7], folder)
}

fn series_of(size: [usize; 3], folder: &Path) -> Series {
    let (sin, cos) = 0.3_f64.sin_cos();
    let direction = [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]];
    let grid = Grid::new(size, [0.7, 0.9, 2.5], [-20.0, 31.5, -400.25], direction).unwrap();
    let ct = Volume::filled(grid, 40_i16);
    write_ct_series(&ct, &SyntheticPatient { number: 1, seed: "seg".into() }, folder).unwrap();
    read_path(folder, ReadOptions::default(), &Monitor::default()).unwrap()
}

/// Labels below `labels`, about half of the slices empty.
fn random(grid: &Grid, labels: u32) -> Volume<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let slice = grid.size()[0] * grid.size()[1];
    let label = |n: usize| if (n / slice).is_multiple_of(2) { (random.next_u32() % labels) as u8 } else { 0 };
    Volume::new(grid.clone(), (0..grid.len()).map(label).collect()).unwrap()
}

fn ours(series: &Series, mask: &Volume<u8>, path: &Path) -> Segmentation {
    let by = Algorithm { name: "test".into(), version: "1".into(), weights_sha256: String::new() };
    std::fs::write(path, write_segmentation(mask, &series.source, &by).unwrap()).unwrap();
    Segmentation::open(path, &Limits::default()).unwrap()
}

fn same(found: &Volume<i16>, wanted: impl Iterator<Item = i16>) -> bool {
    found.voxels().iter().copied().eq(wanted)
}

#[test]
fn our_own_segmentation_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let series = series(&dir.path().join("ct"));
    let grid = series.volume.grid();
    let mask = random(grid, 2);
    let seg = ours(&series, &mask, &dir.path().join("seg.dcm"));
    assert!(same(&seg.on_grid(grid, &[]).unwrap(), mask.voxels().iter().map(|v| i16::from(*v))));
    assert_eq!(seg.referenced_series_uid().as_deref(), Some(series.source.series_instance_uid()));
    let found = survey(dir.path(), &Limits::default()).unwrap();
    assert_eq!(found.ct.values().collect::<Vec<_>>(), [&dir.path().join("ct")]);
    assert_eq!(found.segmentations, [dir.path().join("seg.dcm")]);
    assert_eq!(seg.segments(), [(1, "Fracture".to_owned())], "a label map, whose background is no segment");
}

#[test]
fn our_own_binary_segmentation_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let series = series_of([12, 10, 7], &dir.path().join("ct"));
    let grid = series.volume.grid();
    let mask = random(grid, 2);
    let seg = ours(&series, &mask, &dir.path().join("seg.dcm"));
    assert!(same(&seg.on_grid(grid, &[]).unwrap(), mask.voxels().iter().map(|v| i16::from(*v))));
    assert_eq!(seg.segments(), [(1, "Fracture".to_owned())]);
}

#[test]
fn segmentations_of_highdicom_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let ct = dir.path().join("ct");
    let series = series(&ct);
    let grid = series.volume.grid();
    let labels = random(grid, 3);
    let raw = dir.path().join("mask.raw");
    std::fs::write(&raw, labels.voxels()).unwrap();
    if common::python("write_seg.py", &[&ct, &raw, dir.path()]).is_none() {
        return;
    }
    for (name, wanted) in [("binary", false), ("labelmap", false), ("fractional", true)] {
        let seg = Segmentation::open(&dir.path().join(format!("{name}.dcm")), &Limits::default()).unwrap();
        let found = seg.on_grid(grid, &[]).unwrap();
        let meant = |v: &u8| if wanted { i16::from(*v == 2) } else { i16::from(*v) };
        assert!(same(&found, labels.voxels().iter().map(meant)), "{name}");
    }
}

#[test]
fn what_cannot_be_placed_or_read_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    let series = series(&dir.path().join("ct"));
    let grid = series.volume.grid();
    let path = dir.path().join("seg.dcm");
    let seg = ours(&series, &random(grid, 2), &path);
    let [x, y, z] = grid.origin_lps();
    let moved = Grid::new(grid.size(), grid.spacing_mm(), [x + 0.35, y, z], grid.direction()).unwrap();
    assert!(matches!(seg.on_grid(&moved, &[]), Err(SegReadError::OtherGrid { frame: 1, .. })));
    let short = Grid::new([13, 11, 3], grid.spacing_mm(), grid.origin_lps(), grid.direction()).unwrap();
    assert!(matches!(seg.on_grid(&short, &[]), Err(SegReadError::OtherGrid { .. })));
    let slice = std::fs::read_dir(dir.path().join("ct")).unwrap().next().unwrap().unwrap().path();
    let open = |path: &Path| Segmentation::open(path, &Limits::default()).err().unwrap();
    assert!(matches!(open(&slice), SegReadError::NotSegmentation { .. }));
    let bytes = std::fs::read(&path).unwrap();
    for cut in (0..bytes.len()).step_by(97) {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        if let Ok(seg) = Segmentation::open(&path, &Limits::default()) {
            assert!(seg.on_grid(grid, &[]).is_err(), "cut at {cut}");
        }
    }
    let small = Limits { max_voxels: 100, ..Limits::default() };
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Segmentation::open(&path, &small), Err(SegReadError::Read(_))));
}
