//! The networks that the paper compares with: B×1×H×W in [−1, 1] → B×1×H×W logits.
//!
//! | file | network | source | parameters |
//! |---|---|---|---|
//! | `unet` | U-Net | Ronneberger 2015 | 31,036,481 |
//! | `unet_pp` | U-Net++ | Zhou 2018 | 9,159,204 |
//! | `fcn8s` | FCN-8s on VGG-16 | Long 2015 | 134,268,774 |
//! | `segnet` | SegNet on VGG-16 | Badrinarayanan 2017 | 29,470,977 |
//! | `deeplab` | DeepLabv3+ on ResNet-50 | Chen 2018 | 26,671,057 |
//! | `spinegan` | SpineGAN's generator and discriminator | Han 2018 | 1,635,425 and 537,057 |
//!
//! They read one channel and answer one logit per pixel. All have batch normalisation, 'same' padding
//! and random first weights, as the paper's own network has, so that a comparison is one of shapes and
//! not of pretraining; a head starts at a bias of −3 in all of them. Every number of channels follows
//! the first stage's, so that a small budget can compare small ones.

mod deeplab;
mod fcn8s;
mod layers;
mod segnet;
mod spinegan;
mod unet;
mod unet_pp;

pub use deeplab::DeepLab;
pub use fcn8s::Fcn8s;
pub use segnet::SegNet;
pub use spinegan::{Discriminator, SpineGan};
pub use unet::UNet;
pub use unet_pp::UNetPlusPlus;

use super::config::NetworkError;
use serde::{Deserialize, Serialize};

/// A baseline's shape: all its channels follow from those of the first stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseWidth<const PUBLISHED: i64> {
    /// Channels of the first stage: a multiple of 4 from 4 to 256. The default is the published one.
    #[serde(default = "BaseWidth::<PUBLISHED>::published")]
    pub width: i64,
}

impl<const PUBLISHED: i64> Default for BaseWidth<PUBLISHED> {
    fn default() -> Self {
        Self { width: PUBLISHED }
    }
}

impl<const PUBLISHED: i64> BaseWidth<PUBLISHED> {
    fn published() -> i64 {
        PUBLISHED
    }

    /// The published width, or another.
    pub fn new(width: Option<i64>) -> Self {
        Self { width: width.unwrap_or(PUBLISHED) }
    }

    /// Refuses what cannot be built.
    pub fn check(&self) -> Result<(), NetworkError> {
        NetworkError::check_width(self.width, 4)
    }
}
