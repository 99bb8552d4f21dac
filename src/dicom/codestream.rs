//! What a compressed frame says about itself, looked at before a decoder reserves memory for it.

/// Size and depth in a codestream header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub rows: u32,
    pub columns: u32,
    pub bits: u8,
    pub components: u16,
    /// Second byte of the JPEG frame marker (0xC0 baseline … 0xF7 JPEG-LS), 0 for other families.
    pub process: u8,
}

/// The families that differ in their header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Jpeg,
    JpegLs,
    Jpeg2000,
    Rle,
}

/// RLE has 15 segments at most (PS3.5 G.5), one per byte of a pixel.
const RLE_HEADER_BYTES: usize = 64;

/// Reads the header, or says why there is none.
pub(super) fn header(family: Family, bytes: &[u8]) -> Result<Header, &'static str> {
    match family {
        Family::Jpeg | Family::JpegLs => jpeg(bytes),
        Family::Jpeg2000 => jpeg2000(bytes),
        Family::Rle => Err("RLE has no size of its own"),
    }
}

/// Checks that an RLE frame has one segment per byte of a pixel, in order and within the frame.
pub(super) fn check_rle(bytes: &[u8], segments: usize) -> Result<(), &'static str> {
    let head = bytes.get(..RLE_HEADER_BYTES).ok_or("its RLE header is cut short")?;
    let word = |n: usize| head[4 * n..4 * n + 4].iter().rev().fold(0, |v, b| (v << 8) | *b as usize);
    if word(0) != segments {
        return Err("its number of RLE segments does not fit the pixel");
    }
    let mut before = RLE_HEADER_BYTES;
    for n in 1..=segments {
        let offset = word(n);
        if offset < before || offset > bytes.len() {
            return Err("an RLE segment lies outside the frame");
        }
        before = offset;
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The frame header (SOFn) of ITU T.81 B.2.2 and T.87 C.2.2. A second one is refused: a decoder might
/// take its size from it.
fn jpeg(bytes: &[u8]) -> Result<Header, &'static str> {
    if bytes.get(..2) != Some(&[0xff, 0xd8]) {
        return Err("it does not begin with a JPEG start marker");
    }
    let (mut at, mut found) = (2, None);
    loop {
        let marker = match bytes.get(at..at + 2) {
            Some([0xff, 0xff]) => {
                at += 1;
                continue;
            }
            Some([0xff, marker]) => *marker,
            _ => return Err("its JPEG headers are cut short or broken"),
        };
        if marker == 0xda {
            return found.ok_or("it has no JPEG frame header");
        }
        let length = word(bytes, at + 2).ok_or("its JPEG headers are cut short")? as usize;
        if is_frame_marker(marker) {
            let read = || -> Option<Header> {
                Some(Header {
                    bits: *bytes.get(at + 4)?,
                    rows: word(bytes, at + 5)?,
                    columns: word(bytes, at + 7)?,
                    components: u16::from(*bytes.get(at + 9)?),
                    process: marker,
                })
            };
            let header = read().ok_or("its JPEG frame header is cut short")?;
            if found.replace(header).is_some() {
                return Err("it has two JPEG frame headers");
            }
        }
        at += 2 + length;
    }
}

fn is_frame_marker(marker: u8) -> bool {
    marker == 0xf7 || (matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc))
}

/// The SIZ marker segment (ITU T.800 A.5.1), also inside a JP2 box, which DICOM forbids and some write.
fn jpeg2000(bytes: &[u8]) -> Result<Header, &'static str> {
    let start = bytes
        .windows(4)
        .position(|window| window == [0xff, 0x4f, 0xff, 0x51])
        .ok_or("it holds no JPEG 2000 codestream")?;
    let read = || -> Option<Header> {
        let siz = start + 4;
        let component = |n: usize| bytes.get(siz + 38 + n).copied();
        let subsampled = (component(1)?, component(2)?) != (1, 1);
        Some(Header {
            columns: long(bytes, siz + 4)?.checked_sub(long(bytes, siz + 12)?)?,
            rows: long(bytes, siz + 8)?.checked_sub(long(bytes, siz + 16)?)?,
            components: u16::try_from(word(bytes, siz + 36)?).ok()?,
            bits: (component(0)? & 0x7f) + 1,
            process: 0,
        })
        .filter(|_| !subsampled)
    };
    read().ok_or("its JPEG 2000 header is cut short or subsampled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_jpeg_frame_header_and_refuses_two() {
        let frame = [0xff, 0xc3, 0, 11, 12, 2, 0, 1, 128, 1, 1, 0x11, 0];
        let scan = [0xff, 0xda, 0, 8];
        let one = [&[0xff, 0xd8][..], &frame, &scan].concat();
        let wanted = Header { rows: 512, columns: 384, bits: 12, components: 1, process: 0xc3 };
        assert_eq!(header(Family::Jpeg, &one), Ok(wanted));
        let two = [&[0xff, 0xd8][..], &frame, &frame, &scan].concat();
        assert!(header(Family::Jpeg, &two).is_err());
        for cut in 0..one.len() - 4 {
            assert!(header(Family::Jpeg, &one[..cut]).is_err());
            assert!(header(Family::Jpeg2000, &one[..cut]).is_err());
        }
    }

    #[test]
    fn an_rle_header_cannot_ask_for_memory() {
        let mut bytes = vec![0; 80];
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(check_rle(&bytes, 2).is_err());
        bytes[..12].copy_from_slice(&[2, 0, 0, 0, 64, 0, 0, 0, 70, 0, 0, 0]);
        assert_eq!(check_rle(&bytes, 2), Ok(()));
        bytes[8] = 200;
        assert!(check_rle(&bytes, 2).is_err());
    }
}
