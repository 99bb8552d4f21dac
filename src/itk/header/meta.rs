//! MetaImage headers: `Key = Value` lines up to ElementDataFile.

use super::{Claims, Fault, Packing, bad, next_line, normal, one_frame, sizes, unsupported};
use std::collections::HashMap;

pub(super) fn claims(bytes: &[u8]) -> Result<Claims, Fault> {
    let (fields, offset) = fields(bytes)?;
    let field = |name: &str| fields.get(name).map(String::as_str);
    let wanted = |name: &str| field(name).map_or_else(|| bad(format!("it has no field \"{name}\"")), Ok);
    if !wanted("elementdatafile")?.eq_ignore_ascii_case("local") {
        return unsupported("its voxels are in another file");
    }
    if field("binarydata").is_none_or(|value| !is_true(value)) {
        return unsupported("its voxels are text");
    }
    if field("elementnumberofchannels").is_some_and(|n| n != "1") {
        return unsupported("it has several values per voxel");
    }
    if field("headersize").is_some_and(|n| n != "0") {
        return unsupported("its HeaderSize moves the voxels");
    }
    // MetaIO would assume a spacing of 1.
    wanted("elementspacing")?;
    let packing = if field("compresseddata").is_some_and(is_true) { Packing::Zlib } else { Packing::Raw };
    let (size, voxel_bytes) =
        (size(wanted("ndims")?, wanted("dimsize")?)?, voxel_bytes(wanted("elementtype")?)?);
    Ok(Claims { size, voxel_bytes, offset, packing, repaired: None })
}

/// MetaIO looks at the first letter.
fn is_true(value: &str) -> bool {
    value.starts_with(['T', 't', '1'])
}

fn size(dimensions: &str, text: &str) -> Result<[u64; 3], Fault> {
    let sizes = sizes(text)?;
    // MetaIO keeps ten sizes and does not check that there are no more.
    if dimensions != sizes.len().to_string() || !(1..=4).contains(&sizes.len()) {
        return bad(format!("NDims is {dimensions}, DimSize {sizes:?}"));
    }
    one_frame(&sizes)
}

/// Normalised fields, and how many bytes they take.
fn fields(bytes: &[u8]) -> Result<(HashMap<String, String>, u64), Fault> {
    let mut fields = HashMap::new();
    let mut rest = bytes;
    while !fields.contains_key("elementdatafile") {
        let (line, after) = next_line(rest)?;
        rest = after;
        let Some((name, value)) = line.split_once('=') else {
            return bad(format!("\"{line}\" is no field of a MetaImage"));
        };
        if fields.insert(normal(name), value.trim().to_owned()).is_some() {
            return bad(format!("the field \"{}\" is there twice", name.trim()));
        }
    }
    Ok((fields, (bytes.len() - rest.len()) as u64))
}

fn voxel_bytes(name: &str) -> Result<u64, Fault> {
    Ok(match name {
        "MET_CHAR" | "MET_UCHAR" => 1,
        "MET_SHORT" | "MET_USHORT" => 2,
        "MET_INT" | "MET_UINT" | "MET_FLOAT" => 4,
        "MET_DOUBLE" => 8,
        other => return unsupported(format!("its voxels are of type {other}, which is not read")),
    })
}
