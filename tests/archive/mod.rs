//! A real Orthanc with a CT that is made here.
#![allow(dead_code, reason = "each test file uses its own part of this")]

#[path = "../orthanc/mod.rs"]
pub mod orthanc;

use orthanc::Orthanc;
use spinefx::dicom::web::{Archive, ArchiveSettings, Archives, SeriesRecord};
use spinefx::dicom::{ReadOptions, Series, SyntheticPatient, read_path, write_ct_series};
use spinefx::monitor::Monitor;
use spinefx::volume::{Grid, Volume};

/// An empty archive; none where Orthanc is not installed, which fails in CI.
pub fn start() -> Option<Orthanc> {
    Orthanc::installed().then(|| Orthanc::start(orthanc::Options::default()))
}

/// The archive's part of a configuration.
pub fn settings(orthanc: &Orthanc) -> Vec<ArchiveSettings> {
    vec![ArchiveSettings { root: orthanc.root.clone(), ..ArchiveSettings::default() }]
}

/// A client of the archive.
pub fn open(orthanc: &Orthanc) -> Archive {
    Archives::new(&settings(orthanc)).unwrap().open(&orthanc.root, None).unwrap()
}

/// An oblique CT of a few voxels, other ones for each seed.
pub fn volume(seed: &str, slices: usize) -> Volume<i16> {
    let (s, c) = 0.3_f64.sin_cos();
    let direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
    let grid = Grid::new([16, 12, slices], [0.7, 0.9, 1.5], [-12.5, 40.25, -300.125], direction).unwrap();
    let first = i16::from(seed.as_bytes()[0]);
    let voxels = (0..grid.len()).map(|n| ((n as i16).wrapping_mul(37) + first) % 1000 - 500).collect();
    Volume::new(grid, voxels).unwrap()
}

/// Stores the CT of a seed, all slices or the first few, and returns it as it is read from files.
pub async fn fill(archive: &Archive, seed: &str, slices: std::ops::Range<usize>) -> Series {
    let folder = tempfile::tempdir().unwrap();
    let patient = SyntheticPatient { number: 7, seed: seed.into() };
    write_ct_series(&volume(seed, slices.end), &patient, folder.path()).unwrap();
    let series = read_path(folder.path(), ReadOptions::default(), &Monitor::default()).unwrap();
    for k in slices {
        let bytes = std::fs::read(folder.path().join(format!("{:05}.dcm", k + 1))).unwrap();
        archive.store(series.source.study_instance_uid(), bytes).await.unwrap();
    }
    series
}

/// The segmentations in the archive.
pub async fn segs(archive: &Archive) -> Vec<SeriesRecord> {
    archive.series(&[("Modality", "SEG")], &[]).await.unwrap()
}
