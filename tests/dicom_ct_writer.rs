//! `write_ct_series`: dciodvfy accepts every instance, pydicom reads the voxels and the geometry.

#[path = "dicom/common.rs"]
mod common;

use spinefx::dicom::{SyntheticPatient, write_ct_series};
use spinefx::volume::{Grid, Volume};

/// A right-handed grid that is aligned with nothing.
fn oblique() -> Volume<i16> {
    let (s, c) = 0.3_f64.sin_cos();
    let direction = [[c, 0.0, s], [s * s, c, -s * c], [-s * c, s, c * c]];
    let grid = Grid::new([7, 5, 3], [0.7, 0.9, 1.3], [-12.5, 40.25, -300.125], direction).unwrap();
    let voxels = (0..grid.len()).map(|n| (n as i16) * 37 - 1024).collect();
    Volume::new(grid, voxels).unwrap()
}

fn patient() -> SyntheticPatient {
    SyntheticPatient { number: 4, seed: "test".into() }
}

#[test]
fn an_oblique_series_is_valid_and_keeps_voxels_and_places() {
    let dir = tempfile::tempdir().unwrap();
    let volume = oblique();
    write_ct_series(&volume, &patient(), dir.path()).unwrap();
    for k in 1..=3 {
        common::assert_valid(&dir.path().join(format!("{k:05}.dcm")));
    }
    let Some(told) = common::python("describe_ct.py", &[dir.path()]) else { return };
    let line = |k: usize| {
        let slice = &volume.voxels()[k * 35..(k + 1) * 35];
        let place = volume.grid().position_lps([6.0, 4.0, k as f64]);
        format!("{slice:?} {:.4} {:.4} {:.4}\n", place[0], place[1], place[2])
    };
    let wanted: String = (0..3).map(line).collect();
    assert_eq!(told, wanted);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let other = SyntheticPatient { seed: "other".into(), ..patient() };
    write_ct_series(&oblique(), &patient(), a.path()).unwrap();
    write_ct_series(&oblique(), &patient(), b.path()).unwrap();
    let read = |dir: &std::path::Path| std::fs::read(dir.join("00002.dcm")).unwrap();
    assert_eq!(read(a.path()), read(b.path()));
    write_ct_series(&oblique(), &other, b.path()).unwrap();
    assert_ne!(read(a.path()), read(b.path()));
}
