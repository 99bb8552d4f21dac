//! UIDs of a segmentation, from what it is: the same mask of the same series by the same weights has the
//! same ones. A request that is repeated then stores what the archive has already.

use super::elements::uid_of;
use super::seg::Algorithm;
use super::source::SourceSeries;
use crate::volume::Volume;
use sha2::{Digest, Sha256};

/// What identifies one segmentation object.
#[derive(Debug, PartialEq)]
pub(super) struct Uids {
    pub series: String,
    pub instance: String,
    pub dimensions: String,
}

impl Uids {
    /// * `mask`: every value but 0 counts as 1, as in the object itself.
    pub fn of(mask: &Volume<u8>, source: &SourceSeries, algorithm: &Algorithm) -> Self {
        let mut all = Sha256::new();
        // The length before each text: "ab", "c" must not be "a", "bc".
        let mut add = |text: &str| {
            all.update((text.len() as u64).to_le_bytes());
            all.update(text);
        };
        let Algorithm { name, version, weights_sha256 } = algorithm;
        for text in [&source.series_instance_uid, name, version, weights_sha256] {
            add(text);
        }
        source.frames.iter().for_each(|frame| add(&frame.sop_instance_uid));
        add(&format!("{:?}", mask.grid().size()));
        for voxels in mask.voxels().chunks(1 << 16) {
            let bits: Vec<u8> = voxels.iter().map(|voxel| u8::from(*voxel != 0)).collect();
            all.update(&bits);
        }
        let content = hex::encode(all.finalize());
        let uid = |of: &str| uid_of(&format!("segmentation {of} {content}"));
        Self { series: uid("series"), instance: uid("instance"), dimensions: uid("dimensions") }
    }
}
