//! NIfTI-1 headers (nifti1.h): 348 bytes at fixed places.

use super::super::rotation::{Direction, orthonormal, quaternion};
use super::{Claims, Fault, Packing, Repaired, bad, one_frame, unsupported};
use crate::volume::{Grid, GridError};
use std::io::Read;

const HEADER_BYTES: usize = 348;
/// Voxels start behind the header and four bytes that announce extensions.
const FIRST_OFFSET: f32 = 352.0;
/// Extensions hold comments; more of them than this is no CT.
const LAST_OFFSET: f32 = 16_777_216.0;

/// Header fields by byte offset, in the file's byte order.
struct Fields {
    bytes: [u8; HEADER_BYTES],
    big_endian: bool,
}

impl Fields {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = std::array::from_fn(|n| self.bytes[at + n]);
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn int(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.bytes(at))
    }

    fn float(&self, at: usize) -> f32 {
        f32::from_le_bytes(self.bytes(at))
    }

    fn floats<const N: usize>(&self, at: usize) -> [f64; N] {
        std::array::from_fn(|n| f64::from(self.float(at + 4 * n)))
    }
}

pub(super) fn claims(mut file: impl Read, packing: Packing) -> Result<Claims, Fault> {
    let fields = read(&mut file)?;
    let size = size(&fields)?;
    let voxel_bytes: u64 = match fields.int(70) {
        2 | 256 => 1,
        4 | 512 => 2,
        8 | 16 | 768 => 4,
        64 => 8,
        other => return unsupported(format!("its voxels are of NIfTI type {other}, which is not read")),
    };
    let offset = fields.float(108);
    if !(FIRST_OFFSET..=LAST_OFFSET).contains(&offset) {
        return bad(format!("vox_offset is {offset}"));
    }
    check_place(&fields, size)?;
    let offset = offset as u64;
    let voxels = size.iter().fold(voxel_bytes, |product, &n| product.saturating_mul(n));
    let repaired = repaired(&fields).map(|header| Repaired { header, bytes: voxels.saturating_add(offset) });
    Ok(Claims { size, voxel_bytes, offset, packing, repaired })
}

fn read(file: &mut impl Read) -> Result<Fields, Fault> {
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact(&mut bytes)?;
    let first = [bytes[0], bytes[1], bytes[2], bytes[3]];
    let big_endian = match (i32::from_le_bytes(first), i32::from_be_bytes(first)) {
        (348, _) => false,
        (_, 348) => true,
        (540, _) | (_, 540) => return unsupported("it is NIfTI-2"),
        _ => return bad("it has no NIfTI-1 header"),
    };
    if &bytes[344..348] != b"n+1\0" {
        return unsupported("it is not NIfTI-1 with header and voxels in one file");
    }
    Ok(Fields { bytes, big_endian })
}

fn size(fields: &Fields) -> Result<[u64; 3], Fault> {
    let dimensions = fields.int(40);
    if !(1..=7).contains(&dimensions) {
        return bad(format!("it has {dimensions} dimensions"));
    }
    let sizes: Result<Vec<u64>, _> =
        (1..=dimensions as usize).map(|n| u64::try_from(fields.int(40 + 2 * n))).collect();
    match sizes {
        Ok(sizes) if !sizes.contains(&0) => one_frame(&sizes),
        _ => bad("a size is not greater than 0"),
    }
}

/// Refuses geometry that ITK would guess, repair or read half.
fn check_place(fields: &Fields, size: [u64; 3]) -> Result<(), Fault> {
    const MILLIMETRES_OR_UNSAID: [u8; 2] = [0, 2];
    if !MILLIMETRES_OR_UNSAID.contains(&(fields.bytes[123] & 7)) {
        return unsupported("its unit of length is not the millimetre");
    }
    let spacing_mm: [f64; 3] = fields.floats(80);
    if spacing_mm.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err(Fault::Grid(GridError::Spacing { spacing_mm }));
    }
    let (qform, sform) = (fields.int(252) > 0, fields.int(254) > 0);
    if !qform && !sform {
        return unsupported("neither its qform nor its sform says where the voxels are");
    }
    if qform && fields.floats::<6>(256).iter().any(|v| !v.is_finite()) {
        return bad("its qform is not finite");
    }
    if sform { check_sform(fields, size, spacing_mm) } else { Ok(()) }
}

/// ITK takes the direction from the sform and the spacing from pixdim, so both must describe the same
/// grid, which a sheared or scaled sform does not.
fn check_sform(fields: &Fields, size: [u64; 3], spacing_mm: [f64; 3]) -> Result<(), Fault> {
    const RELATIVE: f64 = 1e-3;
    let (rows, lengths, direction) = sform(fields);
    let origin = std::array::from_fn(|r| rows[r][3]);
    Grid::new(size.map(|n| n as usize), spacing_mm, origin, direction).map_err(Fault::Grid)?;
    if (0..3).any(|a| (lengths[a] - spacing_mm[a]).abs() > RELATIVE * spacing_mm[a]) {
        return bad(format!("pixdim says a spacing of {spacing_mm:?}, its sform {lengths:?}"));
    }
    Ok(())
}

/// Rows, column lengths and direction of the sform.
fn sform(fields: &Fields) -> ([[f64; 4]; 3], [f64; 3], Direction) {
    let rows: [[f64; 4]; 3] = [fields.floats(280), fields.floats(296), fields.floats(312)];
    let length = |c: usize| (0..3).map(|r| rows[r][c] * rows[r][c]).sum::<f64>().sqrt();
    let lengths: [f64; 3] = std::array::from_fn(length);
    let direction = std::array::from_fn(|r| std::array::from_fn(|c| rows[r][c] / lengths[c]));
    (rows, lengths, direction)
}

/// ITK 5.2 refuses an oblique sform whose float32 rounding leaves it a little skew, unless there is a
/// qform; nibabel writes such files. This puts the same place into a qform.
fn repaired(fields: &Fields) -> Option<Vec<u8>> {
    const EXACT: f64 = 1e-9;
    let (rows, _, direction) = sform(fields);
    let nearest = orthonormal(direction);
    let off = |r: usize, c: usize| (direction[r][c] - nearest[r][c]).abs();
    let exact = (0..3).all(|r| (0..3).all(|c| off(r, c) < EXACT));
    if fields.int(252) > 0 || exact {
        return None;
    }
    let (qfac, [b, c, d]) = quaternion(nearest);
    let mut header = fields.bytes.to_vec();
    let mut set = |at: usize, value: &[u8]| {
        let value = value.iter().copied();
        let value: Vec<u8> = if fields.big_endian { value.rev().collect() } else { value.collect() };
        header[at..at + value.len()].copy_from_slice(&value);
    };
    set(252, &fields.int(254).to_le_bytes());
    set(254, &0_i16.to_le_bytes());
    set(76, &(qfac as f32).to_le_bytes());
    for (n, value) in [b, c, d, rows[0][3], rows[1][3], rows[2][3]].into_iter().enumerate() {
        set(256 + 4 * n, &(value as f32).to_le_bytes());
    }
    Some(header)
}
