//! Artifacts on their way to the client: packed, counted, hashed and cut into chunks.

use super::pb;
use crate::pipeline::Artifact;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::bytes::Bytes;
use sha2::{Digest, Sha256};
use std::io::Write as _;

/// Largest chunk of an output.
pub(super) const CHUNK: usize = 1 << 20;
/// Media type of the raw outputs, the only ones that are not packed already.
const RAW: &str = "application/octet-stream";

/// An output and its bytes.
pub(super) struct Packed {
    pub output: pb::Output,
    pub bytes: Bytes,
}

/// Prepares all artifacts. Takes a while: not for an async thread.
pub(super) fn pack(artifacts: Vec<Artifact>, gzip_raw: bool) -> Vec<Packed> {
    artifacts.into_iter().map(|artifact| pack_one(artifact, gzip_raw)).collect()
}

fn pack_one(Artifact { name, media_type, bytes }: Artifact, gzip_raw: bool) -> Packed {
    let zipped = (gzip_raw && media_type == RAW).then(|| gzip(&bytes)).flatten();
    let compression = if zipped.is_some() { pb::Compression::Gzip } else { pb::Compression::Unspecified };
    let bytes = Bytes::from(zipped.unwrap_or(bytes));
    let output = pb::Output {
        name,
        media_type,
        byte_count: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
        compression: compression as i32,
    };
    Packed { output, bytes }
}

/// Writing to memory does not fail; if it did, the bytes would go as they are.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Pieces of an output, sharing its memory. One with no bytes has no chunk.
pub(super) fn chunks(part: u32, mut bytes: Bytes) -> impl Iterator<Item = pb::Chunk> {
    std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| pb::Chunk { part, data: bytes.split_to(bytes.len().min(CHUNK)) })
    })
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
