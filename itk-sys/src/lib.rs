//! The C ABI over ITK 5: declarations only. `shim/spinefx_itk.h` documents every function; the safe
//! side is `spinefx::itk`.

use std::ffi::{c_char, c_int, c_void};

/// The call did what was asked.
pub const OK: c_int = 0;
/// The reason is in [`Call::error`].
pub const FAILED: c_int = 1;
/// [`Call::cancel`] was set.
pub const CANCELLED: c_int = 2;

/// `uint8_t` voxels.
pub const U8: c_int = 0;
/// `int8_t` voxels; only files have them.
pub const I8: c_int = 1;
/// `uint16_t` voxels.
pub const U16: c_int = 2;
/// `int16_t` voxels.
pub const I16: c_int = 3;
/// `uint32_t` voxels.
pub const U32: c_int = 4;
/// `int32_t` voxels.
pub const I32: c_int = 5;
/// `float` voxels.
pub const F32: c_int = 6;
/// `double` voxels; only files have them.
pub const F64: c_int = 7;

/// NIfTI-1 in one file, `.nii` or `.nii.gz`.
pub const NIFTI: c_int = 0;
/// NRRD in one file.
pub const NRRD: c_int = 1;
/// MetaImage in one file.
pub const META: c_int = 2;

/// `spinefx_itk_grid`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Grid {
    /// Voxels along i, j, k.
    pub size: [u64; 3],
    /// Millimetres between voxel centres.
    pub spacing_mm: [f64; 3],
    /// Centre of voxel (0, 0, 0).
    pub origin_lps: [f64; 3],
    /// Row-major 3×3; columns are the axes.
    pub direction: [f64; 9],
}

/// `spinefx_itk_header`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Header {
    /// Of the first three dimensions.
    pub grid: Grid,
    /// 2, 3, 4 …
    pub dimensions: u64,
    /// Product of the sizes beyond the third.
    pub frames: u64,
    /// Values per voxel.
    pub components: u64,
    /// Of the whole voxel buffer.
    pub bytes: u64,
    /// [`U8`] … [`F64`], or 8 for another.
    pub pixel: i32,
    /// 1 when a voxel is a plain number.
    pub scalar: i32,
}

/// `spinefx_itk_call`.
#[repr(C)]
#[derive(Debug)]
pub struct Call {
    /// The byte of an `AtomicBool`, or null.
    pub cancel: *const u8,
    /// Receives the reason of a failure, with a NUL.
    pub error: *mut c_char,
    /// Bytes at `error`.
    pub error_size: usize,
}

#[allow(missing_docs, reason = "spinefx_itk.h documents them")]
mod functions {
    use super::{Call, Grid, Header, c_char, c_int, c_void};

    unsafe extern "C" {
        pub fn spinefx_itk_resample(
            call: *const Call,
            pixel: c_int,
            voxels: *const c_void,
            from: *const Grid,
            to: *const Grid,
            interpolation: c_int,
            outside: f64,
            result: *mut c_void,
        ) -> c_int;

        pub fn spinefx_itk_permute(
            call: *const Call,
            pixel: c_int,
            voxels: *const c_void,
            from: *const Grid,
            order: *const u32,
            flip: *const u8,
            result_grid: *mut Grid,
            result: *mut c_void,
        ) -> c_int;

        pub fn spinefx_itk_smooth(
            call: *const Call,
            pixel: c_int,
            voxels: *const c_void,
            grid: *const Grid,
            sigma_mm: *const f64,
            result: *mut c_void,
        ) -> c_int;

        pub fn spinefx_itk_components(
            call: *const Call,
            mask: *const u8,
            grid: *const Grid,
            labels: *mut u32,
            count: *mut u64,
        ) -> c_int;

        pub fn spinefx_itk_file_information(
            call: *const Call,
            path: *const c_char,
            format: c_int,
            header: *mut Header,
        ) -> c_int;

        pub fn spinefx_itk_file_read(
            call: *const Call,
            path: *const c_char,
            format: c_int,
            pixel: c_int,
            bytes: u64,
            voxels: *mut c_void,
        ) -> c_int;

        pub fn spinefx_itk_file_write(
            call: *const Call,
            path: *const c_char,
            format: c_int,
            pixel: c_int,
            voxels: *const c_void,
            grid: *const Grid,
            compress: c_int,
        ) -> c_int;
    }
}

pub use functions::*;
