//! NIfTI, NRRD and MetaImage files.
//!
//! ITK turns NIfTI's and NRRD's RAS into LPS itself. A header is checked against the limit and the
//! file's real length (`header`) before voxels get memory.

use super::pixel::sealed::Stored;
use super::rotation::orthonormal;
use super::{ItkError, Pixel, ffi, header};
use crate::volume::{Grid, GridError, Volume};
use itk_sys::Header;
use std::path::{Path, PathBuf};

/// An image file format, told by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// NIfTI-1, `.nii`.
    Nifti,
    /// NIfTI-1 in gzip, `.nii.gz`.
    NiftiGz,
    /// NRRD with its data in the same file, `.nrrd`.
    Nrrd,
    /// MetaImage with its data in the same file, `.mha`.
    MetaImage,
}

impl FileFormat {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::NiftiGz, Self::Nifti, Self::Nrrd, Self::MetaImage];

    /// The format that a name's ending stands for, in any case.
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| name.ends_with(format.extension()))
    }

    /// The ending, with its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Nifti => ".nii",
            Self::NiftiGz => ".nii.gz",
            Self::Nrrd => ".nrrd",
            Self::MetaImage => ".mha",
        }
    }

    /// What errors call a file that came as bytes.
    fn upload(self) -> &'static str {
        match self {
            Self::Nifti => "uploaded .nii",
            Self::NiftiGz => "uploaded .nii.gz",
            Self::Nrrd => "uploaded .nrrd",
            Self::MetaImage => "uploaded .mha",
        }
    }

    /// Whether spinefx compresses what it writes.
    pub(super) fn compressed(self) -> bool {
        matches!(self, Self::NiftiGz | Self::Nrrd)
    }

    pub(super) fn code(self) -> i32 {
        match self {
            Self::Nifti | Self::NiftiGz => itk_sys::NIFTI,
            Self::Nrrd => itk_sys::NRRD,
            Self::MetaImage => itk_sys::META,
        }
    }
}

/// Reads a CT in HU. Any scalar type is rounded (half up) and clamped to 16 bits. NaN is an error, but
/// ITK's NIfTI reader has turned it into 0 before anyone can see it.
pub fn read_volume(path: &Path, max_voxels: u64) -> Result<Volume<i16>, ItkError> {
    read(path, max_voxels, |value| {
        // NaN is no Hounsfield unit, and turning it into 0 (water) would invent tissue.
        (!value.is_nan()).then(|| (value + 0.5).floor() as i16).ok_or("a voxel is not a number")
    })
}

/// Reads a mask: 1 wherever the file is not 0.
pub fn read_mask(path: &Path, max_voxels: u64) -> Result<Volume<u8>, ItkError> {
    read(path, max_voxels, |value| Ok(u8::from(value != 0.0)))
}

/// Reads labels; a value that is no whole 16-bit number is an error.
pub fn read_labelmap(path: &Path, max_voxels: u64) -> Result<Volume<i16>, ItkError> {
    read(path, max_voxels, |value| {
        let label = value as i16;
        (f64::from(label) == value).then_some(label).ok_or("a voxel is not a whole number of 16 bits")
    })
}

/// Reads a CT from the bytes of a file. ITK reads only files, so the bytes go through a temporary one,
/// which is gone when this returns.
pub fn read_volume_bytes(format: FileFormat, bytes: &[u8], max_voxels: u64) -> Result<Volume<i16>, ItkError> {
    let (folder, path) = temporary(format)?;
    std::fs::write(&path, bytes).map_err(|source| io_error(&path, source))?;
    let volume = read_volume(&path, max_voxels).map_err(|error| error.about(Path::new(format.upload())));
    drop(folder);
    volume
}

/// Writes a volume in the format that the name's ending stands for, `.nii.gz` and `.nrrd` compressed.
pub fn write_volume<T: Pixel>(volume: &Volume<T>, path: &Path) -> Result<(), ItkError> {
    write(volume, path, format_of(path)?)
}

fn write<T: Pixel>(volume: &Volume<T>, path: &Path, format: FileFormat) -> Result<(), ItkError> {
    // The NIfTI library reports neither a missing folder nor a full disk, hence both looks.
    std::fs::File::create(path).map_err(|source| io_error(path, source))?;
    ffi::file_write(volume, path, format)?;
    header::check(path, format, u64::MAX).map(|_| ())
}

/// Writes a volume into memory, by way of a temporary file.
pub fn write_volume_bytes<T: Pixel>(volume: &Volume<T>, format: FileFormat) -> Result<Vec<u8>, ItkError> {
    let (folder, path) = temporary(format)?;
    write(volume, &path, format)?;
    let bytes = std::fs::read(&path).map_err(|source| io_error(&path, source));
    drop(folder);
    bytes
}

/// A fresh folder that is deleted with its guard, and a file name in it.
fn temporary(format: FileFormat) -> Result<(tempfile::TempDir, PathBuf), ItkError> {
    let folder = tempfile::Builder::new()
        .prefix("spinefx-")
        .tempdir()
        .map_err(|source| io_error(&std::env::temp_dir(), source))?;
    let path = folder.path().join(format!("volume{}", format.extension()));
    Ok((folder, path))
}

fn format_of(path: &Path) -> Result<FileFormat, ItkError> {
    FileFormat::from_path(path)
        .ok_or_else(|| unsupported(path, "the name does not end in .nii, .nii.gz, .nrrd or .mha"))
}

type Convert<T> = fn(f64) -> Result<T, &'static str>;

fn read<T>(path: &Path, max_voxels: u64, convert: Convert<T>) -> Result<Volume<T>, ItkError> {
    let format = format_of(path)?;
    let checked = header::check(path, format, max_voxels)?;
    let Some(repaired) = &checked.repaired else {
        return read_checked(path, format, checked.size, convert);
    };
    let (folder, copy) = temporary(FileFormat::Nifti)?;
    header::copy_with(repaired, path, format, &copy)?;
    let volume = read_checked(&copy, FileFormat::Nifti, checked.size, convert);
    drop(folder);
    volume.map_err(|error| error.about(path))
}

fn read_checked<T>(
    path: &Path,
    format: FileFormat,
    size: [u64; 3],
    convert: Convert<T>,
) -> Result<Volume<T>, ItkError> {
    let header = ffi::file_information(path, format)?;
    if header.grid.size != size {
        let reason = format!("ITK reads a size of {:?} where the header says {size:?}", header.grid.size);
        return Err(ItkError::BadFile { path: path.to_owned(), reason });
    }
    let grid = grid_of(path, &header)?;
    let read = match header.pixel {
        itk_sys::U8 => read_as::<u8, T>,
        itk_sys::I8 => read_as::<i8, T>,
        itk_sys::U16 => read_as::<u16, T>,
        itk_sys::I16 => read_as::<i16, T>,
        itk_sys::U32 => read_as::<u32, T>,
        itk_sys::I32 => read_as::<i32, T>,
        itk_sys::F32 => read_as::<f32, T>,
        itk_sys::F64 => read_as::<f64, T>,
        _ => return Err(unsupported(path, "its voxels are of a type that is not read")),
    };
    read(path, format, grid, convert)
}

fn read_as<N: Stored, T>(
    path: &Path,
    format: FileFormat,
    grid: Grid,
    convert: Convert<T>,
) -> Result<Volume<T>, ItkError> {
    let mut stored = ffi::buffer::<N>(grid.size())?;
    ffi::file_read(path, format, &mut stored)?;
    let voxels = stored.into_iter().map(|value| convert(value.to_f64())).collect::<Result<Vec<T>, _>>();
    let voxels =
        voxels.map_err(|reason| ItkError::BadFile { path: path.to_owned(), reason: reason.to_owned() })?;
    Ok(Volume::new(grid, voxels)?)
}

/// The header's geometry as a grid. The columns of the direction are made orthonormal: files keep them
/// as rounded numbers, and [`Grid::index_of`] relies on the transpose being the inverse.
fn grid_of(path: &Path, header: &Header) -> Result<Grid, ItkError> {
    if header.dimensions < 3 || header.frames != 1 {
        let reason =
            format!("it has {} dimensions and {} frames, not one volume", header.dimensions, header.frames);
        return Err(unsupported(path, &reason));
    }
    if header.scalar != 1 || header.components != 1 {
        return Err(unsupported(path, &format!("it has {} values per voxel, not 1", header.components)));
    }
    let (size, spacing_mm, origin_lps, direction) = ffi::from_c(&header.grid);
    let at_path = |source: GridError| ItkError::FileGrid { path: path.to_owned(), source };
    let stored = Grid::new(size, spacing_mm, origin_lps, direction).map_err(at_path)?;
    Grid::new(size, spacing_mm, origin_lps, orthonormal(stored.direction())).map_err(at_path)
}

fn unsupported(path: &Path, reason: &str) -> ItkError {
    ItkError::UnsupportedFile { path: path.to_owned(), reason: reason.to_owned() }
}

fn io_error(path: &Path, source: std::io::Error) -> ItkError {
    ItkError::Io { path: path.to_owned(), source }
}
