//! The calls into C++: buffers, statuses and nothing else.
//!
//! Safety rests on three facts. A [`Volume`] holds exactly as many voxels as its grid has, a
//! [`Stored`]'s code names its very type, and [`buffer`] makes results as large as the grid they are
//! for; so every pointer handed over is good for the `size` handed over with it. The shim keeps no
//! pointer after it returns.

#![allow(unsafe_code)]

use super::image_file::FileFormat;
use super::pixel::sealed::Stored;
use super::{ItkError, Pixel};
use crate::monitor::{Cancelled, Monitor};
use crate::volume::{Grid, Volume};
use itk_sys::{Call, Header};
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;

const ERROR_BYTES: usize = 1024;

/// Calls C++ with a place for its error and the flag that stops it.
fn call(
    operation: &'static str,
    monitor: Option<&Monitor>,
    work: impl FnOnce(*const Call) -> c_int,
) -> Result<(), ItkError> {
    let mut error: [c_char; ERROR_BYTES] = [0; ERROR_BYTES];
    let cancel = monitor.map_or(std::ptr::null(), |m| m.cancel_flag().as_ptr().cast::<u8>().cast_const());
    let call = Call { cancel, error: error.as_mut_ptr(), error_size: ERROR_BYTES };
    match work(&raw const call) {
        itk_sys::OK => Ok(()),
        itk_sys::CANCELLED => Err(Cancelled.into()),
        _ => {
            // SAFETY: the shim always ends the text within `error_size`, and the array starts as NULs.
            let reason = unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy();
            Err(ItkError::Failed { operation, reason: reason.trim().to_owned() })
        }
    }
}

fn to_c(grid: &Grid) -> itk_sys::Grid {
    let direction = grid.direction();
    itk_sys::Grid {
        size: grid.size().map(|n| n as u64),
        spacing_mm: grid.spacing_mm(),
        origin_lps: grid.origin_lps(),
        direction: std::array::from_fn(|at| direction[at / 3][at % 3]),
    }
}

/// Size, spacing, origin and direction as the shim gave them, not yet checked.
pub(super) fn from_c(grid: &itk_sys::Grid) -> ([usize; 3], [f64; 3], [f64; 3], [[f64; 3]; 3]) {
    let direction = std::array::from_fn(|r| std::array::from_fn(|c| grid.direction[3 * r + c]));
    (grid.size.map(|n| n as usize), grid.spacing_mm, grid.origin_lps, direction)
}

/// Zeros for every voxel of a size, or an error where memory ends.
pub(super) fn buffer<T: Stored>(size: [usize; 3]) -> Result<Vec<T>, ItkError> {
    let no_memory = || ItkError::Memory { size };
    let count = size.iter().try_fold(1_usize, |n, &s| n.checked_mul(s)).ok_or_else(no_memory)?;
    let mut voxels = Vec::new();
    voxels.try_reserve_exact(count).map_err(|_| no_memory())?;
    voxels.resize(count, T::default());
    Ok(voxels)
}

pub(super) fn resample<T: Pixel>(
    volume: &Volume<T>,
    grid: &Grid,
    linear: bool,
    outside: T,
    monitor: &Monitor,
) -> Result<Vec<T>, ItkError> {
    let mut result = buffer::<T>(grid.size())?;
    let (from, to) = (to_c(volume.grid()), to_c(grid));
    // SAFETY: see the head of this file.
    call("resample", Some(monitor), |call| unsafe {
        itk_sys::spinefx_itk_resample(
            call,
            T::CODE,
            volume.voxels().as_ptr().cast(),
            &raw const from,
            &raw const to,
            c_int::from(linear),
            outside.to_f64(),
            result.as_mut_ptr().cast(),
        )
    })?;
    Ok(result)
}

pub(super) fn permute<T: Pixel>(
    volume: &Volume<T>,
    order: [usize; 3],
    flip: [bool; 3],
) -> Result<(Grid, Vec<T>), ItkError> {
    let mut result = buffer::<T>(volume.grid().size())?;
    let (from, order, flip) = (to_c(volume.grid()), order.map(|a| a as u32), flip.map(u8::from));
    let mut to = itk_sys::Grid::default();
    // SAFETY: see the head of this file; a permutation has as many voxels as its source.
    call("reorder the axes", None, |call| unsafe {
        itk_sys::spinefx_itk_permute(
            call,
            T::CODE,
            volume.voxels().as_ptr().cast(),
            &raw const from,
            order.as_ptr(),
            flip.as_ptr(),
            &raw mut to,
            result.as_mut_ptr().cast(),
        )
    })?;
    let (size, spacing_mm, origin_lps, direction) = from_c(&to);
    Ok((Grid::new(size, spacing_mm, origin_lps, direction)?, result))
}

pub(super) fn smooth<T: Pixel>(
    volume: &Volume<T>,
    sigma_mm: [f64; 3],
    monitor: &Monitor,
) -> Result<Vec<T>, ItkError> {
    let mut result = buffer::<T>(volume.grid().size())?;
    let grid = to_c(volume.grid());
    // SAFETY: see the head of this file.
    call("smooth", Some(monitor), |call| unsafe {
        itk_sys::spinefx_itk_smooth(
            call,
            T::CODE,
            volume.voxels().as_ptr().cast(),
            &raw const grid,
            sigma_mm.as_ptr(),
            result.as_mut_ptr().cast(),
        )
    })?;
    Ok(result)
}

/// Labels and how many there are.
pub(super) fn components(mask: &Volume<u8>, monitor: &Monitor) -> Result<(Vec<u32>, u64), ItkError> {
    let mut labels = buffer::<u32>(mask.grid().size())?;
    let grid = to_c(mask.grid());
    let mut count = 0;
    // SAFETY: see the head of this file.
    call("find connected components", Some(monitor), |call| unsafe {
        itk_sys::spinefx_itk_components(
            call,
            mask.voxels().as_ptr(),
            &raw const grid,
            labels.as_mut_ptr(),
            &raw mut count,
        )
    })?;
    Ok((labels, count))
}

pub(super) fn file_information(path: &Path, format: FileFormat) -> Result<Header, ItkError> {
    let name = c_path(path)?;
    let mut header = Header::default();
    // SAFETY: the name ends in a NUL and the header is a local of the shim's layout.
    let outcome = call("read the header", None, |call| unsafe {
        itk_sys::spinefx_itk_file_information(call, name.as_ptr(), format.code(), &raw mut header)
    });
    outcome.map_err(|error| naming(error, path))?;
    Ok(header)
}

/// Fills `voxels` from the file; fails unless the header's bytes are those of `voxels`.
pub(super) fn file_read<T: Stored>(
    path: &Path,
    format: FileFormat,
    voxels: &mut [T],
) -> Result<(), ItkError> {
    let name = c_path(path)?;
    let bytes = size_of_val(voxels) as u64;
    // SAFETY: the shim reads only if the file's pixel type and byte count are the ones given, which
    // are those of the slice.
    let outcome = call("read the voxels", None, |call| unsafe {
        itk_sys::spinefx_itk_file_read(
            call,
            name.as_ptr(),
            format.code(),
            T::CODE,
            bytes,
            voxels.as_mut_ptr().cast(),
        )
    });
    outcome.map_err(|error| naming(error, path))
}

pub(super) fn file_write<T: Pixel>(
    volume: &Volume<T>,
    path: &Path,
    format: FileFormat,
) -> Result<(), ItkError> {
    let name = c_path(path)?;
    let grid = to_c(volume.grid());
    // SAFETY: see the head of this file.
    let outcome = call("write the file", None, |call| unsafe {
        itk_sys::spinefx_itk_file_write(
            call,
            name.as_ptr(),
            format.code(),
            T::CODE,
            volume.voxels().as_ptr().cast(),
            &raw const grid,
            c_int::from(format.compressed()),
        )
    });
    outcome.map_err(|error| naming(error, path))
}

fn c_path(path: &Path) -> Result<CString, ItkError> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| ItkError::UnsupportedFile {
        path: path.to_owned(),
        reason: "the name holds a NUL".to_owned(),
    })
}

/// Names the file in an error of ITK.
fn naming(error: ItkError, path: &Path) -> ItkError {
    match error {
        ItkError::Failed { operation, reason } => ItkError::BadFile {
            path: path.to_owned(),
            reason: format!("ITK could not {operation}: {reason}"),
        },
        other => other,
    }
}
