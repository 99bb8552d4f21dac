//! Broken, hostile and foreign input: a typed error that says what is wrong, never a crash, a write to
//! disk or a silently wrong geometry.
//!
//! Data: `../shared/data/S07_bad_inputs` (derived from LIDC-IDRI-0314, CC BY 3.0; pydicom test files, MIT)
//! and S04 (dcm_qa_ct, BSD-2).

#[path = "dicom/common.rs"]
mod common;

use spinefx::dicom::{Limits, ReadError, ReadOptions, Series, SeriesReader, read_path};
use spinefx::monitor::Monitor;
use std::io::Write;
use std::path::Path;

fn read(path: &Path) -> Result<Series, ReadError> {
    read_path(path, ReadOptions::default(), &Monitor::default())
}

fn derived(name: &str) -> Option<Result<Series, ReadError>> {
    Some(read(&common::data("S07_bad_inputs/derived_lidc")?.join(name)))
}

macro_rules! refused {
    ($test:ident, $file:literal, $wanted:pat $(if $guard:expr)?) => {
        #[test]
        fn $test() {
            let Some(result) = derived($file) else { return };
            match result {
                Err($wanted) $(if $guard)? => {}
                other => panic!("{other:?}"),
            }
        }
    };
}

refused!(a_missing_position, "missing_ipp.zip", ReadError::MissingAttribute { tag, .. }
    if tag == "(0020,0032) ImagePositionPatient");
refused!(a_missing_pixel_spacing, "missing_pixelspacing.zip", ReadError::MissingAttribute { tag, .. }
    if tag == "(0028,0030) PixelSpacing");
refused!(truncated_pixels, "truncated_pixels.zip", ReadError::Corrupt { name, .. } if name == "IM0007.dcm");
refused!(an_empty_instance, "zero_byte_file.zip", ReadError::Corrupt { name, .. } if name == "IM0002.dcm");
refused!(text_called_dcm, "not_dicom.zip", ReadError::NoDicom { files: 1 });
refused!(an_empty_archive, "empty_zip.zip", ReadError::NoDicom { files: 0 });
refused!(a_truncated_archive, "truncated_zip.zip", ReadError::Zip { .. });
refused!(a_zip_bomb, "zip_bomb_small.zip", ReadError::LimitExceeded { what, .. }
    if what == "bytes unpacked from a zip archive");
refused!(slices_of_two_sizes, "size_mismatch.zip", ReadError::MixedGeometry { what: "size", .. });

#[test]
fn junk_among_good_files_is_ignored_with_a_note() {
    let Some(result) = derived("junk_among_good.zip") else { return };
    let series = result.unwrap();
    assert_eq!(series.volume.grid().size()[2], 12);
    let notes = series.source.notes();
    assert!(notes.contains(&"4 files ignored: not DICOM".to_owned()), "{notes:?}");
}

#[test]
fn entries_that_lead_out_of_an_archive_are_not_read() {
    let Some(result) = derived("zip_slip.zip") else { return };
    let series = result.unwrap();
    assert_eq!(series.volume.grid().size()[2], 4);
    assert!(series.source.notes().iter().any(|note| note.starts_with("2 files ignored: archive entries")));
    assert!(!Path::new("/abs_h_data_probe.dcm").exists());
    assert!(!std::env::temp_dir().join("h_data_zip_slip_probe.dcm").exists());
}

#[test]
fn an_archive_may_be_pushed_like_a_file() {
    let Some(folder) = common::data("S07_bad_inputs/derived_lidc") else { return };
    let mut reader = SeriesReader::new(ReadOptions::default());
    reader.push("all.zip", std::fs::read(folder.join("junk_among_good.zip")).unwrap()).unwrap();
    assert_eq!(reader.finish(&Monitor::default()).unwrap().volume.grid().size(), [100, 100, 12]);
    let mut reader = SeriesReader::new(ReadOptions::default());
    let bomb = std::fs::read(folder.join("zip_bomb_small.zip")).unwrap();
    assert!(matches!(reader.push("bomb.zip", bomb), Err(ReadError::LimitExceeded { .. })));
}

#[test]
fn foreign_and_malformed_files_are_named() {
    let Some(folder) = common::data("S07_bad_inputs/real") else { return };
    let read = |name: &str| read(&folder.join(name));
    for name in ["MR_small.dcm", "test-SR.dcm", "no-pixel-data.dcm", "no-pixel-spacing.dcm"] {
        assert!(matches!(read(name), Err(ReadError::NotCt { .. })), "{name}: {:?}", read(name));
    }
    for name in ["rtstruct.dcm", "ExplVR_LitEndNoMeta.dcm"] {
        // Without preamble and meta information, and still read far enough to know the modality.
        assert!(matches!(read(name), Err(ReadError::NotCt { .. })), "{name}: {:?}", read(name));
    }
    // One stray byte before the data set: nothing in it says DICOM.
    assert!(matches!(read("no_meta.dcm"), Err(ReadError::NoDicom { files: 1 })));
    for name in [
        "MR_truncated.dcm",
        "badVR.dcm",
        "DICOMDIR_only",
        "meta_missing_tsyntax.dcm",
        "no_meta_group_length.dcm",
    ] {
        let refusal = read(name).expect_err(name);
        assert!(
            matches!(refusal, ReadError::Corrupt { .. } | ReadError::NotCt { .. }),
            "{name}: {refusal:?}"
        );
    }
    let volume = read("CT_small.dcm").unwrap().volume;
    assert_eq!((volume.grid().size(), volume.grid().spacing_mm()[2]), ([128, 128, 1], 5.0));
}

#[test]
fn a_real_gantry_tilt_is_refused_or_resampled() {
    let Some(archive) = common::data("S04_ge_gantry_tilt_head_dicom.tar.xz") else { return };
    let dir = tempfile::tempdir().unwrap();
    common::unpack(&archive, dir.path());
    match read(dir.path()) {
        Err(ReadError::GantryTilt { degrees, .. }) => assert!((degrees - 18.5).abs() < 0.2, "{degrees}"),
        other => panic!("{other:?}"),
    }
    let options = ReadOptions { resample_uneven: true, ..ReadOptions::default() };
    let series = read_path(dir.path(), options, &Monitor::default()).unwrap();
    assert!(series.source.resampled() && series.source.frames().len() == 28);
}

#[test]
fn every_limit_holds() {
    let Some(folder) = common::data("S08_derived_lidc") else { return };
    let with = |change: fn(&mut Limits)| {
        let mut options = ReadOptions::default();
        change(&mut options.limits);
        read_path(&folder.join("base.zip"), options, &Monitor::default())
    };
    for change in [
        (|limits| limits.max_files = 31) as fn(&mut Limits),
        |limits| limits.max_file_bytes = 20_000,
        |limits| limits.max_total_bytes = 100_000,
        |limits| limits.max_voxels = 319_999,
    ] {
        assert!(matches!(with(change), Err(ReadError::LimitExceeded { .. })));
    }
    assert!(with(|limits| limits.max_voxels = 320_000).is_ok());
}

/// Bytes flipped or cut at many places: an error or a volume, but no panic, no abort and no hang.
#[test]
fn damaged_files_never_crash_the_reader() {
    let Some(folder) = common::data("S05_transfer_syntaxes") else { return };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for round in 0..8 {
            let mut damaged = bytes.clone();
            for _ in 0..4 {
                // Headers are where damage bites; half of the flips go there.
                let at = random(if round % 2 == 0 { 4000.min(damaged.len()) } else { damaged.len() });
                damaged[at] = random(256) as u8;
            }
            if round >= 6 {
                damaged.truncate(random(damaged.len()));
            }
            let mut reader = SeriesReader::new(ReadOptions::default());
            if reader.push("damaged.dcm", damaged).is_ok() {
                let _ = reader.finish(&Monitor::default());
            }
        }
    }
}

#[test]
fn a_deflated_data_set_cannot_outgrow_the_limit() {
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM");
    file.extend_from_slice(&[2, 0, 0x10, 0, b'U', b'I', 22, 0]);
    file.extend_from_slice(b"1.2.840.10008.1.2.1.99");
    let mut deflate = flate2::write::DeflateEncoder::new(file, flate2::Compression::best());
    deflate.write_all(&vec![0; 64 << 20]).unwrap();
    let file = deflate.finish().unwrap();
    let mut options = ReadOptions::default();
    options.limits.max_file_bytes = 1 << 20;
    let mut reader = SeriesReader::new(options);
    reader.push("deflated.dcm", file).unwrap();
    match reader.finish(&Monitor::default()) {
        Err(ReadError::Corrupt { reason, .. }) => assert!(reason.contains("1048576"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
