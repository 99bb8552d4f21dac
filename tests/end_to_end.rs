//! The main job through the program itself: a CT goes in over gRPC, a fracture mask comes out.

mod common;

use common::{Server, root, shared, spinefx};
use spinefx::evaluate::Overlap;
use spinefx::itk;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MOST: u64 = 1 << 30;

/// One segmentation at a time: two that share the cores of a small machine wait for each other's
/// threads and take many times as long.
fn turn() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A known spine as DICOM through the server: found, and byte for byte what the same program finds
/// without one.
#[test]
fn a_generated_spine_through_the_server() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    spinefx(&[
        "phantom",
        "--seed",
        "20261",
        "--first",
        "9",
        "--prevalence",
        "1",
        "--format",
        "nifti,dicom",
        "-o",
        &at("set"),
    ]);
    let spine = dir.path().join("set/phantom-20261-9");
    let series = spine.join("dicom");
    let server = Server::start(&[]);
    let text = spinefx(&["segment", series.to_str().unwrap(), "--server", &server.url, "-o", &at("remote")]);
    assert!(text.contains("Research only"), "{text}");
    spinefx(&["segment", series.to_str().unwrap(), "-o", &at("local")]);
    let expected = names(&dir.path().join("local"));
    assert_eq!(names(&dir.path().join("remote")), expected);
    for name in ["findings.json", "mask.nii.gz", "mask.nrrd", "mask.seg.dcm", "finding-1-sagittal.png"] {
        assert!(expected.contains(&name.to_owned()), "{expected:?}");
    }
    let mask = |part: &str| itk::read_mask(&dir.path().join(part).join("mask.nii.gz"), MOST).unwrap();
    let truth = itk::read_mask(&spine.join("fracture.nii.gz"), MOST).unwrap();
    assert_eq!(mask("remote"), mask("local"));
    assert!(mask("remote").grid().same_place(truth.grid(), 1e-3));
    let dsc = Overlap::of(mask("remote").voxels(), truth.voxels()).dsc().unwrap();
    assert!(dsc >= 0.85, "DSC {dsc}");
}

#[test]
fn sigterm_stops_the_server_cleanly() {
    let mut server = Server::start(&[]);
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    for _ in 0..100 {
        if let Some(status) = server.child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("still running 10 s after SIGTERM");
}

#[test]
fn mistakes_are_explained_with_exit_code_64() {
    for (args, says) in [
        (&["serve", "--listen", "nonsense"][..], "nonsense"),
        (&["serve", "--config", "/no/such/file.toml"][..], "/no/such/file.toml"),
        (&["segment"][..], "--output"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_spinefx")).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(64), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (input, says) in [("/no/such/ct.nii.gz", "/no/such/ct.nii.gz"), (empty.to_str().unwrap(), "DICOM")] {
        let run = Command::new(env!("CARGO_BIN_EXE_spinefx"))
            .args(["segment", input, "-o", out.to_str().unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{text}");
        assert!(text.contains(says), "{input}: {text}");
    }
}

/// S01 whole: the mask has exactly its grid as SimpleITK reads it; dciodvfy finds no error in the SEG;
/// highdicom reads the very voxels of the NIfTI back from it.
#[test]
fn a_real_chest_ct() {
    let _turn = turn();
    let Some(archive) = shared("S01_lidc0314_thoracic_dicom.tar.xz") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (series, out) = (dir.path().join("s01"), dir.path().join("out"));
    std::fs::create_dir(&series).unwrap();
    let unpack = Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(&series).status().unwrap();
    assert!(unpack.success());
    spinefx(&["segment", series.to_str().unwrap(), "-o", out.to_str().unwrap()]);
    let judge = Command::new(root().join(".venv/bin/python"))
        .arg(root().join("tests/end_to_end/judge.py"))
        .args([&series, &out])
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&judge.stdout), String::from_utf8_lossy(&judge.stderr));
    assert!(judge.status.success(), "{text}");
}
