//! Series out of a real archive and segmentations into it: Debian's Orthanc with its DICOMweb plugin.
//!
//! Data: `../shared/data/S05_transfer_syntaxes`, `../shared/data/S08_derived_lidc`.

#[path = "dicom/common.rs"]
mod common;
mod orthanc;

use orthanc::{Options, Orthanc};
use spinefx::dicom::web::{Archive, ArchiveSettings, Archives, SeriesRef, WebError};
use spinefx::dicom::{
    Algorithm, ReadOptions, Series, SeriesReader, SyntheticPatient, read_path, write_ct_series,
    write_segmentation,
};
use spinefx::monitor::{Monitor, Stage};
use spinefx::volume::{Grid, Volume};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn open(settings: ArchiveSettings, authorization: Option<&str>) -> Archive {
    let root = settings.root.clone();
    Archives::new(&[settings]).unwrap().open(&root, authorization).unwrap()
}

fn listed(orthanc: &Orthanc) -> ArchiveSettings {
    ArchiveSettings { root: orthanc.root.clone(), ..ArchiveSettings::default() }
}

/// A small CT whose every voxel is its own, as files.
fn phantom(into: &Path) -> Vec<Vec<u8>> {
    let grid = Grid::axis_aligned([24, 20, 30], [0.8, 0.9, 2.0], [-10.0, 5.0, 100.0]).unwrap();
    let voxels = (0..grid.len()).map(|n| (n % 3001) as i16 - 1000).collect();
    let patient = SyntheticPatient { number: 1, seed: "dicomweb".into() };
    write_ct_series(&Volume::new(grid, voxels).unwrap(), &patient, into).unwrap();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn unzip(path: &Path) -> Vec<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut bytes = Vec::new();
            archive.by_index(at).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        })
        .filter(|bytes| bytes.get(128..132) == Some(b"DICM"))
        .collect()
}

/// The series as the files themselves give it.
fn local(files: &[Vec<u8>]) -> Series {
    let mut reader = SeriesReader::new(ReadOptions::default());
    for (at, file) in files.iter().enumerate() {
        reader.push(&at.to_string(), file.clone()).unwrap();
    }
    reader.finish(&Monitor::default()).unwrap()
}

fn reference(series: &Series) -> SeriesRef {
    SeriesRef::new(series.source.study_instance_uid(), series.source.series_instance_uid()).unwrap()
}

async fn store_all(archive: &Archive, study_uid: &str, files: &[Vec<u8>]) {
    for file in files {
        let stored = archive.store(study_uid, file.clone()).await.unwrap();
        assert_eq!(stored.study_uid, study_uid);
    }
}

/// Stores the files, pulls the series, and holds it against the files.
async fn round_trip(archive: &Archive, files: &[Vec<u8>]) -> Series {
    let expected = local(files);
    let series = reference(&expected);
    store_all(archive, &series.study_uid, files).await;
    let pulled = archive.pull(&series, ReadOptions::default(), &Monitor::default()).await.unwrap();
    assert!(pulled.volume == expected.volume, "voxels and grid are those of the files");
    assert_eq!(pulled.source.frames(), expected.source.frames());
    pulled
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_comes_back_as_it_was_and_reports_each_instance() {
    if !Orthanc::installed() {
        return;
    }
    let (orthanc, folder) = (Orthanc::start(Options::default()), tempfile::tempdir().unwrap());
    let archive = open(listed(&orthanc), None);
    let files = phantom(folder.path());
    let series = reference(&round_trip(&archive, &files).await);

    let steps: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
    let seen = steps.clone();
    let monitor = Monitor::new(move |progress| {
        if progress.stage == Stage::Fetch {
            seen.lock().unwrap().push((progress.done, progress.total));
        }
    });
    archive.pull(&series, ReadOptions::default(), &monitor).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), (0..=30).map(|done| (done, 30)).collect::<Vec<_>>());

    let study = [("StudyInstanceUID", series.study_uid.as_str())];
    let found = archive.series(&study, &["PatientID", "SeriesNumber"]).await.unwrap();
    assert_eq!(found.len(), 1);
    let found = &found[0];
    assert_eq!((found.modality.as_str(), found.instances), ("CT", Some(30)));
    assert_eq!(&found.series_uid, &series.series_uid);
    assert!(found.get("PatientID").is_some_and(|id| !id.is_empty()), "{found:?}");
    assert_eq!(found.get("PatientName"), None, "it was not asked for");
    assert!(archive.series(&[("Modality", "MR")], &[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segmentation_is_stored_once_however_often_it_is_sent() {
    if !Orthanc::installed() {
        return;
    }
    let (orthanc, folder) = (Orthanc::start(Options::default()), tempfile::tempdir().unwrap());
    let archive = open(listed(&orthanc), None);
    let ct = round_trip(&archive, &phantom(folder.path())).await;
    let voxels = (0..ct.volume.grid().len()).map(|n| u8::from(n % 7 == 0)).collect();
    let mask = Volume::new(ct.volume.grid().clone(), voxels).unwrap();
    let algorithm = Algorithm { name: "msff".into(), version: "1".into(), weights_sha256: "ab".repeat(32) };
    let study = ct.source.study_instance_uid();

    let written = write_segmentation(&mask, &ct.source, &algorithm).unwrap();
    let stored = archive.store(study, written.clone()).await.unwrap();
    let again = write_segmentation(&mask, &ct.source, &algorithm).unwrap();
    assert_eq!(archive.store(study, again).await.unwrap(), stored);
    let found = archive.series(&[("StudyInstanceUID", study), ("Modality", "SEG")], &[]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].series_uid, found[0].instances), (&stored.series_uid, Some(1)));
    assert!(stored.retrieve_url.contains(&stored.sop_instance_uid), "{stored:?}");

    let pixels = |file: &[u8]| {
        let file = dicom_object::from_reader(file).unwrap();
        file.element_by_name("PixelData").unwrap().to_bytes().unwrap().into_owned()
    };
    let kept = orthanc.file(&stored.sop_instance_uid);
    assert!(pixels(&kept) == pixels(&written) && pixels(&kept).iter().any(|byte| *byte != 0));

    let segmentation = SeriesRef::new(study, stored.series_uid.clone()).unwrap();
    let refused = archive.pull(&segmentation, ReadOptions::default(), &Monitor::default()).await;
    assert!(matches!(refused, Err(WebError::NotCt { modality, .. }) if modality == "SEG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_series_come_as_they_are() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    if !Orthanc::installed() {
        return;
    }
    let orthanc = Orthanc::start(Options::default());
    let archive = open(listed(&orthanc), None);
    for name in ["base", "jpegls", "j2k", "rle", "deflated", "bigendian", "oblique", "enhanced_legacy"] {
        println!("{name}");
        round_trip(&archive, &unzip(&folder.join(format!("{name}.zip")))).await;
        orthanc.clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transfer_syntax_comes_through() {
    let Some(folder) = common::data("S05_transfer_syntaxes") else { return };
    if !Orthanc::installed() {
        return;
    }
    let orthanc = Orthanc::start(Options::default());
    let archive = open(listed(&orthanc), None);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("CTImage"));
    files.sort();
    let mut came = 0;
    for path in files {
        // What cannot be read from the file cannot be expected from the archive.
        if read_path(&path, ReadOptions::default(), &Monitor::default()).is_err() {
            continue;
        }
        println!("{}", path.display());
        round_trip(&archive, &[std::fs::read(&path).unwrap()]).await;
        orthanc.clear();
        came += 1;
    }
    assert!(came >= 12, "{came}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_asked_for_and_never_shown() {
    if !Orthanc::installed() {
        return;
    }
    let orthanc = Orthanc::start(Options { user: Some(("reader", "pass:word")), ..Options::default() });
    let secret = tempfile::tempdir().unwrap();
    let with_file = |text: &str| {
        let path = secret.path().join("basic");
        std::fs::write(&path, text).unwrap();
        ArchiveSettings { basic_file: Some(path), ..listed(&orthanc) }
    };
    let right = open(with_file("reader:pass:word\n"), None);
    assert_eq!(right.series(&[], &[]).await, Ok(Vec::new()));
    assert_eq!(
        open(listed(&orthanc), Some("Basic cmVhZGVyOnBhc3M6d29yZA==")).series(&[], &[]).await,
        Ok(vec![])
    );
    let wrong = [
        open(listed(&orthanc), None),
        open(with_file("reader:hush"), None),
        // What a request brings goes before what the settings have.
        open(with_file("reader:pass:word"), Some("Bearer hush")),
    ];
    for archive in wrong {
        let error = archive.series(&[], &[]).await.unwrap_err();
        assert_eq!(error, WebError::Unauthorized { status: 401 });
        assert!(!format!("{error} {error:?} {archive:?}").contains("hush"));
        let series = SeriesRef::new("1.2", "1.3").unwrap();
        let error = archive.pull(&series, ReadOptions::default(), &Monitor::default()).await.unwrap_err();
        assert_eq!(error, WebError::Unauthorized { status: 401 });
    }
    let unreadable = Archives::new(&[listed(&orthanc)]).unwrap().open(&orthanc.root, Some("hush"));
    assert!(matches!(unreadable, Err(WebError::BadAuthorization)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    if !Orthanc::installed() {
        return;
    }
    let (orthanc, folder) = (Orthanc::start(Options::default()), tempfile::tempdir().unwrap());
    let archive = open(listed(&orthanc), None);
    let series = reference(&round_trip(&archive, &phantom(folder.path())).await);
    let missing =
        [("1.2.3", "1.2.4"), (series.study_uid.as_str(), "1.2.4"), ("1.2.3", series.series_uid.as_str())];
    for (study_uid, series_uid) in missing {
        let series = SeriesRef::new(study_uid, series_uid).unwrap();
        let error = archive.pull(&series, ReadOptions::default(), &Monitor::default()).await.unwrap_err();
        assert!(matches!(error, WebError::NoSuchSeries { .. }), "{error}");
    }
    let bad = SeriesRef { study_uid: "../1".into(), series_uid: "1".into() };
    let error = archive.pull(&bad, ReadOptions::default(), &Monitor::default()).await.unwrap_err();
    assert!(matches!(error, WebError::BadUid { what: "study_uid" }), "{error}");
}
