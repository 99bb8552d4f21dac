//! NRRD headers (teem's "Definition of NRRD File Format"): `field: value` lines up to an empty one.

use super::{Claims, Fault, Packing, bad, next_line, normal, one_frame, sizes, unsupported};
use std::collections::HashMap;

pub(super) fn claims(bytes: &[u8]) -> Result<Claims, Fault> {
    let (fields, offset) = fields(bytes)?;
    let field = |name: &str| fields.get(name).map(String::as_str);
    let wanted = |name: &str| field(name).map_or_else(|| bad(format!("it has no field \"{name}\"")), Ok);
    if field("datafile").is_some() {
        return unsupported("its voxels are in another file");
    }
    for name in ["lineskip", "byteskip"] {
        if field(name).is_some_and(|skip| skip != "0") {
            return unsupported(format!("it has a {name}"));
        }
    }
    let packing = match normal(wanted("encoding")?).as_str() {
        "raw" => Packing::Raw,
        "gzip" | "gz" => Packing::Gzip,
        other => return unsupported(format!("its encoding is {other}, not raw or gzip")),
    };
    let size = size(wanted("dimension")?, wanted("sizes")?)?;
    let voxel_bytes = voxel_bytes(wanted("type")?)?;
    check_place(&fields)?;
    Ok(Claims { size, voxel_bytes, offset, packing, repaired: None })
}

fn size(dimension: &str, text: &str) -> Result<[u64; 3], Fault> {
    let sizes = sizes(text)?;
    if dimension != sizes.len().to_string() {
        return bad(format!("its dimension is {dimension}, its sizes are {sizes:?}"));
    }
    if sizes.len() != 3 {
        return unsupported(format!("its sizes are {sizes:?}, not those of one volume"));
    }
    one_frame(&sizes)
}

/// Normalised fields, and how many bytes they take.
fn fields(bytes: &[u8]) -> Result<(HashMap<String, String>, u64), Fault> {
    let (magic, mut rest) = next_line(bytes)?;
    if !magic.starts_with("NRRD000") {
        return bad("it has no NRRD header");
    }
    let mut fields = HashMap::new();
    loop {
        let (line, after) = next_line(rest)?;
        rest = after;
        if line.is_empty() {
            return Ok((fields, (bytes.len() - rest.len()) as u64));
        }
        // "key:=value" is a comment to programs, as "#" is to people.
        if line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return bad(format!("\"{line}\" is no field"));
        };
        if value.starts_with('=') {
            continue;
        }
        if fields.insert(normal(name), value.trim().to_owned()).is_some() {
            return bad(format!("the field \"{name}\" is there twice"));
        }
    }
}

fn voxel_bytes(name: &str) -> Result<u64, Fault> {
    Ok(match normal(name).as_str() {
        "signedchar" | "int8" | "int8_t" | "uchar" | "unsignedchar" | "uint8" | "uint8_t" => 1,
        "short" | "shortint" | "signedshort" | "signedshortint" | "int16" | "int16_t" | "ushort"
        | "unsignedshort" | "unsignedshortint" | "uint16" | "uint16_t" => 2,
        "int" | "signedint" | "int32" | "int32_t" | "uint" | "unsignedint" | "uint32" | "uint32_t"
        | "float" => 4,
        "double" => 8,
        other => return unsupported(format!("its voxels are of type {other}, which is not read")),
    })
}

fn check_place(fields: &HashMap<String, String>) -> Result<(), Fault> {
    match fields.get("space").map(|space| normal(space)).as_deref() {
        Some("left-posterior-superior" | "lps" | "right-anterior-superior" | "ras") => {}
        // ITK 5 reads left-anterior-superior with the wrong axis negated, and others without any.
        Some(other) => return unsupported(format!("its space is {other}, not LPS or RAS")),
        None => return unsupported("no field \"space\" says where the voxels are"),
    }
    for name in ["spacedirections", "spaceorigin"] {
        if !fields.contains_key(name) {
            return unsupported(format!("no field \"{name}\" says where the voxels are"));
        }
    }
    match fields.get("spaceunits") {
        Some(units) if units.split_whitespace().any(|unit| unit.trim_matches('"') != "mm") => {
            unsupported(format!("its unit of length is {units}, not mm"))
        }
        _ => Ok(()),
    }
}
