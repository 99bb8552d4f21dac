//! The payload, put together from chunks. Memory is taken for bytes that came, never for a claim, and
//! never beyond the limit: not by a header, not by a gzip stream that unpacks to gigabytes.

use super::config::Limits;
use super::error::RequestError;
use super::header::{Payload, voxel_bytes};
use super::pb;
use crate::pipeline::Input;
use crate::volume::{Grid, Volume};
use flate2::write::GzDecoder;
use std::io::{self, Write};

/// A payload that grows.
pub(super) struct Upload {
    payload: Payload,
    gzip: bool,
    /// Bytes of all finished parts.
    before: u64,
    limit: u64,
    instances_limit: u64,
    parts: Vec<Vec<u8>>,
    open: Option<Part>,
    next_part: u32,
}

enum Part {
    Plain(Bounded),
    Gzip(Box<GzDecoder<Bounded>>),
}

/// A buffer that refuses to grow beyond its limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: u64,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() as u64 + more.len() as u64 > self.limit {
            self.full = true;
            return Err(io::Error::other("limit"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Part {
    fn buffer(&self) -> &Bounded {
        match self {
            Self::Plain(buffer) => buffer,
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => buffer.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(buffer) => Ok(buffer.bytes),
            Self::Gzip(decoder) => decoder.finish().map(|buffer| buffer.bytes),
        }
    }
}

impl Upload {
    /// Starts empty. A payload whose length the header tells is held to that, any other to the limit.
    pub(super) fn new(payload: Payload, gzip: bool, limits: &Limits) -> Self {
        let limit = payload.byte_count().unwrap_or(limits.upload_bytes);
        let instances_limit = limits.instances;
        Self { payload, gzip, before: 0, limit, instances_limit, parts: Vec::new(), open: None, next_part: 0 }
    }

    /// Takes a chunk.
    pub(super) fn push(&mut self, chunk: &pb::Chunk) -> Result<(), RequestError> {
        if self.open.is_none() || chunk.part == self.next_part {
            self.begin(chunk.part)?;
        } else if chunk.part.checked_add(1) != Some(self.next_part) {
            return Err(self.part_order(chunk.part));
        }
        let Some(open) = &mut self.open else { return Err(self.part_order(chunk.part)) };
        if let Err(e) = open.write(&chunk.data) {
            let received = self.before + open.buffer().bytes.len() as u64;
            let full = open.buffer().full;
            return Err(if full { self.too_long(received) } else { gzip_error(chunk.part, &e) });
        }
        Ok(())
    }

    fn begin(&mut self, part: u32) -> Result<(), RequestError> {
        let single = !matches!(self.payload, Payload::Dicom { .. });
        if part != self.next_part || (single && part != 0) {
            return Err(self.part_order(part));
        }
        let instances = u64::from(part) + 1;
        if instances > self.instances_limit {
            return Err(RequestError::TooManyInstances { instances, limit: self.instances_limit });
        }
        self.end_part()?;
        let buffer = Bounded { bytes: Vec::new(), limit: self.limit - self.before, full: false };
        self.open =
            Some(if self.gzip { Part::Gzip(Box::new(GzDecoder::new(buffer))) } else { Part::Plain(buffer) });
        self.next_part = part.saturating_add(1);
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), RequestError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let part = self.next_part - 1;
        let bytes = open.finish().map_err(|e| {
            // The last bytes of a gzip stream are unpacked here, so the limit can be hit here too.
            if e.to_string() == "limit" { self.too_long(self.limit) } else { gzip_error(part, &e) }
        })?;
        self.before += bytes.len() as u64;
        self.parts.push(bytes);
        Ok(())
    }

    fn part_order(&self, found: u32) -> RequestError {
        let last = self.next_part.checked_sub(1).map_or_else(|| "none".into(), |last| last.to_string());
        RequestError::PartOrder { last, found }
    }

    fn too_long(&self, received: u64) -> RequestError {
        match self.payload.byte_count() {
            Some(expected) => RequestError::ByteCount { expected, found: expected.max(received) + 1 },
            None => RequestError::UploadTooLarge { bytes: received, limit: self.limit },
        }
    }

    /// Checks the count and makes the pipeline's input. Converting voxels takes a while: not for an async
    /// thread.
    pub(super) fn finish(mut self) -> Result<Input, RequestError> {
        self.end_part()?;
        if let Some(expected) = self.payload.byte_count().filter(|expected| *expected != self.before) {
            return Err(RequestError::ByteCount { expected, found: self.before });
        }
        match self.payload {
            Payload::Raw { grid, voxel } => {
                let bytes = self.parts.pop().unwrap_or_default();
                Ok(Input::Voxels(voxels(grid, voxel, bytes)?))
            }
            Payload::File { format, .. } => {
                Ok(Input::File { format, bytes: self.parts.pop().unwrap_or_default() })
            }
            Payload::Dicom { instances } => {
                let found = self.parts.len() as u64;
                let expected = instances.unwrap_or(found.max(1));
                if found != expected {
                    return Err(RequestError::InstanceCount { expected, found });
                }
                let named = |(n, bytes)| (format!("instance {n}"), bytes);
                Ok(Input::Instances(self.parts.into_iter().enumerate().map(named).collect()))
            }
        }
    }
}

fn gzip_error(part: u32, error: &io::Error) -> RequestError {
    RequestError::Gzip { part, reason: error.to_string() }
}

/// Raw bytes as HU, rounded and clamped to 16 bits.
fn voxels(grid: Grid, voxel: pb::VoxelType, bytes: Vec<u8>) -> Result<Volume<i16>, RequestError> {
    let (clamp_low, clamp_high) = (i32::from(i16::MIN), i32::from(i16::MAX));
    let values: Vec<i16> = match voxel {
        pb::VoxelType::Uint8 => bytes.into_iter().map(i16::from).collect(),
        pb::VoxelType::Uint16 => {
            let clamped = |b| u16::from_le_bytes(b).min(i16::MAX as u16) as i16;
            bytes.as_chunks().0.iter().copied().map(clamped).collect()
        }
        pb::VoxelType::Int32 => {
            let clamped = |b| i32::from_le_bytes(b).clamp(clamp_low, clamp_high) as i16;
            bytes.as_chunks().0.iter().copied().map(clamped).collect()
        }
        pb::VoxelType::Float32 => floats(&bytes)?,
        // Unspecified was refused with the header.
        pb::VoxelType::Int16 | pb::VoxelType::Unspecified => {
            bytes.as_chunks().0.iter().copied().map(i16::from_le_bytes).collect()
        }
    };
    debug_assert!(voxel_bytes(voxel) > 0);
    Ok(Volume::new(grid, values)?)
}

fn floats(bytes: &[u8]) -> Result<Vec<i16>, RequestError> {
    let one = |(index, b): (usize, &[u8; 4])| {
        let value = f32::from_le_bytes(*b);
        // A cast to i16 saturates, which is the clamp.
        if value.is_nan() { Err(RequestError::VoxelNotANumber { index }) } else { Ok(value.round() as i16) }
    };
    bytes.as_chunks().0.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::itk::FileFormat;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    const LIMITS: Limits =
        Limits { message_bytes: 1 << 20, upload_bytes: 1 << 20, voxels: 1 << 20, instances: 3 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn chunk(part: u32, data: &[u8]) -> pb::Chunk {
        pb::Chunk { part, data: data.to_vec().into() }
    }

    fn raw(voxel: pb::VoxelType, bytes: &[u8]) -> Result<Vec<i16>, RequestError> {
        let n = bytes.len() / voxel_bytes(voxel) as usize;
        let grid = Grid::axis_aligned([n, 1, 1], [1.0; 3], [0.0; 3]).unwrap();
        let mut upload = Upload::new(Payload::Raw { grid, voxel }, false, &LIMITS);
        // Three bytes at a time: chunks need not end where voxels do.
        for piece in bytes.chunks(3) {
            upload.push(&chunk(0, piece))?;
        }
        let Input::Voxels(volume) = upload.finish()? else { panic!("not voxels") };
        Ok(volume.into_parts().1)
    }

    #[test]
    fn every_voxel_type_becomes_hu() {
        let i32s: Vec<u8> = [-70_000_i32, -5, 70_000].iter().flat_map(|v| v.to_le_bytes()).collect();
        let f32s: Vec<u8> = [-1024.4_f32, 0.6, 1e9].iter().flat_map(|v| v.to_le_bytes()).collect();
        let nan: Vec<u8> = [0.0, f32::NAN].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(raw(pb::VoxelType::Uint8, &[0, 200]).unwrap(), [0, 200]);
        assert_eq!(raw(pb::VoxelType::Int16, &[0xff, 0xff, 1, 2]).unwrap(), [-1, 0x201]);
        assert_eq!(raw(pb::VoxelType::Uint16, &[0xff, 0xff, 1, 2]).unwrap(), [i16::MAX, 0x201]);
        assert_eq!(raw(pb::VoxelType::Int32, &i32s).unwrap(), [i16::MIN, -5, i16::MAX]);
        assert_eq!(raw(pb::VoxelType::Float32, &f32s).unwrap(), [-1024, 1, i16::MAX]);
        assert_eq!(raw(pb::VoxelType::Float32, &nan), Err(RequestError::VoxelNotANumber { index: 1 }));
    }

    #[test]
    fn a_gzip_bomb_takes_no_more_memory_than_the_header_allows() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let payload = Payload::File { format: FileFormat::Nrrd, bytes: 1000 };
        let mut upload = Upload::new(payload, true, &LIMITS);
        assert_eq!(
            upload.push(&chunk(0, &bomb)),
            Err(RequestError::ByteCount { expected: 1000, found: 1001 })
        );
        assert!(upload.open.unwrap().buffer().bytes.capacity() <= 1 << 16);

        let mut upload = Upload::new(Payload::Dicom { instances: None }, true, &LIMITS);
        assert!(matches!(upload.push(&chunk(0, &bomb)), Err(RequestError::UploadTooLarge { .. })));
    }

    #[test]
    fn gzip_parts_unpack_and_a_cut_one_is_refused() {
        let parts = [vec![7; 5000], (0..=255).collect::<Vec<u8>>()];
        let mut upload = Upload::new(Payload::Dicom { instances: Some(2) }, true, &LIMITS);
        for (n, part) in parts.iter().enumerate() {
            for piece in gzip(part).chunks(10) {
                upload.push(&chunk(n as u32, piece)).unwrap();
            }
        }
        let Input::Instances(found) = upload.finish().unwrap() else { panic!("not instances") };
        assert_eq!(
            found.iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(),
            parts.iter().collect::<Vec<_>>()
        );

        let mut upload = Upload::new(Payload::Dicom { instances: None }, true, &LIMITS);
        let packed = gzip(&parts[1]);
        upload.push(&chunk(0, &packed[..packed.len() / 2])).unwrap();
        assert!(matches!(upload.finish(), Err(RequestError::Gzip { part: 0, .. })));
    }

    #[test]
    fn parts_come_in_order_and_in_number() {
        let new = |instances| Upload::new(Payload::Dicom { instances }, false, &LIMITS);
        let push_all = |parts: &[u32]| {
            let mut upload = new(None);
            parts.iter().try_for_each(|part| upload.push(&chunk(*part, b"x"))).map(|()| upload)
        };
        assert!(push_all(&[0, 0, 1, 2]).is_ok());
        for bad in [&[1_u32][..], &[0, 2], &[0, 1, 0], &[0, u32::MAX]] {
            assert!(matches!(push_all(bad), Err(RequestError::PartOrder { .. })), "{bad:?}");
        }
        assert!(matches!(push_all(&[0, 1, 2, 3]), Err(RequestError::TooManyInstances { .. })));
        assert!(matches!(new(None).finish(), Err(RequestError::InstanceCount { expected: 1, found: 0 })));
        assert!(matches!(new(Some(2)).finish(), Err(RequestError::InstanceCount { expected: 2, found: 0 })));
    }
}
