//! Image files that lie, break off or cannot be understood end in an error that names the file, and
//! before memory is taken for what they claim.

use spinefx::itk::{self, FileFormat, ItkError};
use spinefx::volume::{Grid, GridError, IDENTITY, Volume};
use std::io::Write;
use std::path::PathBuf;

const LIMIT: u64 = 1 << 30;

fn volume() -> Volume<i16> {
    let (s, c) = 0.3_f64.sin_cos();
    let direction = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
    let grid = Grid::new([20, 21, 22], [0.5, 0.7, 2.0], [-10.0, 20.0, 30.0], direction).unwrap();
    let voxels = (0..grid.len()).map(|v| (v * 7919 % 4001) as i16 - 1024).collect();
    Volume::new(grid, voxels).unwrap()
}

fn bytes(format: FileFormat) -> Vec<u8> {
    itk::write_volume_bytes(&volume(), format).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The error that reading these bytes ends in; it must name the file.
    fn refusal(&self, name: &str, bytes: &[u8]) -> ItkError {
        let path = self.file(name, bytes);
        let error = itk::read_volume(&path, LIMIT).map(|_| ()).expect_err(name);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        error
    }
}

/// A NIfTI with bytes of its header replaced.
fn nifti(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = bytes(FileFormat::Nifti);
    for (at, new) in changes {
        bytes[*at..*at + new.len()].copy_from_slice(new);
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file with text of its header replaced.
fn reworded(format: FileFormat, old: &str, new: &str) -> Vec<u8> {
    let bytes = bytes(format);
    let at = bytes.windows(old.len()).position(|w| w == old.as_bytes()).unwrap_or_else(|| panic!("no {old}"));
    [&bytes[..at], new.as_bytes(), &bytes[at + old.len()..]].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn all_formats_survive_a_round_trip() {
    for format in FileFormat::ALL {
        let read = itk::read_volume_bytes(format, &bytes(format), LIMIT).unwrap();
        assert_eq!(read.voxels(), volume().voxels(), "{format:?}");
        assert!(read.grid().same_place(volume().grid(), 1e-4), "{format:?}");
    }
}

#[test]
fn a_claim_of_gigabytes_is_refused_unread() {
    let folder = Folder::new();
    // 1000³ voxels of 2 bytes are below the limit of voxels but beyond every one of these files.
    let short = |n: i16| n.to_le_bytes().repeat(3);
    let large = nifti(&[(42, &short(1000))]);
    let cases = [
        ("a.nii", large.clone()),
        ("a.nii.gz", gzip(&large)),
        ("a.nrrd", reworded(FileFormat::Nrrd, "sizes: 20 21 22", "sizes: 1000 1000 1000")),
        ("a.mha", reworded(FileFormat::MetaImage, "DimSize = 20 21 22", "DimSize = 1000 1000 1000")),
    ];
    for (name, bytes) in cases {
        let error = folder.refusal(name, &bytes);
        assert!(matches!(error, ItkError::TooShort { claimed: 2_000_000_000, .. }), "{name}: {error}");
    }
    let larger = nifti(&[(42, &short(1025))]);
    assert!(matches!(folder.refusal("a.nii", &larger), ItkError::TooManyVoxels { limit: LIMIT, .. }));
    let overflowing =
        reworded(FileFormat::Nrrd, "sizes: 20 21 22", "sizes: 4294967296 4294967296 4294967296");
    assert!(matches!(folder.refusal("a.nrrd", &overflowing), ItkError::TooManyVoxels { .. }));
}

#[test]
fn truncated_files_are_refused() {
    let folder = Folder::new();
    for format in FileFormat::ALL {
        let whole = bytes(format);
        let name = format!("a{}", format.extension());
        for kept in [0, 1, 100, 349, whole.len() / 2, whole.len() - 9] {
            let error = folder.refusal(&name, &whole[..kept.min(whole.len() - 9)]);
            assert!(
                matches!(error, ItkError::BadFile { .. } | ItkError::TooShort { .. }),
                "{kept}: {error:?}"
            );
        }
    }
}

#[test]
fn truncated_compressed_metaimage_is_refused() {
    let folder = Folder::new();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let voxels: Vec<u8> = volume().voxels().iter().flat_map(|v| v.to_le_bytes()).collect();
    zlib.write_all(&voxels).unwrap();
    let zlib = zlib.finish().unwrap();
    let plain = bytes(FileFormat::MetaImage);
    let header = String::from_utf8(plain[..plain.len() - voxels.len()].to_vec()).unwrap();
    let header = header.replace(
        "CompressedData = False",
        &format!("CompressedData = True\nCompressedDataSize = {}", zlib.len()),
    );
    let file = |data: &[u8]| [header.as_bytes(), data].concat();
    let read = itk::read_volume(&folder.file("a.mha", &file(&zlib)), LIMIT).unwrap();
    assert_eq!(read.voxels(), volume().voxels());
    let mut broken = zlib.clone();
    broken[zlib.len() / 2..].fill(0x55);
    for data in [&zlib[..zlib.len() / 2], &broken] {
        assert!(matches!(folder.refusal("a.mha", &file(data)), ItkError::BadFile { .. }));
    }
}

#[test]
fn garbage_is_refused() {
    let folder = Folder::new();
    let noise: Vec<u8> = (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for format in FileFormat::ALL {
        let name = format!("a{}", format.extension());
        for bytes in [noise.clone(), vec![0; 5000], vec![b'\n'; 5000], gzip(&noise)] {
            let error = folder.refusal(&name, &bytes);
            assert!(matches!(error, ItkError::BadFile { .. } | ItkError::UnsupportedFile { .. }), "{error}");
        }
    }
    let missing = itk::read_volume(&folder.0.path().join("none.nii"), LIMIT).unwrap_err();
    assert!(matches!(missing, ItkError::Io { .. }));
    assert!(matches!(folder.refusal("a.png", b"x"), ItkError::UnsupportedFile { .. }));
    std::fs::create_dir(folder.0.path().join("folder.nii")).unwrap();
    let error = itk::read_volume(&folder.0.path().join("folder.nii"), LIMIT).unwrap_err();
    assert!(matches!(error, ItkError::UnsupportedFile { .. }), "{error}");
}

#[test]
fn voxels_in_another_file_are_refused() {
    let folder = Folder::new();
    folder.file("secret", &vec![1; 2 * 20 * 21 * 22]);
    let pair = nifti(&[(344, b"ni1\0")]);
    assert!(matches!(folder.refusal("a.nii", &pair), ItkError::UnsupportedFile { .. }));
    for field in ["data file: secret", "datafile: secret", "Data File: secret"] {
        let bytes = reworded(FileFormat::Nrrd, "encoding: gzip", &format!("encoding: raw\n{field}"));
        let error = folder.refusal("a.nrrd", &bytes);
        assert!(error.to_string().contains("another file"), "{error}");
    }
    for name in ["secret", "LIST", "secret%d 1 2 1"] {
        let bytes =
            reworded(FileFormat::MetaImage, "ElementDataFile = LOCAL", &format!("ElementDataFile = {name}"));
        assert!(folder.refusal("a.mha", &bytes).to_string().contains("another file"));
    }
}

#[test]
fn geometry_that_makes_no_grid_is_refused() {
    let folder = Folder::new();
    for spacing in [f32::NAN, 0.0, -1.0, f32::INFINITY] {
        let error = folder.refusal("a.nii", &nifti(&[(84, &spacing.to_le_bytes())]));
        assert!(matches!(error, ItkError::FileGrid { source: GridError::Spacing { .. }, .. }), "{error}");
    }
    let sheared = floats(&[0.5, 0.2, 0.0, 0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    let singular = floats(&[0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    let undefined = floats(&[f32::NAN; 12]);
    for sform in [sheared, singular, undefined] {
        let error = folder.refusal("a.nii", &nifti(&[(280, &sform)]));
        assert!(matches!(error, ItkError::FileGrid { .. }), "{error}");
    }
    let scaled = floats(&[1.5, 0.0, 0.0, 0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    assert!(matches!(folder.refusal("a.nii", &nifti(&[(280, &scaled)])), ItkError::BadFile { .. }));
    let matrix = "TransformMatrix = ";
    for first in ["0 0 0 ", "nan 0 0 ", "0.9 0.4 0.3 "] {
        let bytes = reworded(FileFormat::MetaImage, matrix, &format!("{matrix}{first}"));
        assert!(matches!(
            folder.refusal("a.mha", &bytes),
            ItkError::FileGrid { .. } | ItkError::BadFile { .. }
        ));
    }
    for spacing in ["0 1 1 ", "nan 1 1 ", "-1 1 1 "] {
        let bytes =
            reworded(FileFormat::MetaImage, "ElementSpacing = ", &format!("ElementSpacing = {spacing}"));
        let error = folder.refusal("a.mha", &bytes);
        assert!(matches!(error, ItkError::FileGrid { .. } | ItkError::BadFile { .. }), "{error}");
    }
    for directions in ["(0,0,0) ", "(1,0,0) (1,0,0) (0,0,1)\n#", "(nan,0,0) (0,1,0) (0,0,1)\n#"] {
        let old = "space directions: ";
        let bytes = reworded(FileFormat::Nrrd, old, &format!("{old}{directions}"));
        let error = folder.refusal("a.nrrd", &bytes);
        assert!(matches!(error, ItkError::FileGrid { .. } | ItkError::BadFile { .. }), "{error}");
    }
}

#[test]
fn a_file_that_does_not_say_where_it_is_is_refused() {
    let folder = Folder::new();
    let nowhere = nifti(&[(252, &[0; 4])]);
    let metres = nifti(&[(123, &[1])]);
    for bytes in [nowhere, metres] {
        assert!(matches!(folder.refusal("a.nii", &bytes), ItkError::UnsupportedFile { .. }));
    }
    let space = "space: left-posterior-superior";
    for new in ["space dimension: 3", "space: left-anterior-superior", "space: scanner-xyz"] {
        let error = folder.refusal("a.nrrd", &reworded(FileFormat::Nrrd, space, new));
        assert!(matches!(error, ItkError::UnsupportedFile { .. }), "{error}");
    }
}

#[test]
fn nifti_scaling_is_applied_and_the_result_clamped() {
    let folder = Folder::new();
    let scaled = nifti(&[(112, &floats(&[2.5, -3.0]))]);
    let read = itk::read_volume(&folder.file("a.nii", &scaled), LIMIT).unwrap();
    for (found, stored) in read.voxels().iter().zip(volume().voxels()) {
        assert_eq!(f64::from(*found), (f64::from(*stored) * 2.5 - 3.0 + 0.5).floor());
    }
    let clamped = nifti(&[(112, &floats(&[100.0, 0.0]))]);
    let read = itk::read_volume(&folder.file("a.nii", &clamped), LIMIT).unwrap();
    assert!(read.voxels().contains(&i16::MAX) && read.voxels().contains(&i16::MIN));
}

#[test]
fn a_direction_rounded_to_four_decimals_is_made_orthonormal() {
    let folder = Folder::new();
    let old = bytes(FileFormat::MetaImage);
    let start = old.windows(18).position(|w| w == b"TransformMatrix = ").unwrap();
    let end = start + old[start..].iter().position(|&b| b == b'\n').unwrap();
    let matrix: &[u8] = b"TransformMatrix = 0.9553 0.2955 0 -0.2955 0.9553 0 0 0 1";
    let read = itk::read_volume(&folder.file("a.mha", &[&old[..start], matrix, &old[end..]].concat()), LIMIT)
        .unwrap();
    let direction = read.grid().direction();
    for a in 0..3 {
        for b in 0..3 {
            let product: f64 = (0..3).map(|r| direction[r][a] * direction[r][b]).sum();
            assert!((product - IDENTITY[a][b]).abs() < 1e-12, "{direction:?}");
        }
    }
    assert!(read.grid().same_place(volume().grid(), 1e-2));
}

/// As nibabel writes it, and a little skew; in every kind of orientation a quaternion has cases for.
#[test]
fn an_oblique_sform_alone_is_enough() {
    let folder = Folder::new();
    let (s, c) = 0.3_f64.sin_cos();
    let turn = [[c, -s, 1e-4], [s, c, 0.0], [0.0, 0.0, 1.0]];
    let flips = [[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0]];
    let spacing_mm = [0.5, 0.7, 2.0];
    for flip in flips {
        for shift in 0..3 {
            let ras: [[f64; 3]; 3] =
                std::array::from_fn(|r| std::array::from_fn(|a| turn[(r + shift) % 3][a] * flip[a]));
            let row = |r: usize| -> Vec<f32> {
                (0..3).map(|a| (ras[r][a] * spacing_mm[a]) as f32).chain([5.0 * r as f32]).collect()
            };
            let sform = floats(&[row(0), row(1), row(2)].concat());
            let bytes = nifti(&[(252, &[0; 4]), (254, &[1, 0]), (280, &sform)]);
            for (name, bytes) in [("a.nii.gz", gzip(&bytes)), ("a.nii", bytes)] {
                let read = itk::read_volume(&folder.file(name, &bytes), LIMIT).unwrap();
                assert_eq!(read.voxels(), volume().voxels());
                let lps = [ras[0].map(|v| -v), ras[1].map(|v| -v), ras[2]];
                let wanted = Grid::new([20, 21, 22], spacing_mm, [0.0, -5.0, 10.0], lps).unwrap();
                assert!(read.grid().same_place(&wanted, 5e-3), "{:?} is not {wanted:?}", read.grid());
            }
        }
    }
}

#[test]
fn masks_and_labels_mean_what_they_say() {
    let folder = Folder::new();
    let grid = Grid::axis_aligned([2, 2, 1], [1.0; 3], [0.0; 3]).unwrap();
    let written = |values: [f32; 4], name: &str| {
        let path = folder.0.path().join(name);
        itk::write_volume(&Volume::new(grid.clone(), values.to_vec()).unwrap(), &path).unwrap();
        path
    };
    let labels = written([0.0, 1.0, -3.0, 24.0], "labels.nrrd");
    assert_eq!(itk::read_mask(&labels, 4).unwrap().voxels(), [0, 1, 1, 1]);
    assert_eq!(itk::read_labelmap(&labels, 4).unwrap().voxels(), [0, 1, -3, 24]);
    for (value, name) in [(0.5, "half.nrrd"), (70_000.0, "large.nrrd"), (f32::NAN, "nan.nrrd")] {
        let path = written([0.0, 1.0, 2.0, value], name);
        assert!(matches!(itk::read_labelmap(&path, 4), Err(ItkError::BadFile { .. })), "{name}");
    }
    assert!(matches!(itk::read_volume(&folder.0.path().join("nan.nrrd"), 4), Err(ItkError::BadFile { .. })));
    // Not our wish: ITK's NIfTI reader says 0.
    let path = written([0.0, 1.0, 2.0, f32::NAN], "nan.nii.gz");
    assert_eq!(itk::read_volume(&path, 4).unwrap().voxels(), [0, 1, 2, 0]);
}

#[test]
fn what_cannot_be_written_is_said() {
    let folder = Folder::new();
    for name in ["no/such/folder/a.nii.gz", "no/such/folder/a.nrrd", "no/such/folder/a.mha"] {
        let path = folder.0.path().join(name);
        let error = itk::write_volume(&volume(), &path).expect_err(name);
        assert!(matches!(error, ItkError::Io { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    if std::path::Path::new("/dev/full").exists() {
        let full = folder.0.path().join("full.nii.gz");
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        assert!(itk::write_volume(&volume(), &full).is_err());
    }
    assert!(matches!(
        itk::write_volume(&volume(), &folder.0.path().join("a.jpg")),
        Err(ItkError::UnsupportedFile { .. })
    ));
}
