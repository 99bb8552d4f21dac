//! How a mask is cut from the probabilities, alike for every command that makes one for a request.

use crate::pipeline::Options;
use clap::Args;

/// Flags about the mask.
#[derive(Debug, Clone, Args)]
pub struct Mask {
    /// Probability from which a voxel is fracture, 0 to 1 [default: the model's]
    #[arg(long, value_name = "P")]
    threshold: Option<f32>,
    /// Smallest finding in mm³ [default: the model's]
    #[arg(long, value_name = "MM3")]
    minimum_component: Option<f64>,
    /// Accept uneven slice spacing and gantry tilt by resampling onto an even grid
    #[arg(long)]
    resample_uneven: bool,
}

impl Mask {
    /// Options of a request that asks for no output yet.
    pub fn options(&self) -> Options {
        Options {
            threshold: self.threshold,
            minimum_component_mm3: self.minimum_component,
            resample_uneven: self.resample_uneven,
            ..Options::default()
        }
    }
}
