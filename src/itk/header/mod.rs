//! What an image file's header claims, checked before ITK or the allocator believe it.
//!
//! ITK's readers follow a header to other files, into large buffers and to guesses where geometry is
//! missing. Here a header is read first by few lines of Rust, and refused where it claims more than
//! the file can hold, points elsewhere or does not say where its voxels are.

mod meta;
mod nifti;
mod nrrd;

use super::{FileFormat, ItkError};
use crate::volume::GridError;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Deflate cannot shrink data to less than 1/1032 (zlib's technical details).
const MOST_EXPANSION: u64 = 1032;
/// No text header is longer; those that ITK writes have 1 KB.
const TEXT_HEADER_BYTES: u64 = 64 * 1024;

/// The part of a header that decides whether the file may be read.
#[derive(Debug)]
struct Claims {
    /// Voxels along i, j, k.
    size: [u64; 3],
    /// Bytes per stored voxel.
    voxel_bytes: u64,
    /// Bytes before the voxels.
    offset: u64,
    /// What the voxels, with NIfTI the whole file, are packed in.
    packing: Packing,
    /// The header with a geometry that ITK understands, where it needs one.
    repaired: Option<Repaired>,
}

/// What a checked file holds.
#[derive(Debug)]
pub(super) struct Checked {
    /// Voxels along i, j, k.
    pub(super) size: [u64; 3],
    /// The header to read the file with instead of its own.
    pub(super) repaired: Option<Repaired>,
}

/// A NIfTI header and how many bytes, unpacked, the file has that it belongs to.
#[derive(Debug)]
pub(super) struct Repaired {
    header: Vec<u8>,
    bytes: u64,
}

/// Copies a NIfTI file, unpacked, with another header.
pub(super) fn copy_with(
    repaired: &Repaired,
    path: &Path,
    format: FileFormat,
    copy: &Path,
) -> Result<(), ItkError> {
    let work = || -> Result<(), Fault> {
        let file = BufReader::new(File::open(path)?);
        let mut source: Box<dyn Read> = match format {
            FileFormat::NiftiGz => Box::new(MultiGzDecoder::new(file)),
            _ => Box::new(file),
        };
        std::io::copy(&mut source.by_ref().take(repaired.header.len() as u64), &mut std::io::sink())?;
        let mut target = File::create(copy)?;
        target.write_all(&repaired.header)?;
        let rest = repaired.bytes - repaired.header.len() as u64;
        std::io::copy(&mut source.take(rest), &mut target)?;
        Ok(())
    };
    work().map_err(|fault| at(path, fault))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Raw,
    /// A gzip file, offset counted unpacked.
    GzipFile,
    /// A gzip stream behind the header.
    Gzip,
    /// A zlib stream behind the header.
    Zlib,
}

/// Why a header is refused, not yet with the file's name.
#[derive(Debug)]
enum Fault {
    Unsupported(String),
    Bad(String),
    Grid(GridError),
    Io(std::io::Error),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        // What a decoder finds wrong is the file's fault, not the system's.
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof
            | std::io::ErrorKind::InvalidInput
            | std::io::ErrorKind::InvalidData => Self::Bad(format!("it is damaged: {error}")),
            _ => Self::Io(error),
        }
    }
}

fn unsupported<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unsupported(reason.into()))
}

fn bad<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Bad(reason.into()))
}

/// Checks the header of `path` and that there are as many voxels as it claims; gives its size.
pub(super) fn check(path: &Path, format: FileFormat, max_voxels: u64) -> Result<Checked, ItkError> {
    let with_path = |fault| at(path, fault);
    let file = File::open(path).map_err(|e| with_path(Fault::Io(e)))?;
    let metadata = file.metadata().map_err(|e| with_path(Fault::Io(e)))?;
    if !metadata.is_file() {
        return Err(with_path(Fault::Unsupported("it is not a plain file".to_owned())));
    }
    let claims = match format {
        FileFormat::Nifti => nifti::claims(&file, Packing::Raw),
        FileFormat::NiftiGz => nifti::claims(MultiGzDecoder::new(BufReader::new(&file)), Packing::GzipFile),
        FileFormat::Nrrd => text_header(&file).and_then(|bytes| nrrd::claims(&bytes)),
        FileFormat::MetaImage => text_header(&file).and_then(|bytes| meta::claims(&bytes)),
    };
    let claims = claims.map_err(with_path)?;
    let voxels = claims.size.iter().fold(1_u64, |product, &n| product.saturating_mul(n));
    if voxels > max_voxels {
        return Err(ItkError::TooManyVoxels { path: path.to_owned(), voxels, limit: max_voxels });
    }
    let claimed = voxels.saturating_mul(claims.voxel_bytes);
    let expansion = if claims.packing == Packing::Raw { 1 } else { MOST_EXPANSION };
    let found = metadata.len();
    if claimed.saturating_add(claims.offset) > found.saturating_mul(expansion) {
        return Err(ItkError::TooShort { path: path.to_owned(), claimed, found });
    }
    check_stream(file, &claims, claimed).map_err(with_path)?;
    Ok(Checked { size: claims.size, repaired: claims.repaired })
}

/// Unpacks a compressed stream once, keeping nothing. ITK reads what a broken one lacks as zeros.
fn check_stream(mut file: File, claims: &Claims, claimed: u64) -> Result<(), Fault> {
    let (start, wanted) = match claims.packing {
        Packing::Raw => return Ok(()),
        Packing::GzipFile => (0, claimed + claims.offset),
        Packing::Gzip | Packing::Zlib => (claims.offset, claimed),
    };
    file.seek(SeekFrom::Start(start))?;
    let file = BufReader::with_capacity(1 << 16, file);
    let mut unpacked: Box<dyn Read> = match claims.packing {
        Packing::Zlib => Box::new(ZlibDecoder::new(file)),
        _ => Box::new(MultiGzDecoder::new(file)),
    };
    let found = std::io::copy(&mut unpacked.by_ref().take(wanted), &mut std::io::sink())?;
    // The check sum is only compared when the stream is read to its end, one byte further.
    let more = unpacked.read(&mut [0])?;
    match found == wanted {
        true if more == 0 || claims.packing == Packing::GzipFile => Ok(()),
        true => bad("its compressed voxels are more than the header claims"),
        false => bad(format!("its compressed voxels end after {found} of {wanted} bytes")),
    }
}

fn at(path: &Path, fault: Fault) -> ItkError {
    let path = path.to_owned();
    match fault {
        Fault::Unsupported(reason) => ItkError::UnsupportedFile { path, reason },
        Fault::Bad(reason) => ItkError::BadFile { path, reason },
        Fault::Grid(source) => ItkError::FileGrid { path, source },
        Fault::Io(source) => ItkError::Io { path, source },
    }
}

fn text_header(file: &File) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    file.take(TEXT_HEADER_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `key` without spaces and case, the way the readers compare keys.
fn normal(key: &str) -> String {
    key.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

/// The next line of a text header and the bytes after it. Control characters and endless lines are
/// refused: the readers end a text at different places than a line-wise look does.
fn next_line(bytes: &[u8]) -> Result<(&str, &[u8]), Fault> {
    const LONGEST: usize = 4096;
    let Some(end) = bytes.iter().take(LONGEST).position(|&b| b == b'\n') else {
        return bad("the header does not end");
    };
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\t') => Ok((text, &bytes[end + 1..])),
        _ => bad("the header is not text"),
    }
}

fn sizes(text: &str) -> Result<Vec<u64>, Fault> {
    let sizes: Option<Vec<u64>> =
        text.split_whitespace().map(|word| word.parse().ok().filter(|&n| n > 0)).collect();
    sizes.map_or_else(|| bad(format!("\"{text}\" are no sizes")), Ok)
}

/// The first three sizes, if the others are 1.
fn one_frame(sizes: &[u64]) -> Result<[u64; 3], Fault> {
    match sizes {
        [i, j, k, frames @ ..] if frames.iter().all(|&n| n == 1) => Ok([*i, *j, *k]),
        _ => unsupported(format!("its size is {sizes:?}, not one three-dimensional volume")),
    }
}
