//! Where and how the network runs, alike for every command that runs it.

use crate::infer::{DeviceChoice, Place, Precision};
use clap::{Args, ValueEnum};

/// Flags about the processor.
#[derive(Debug, Clone, Args)]
pub struct Compute {
    /// auto, cpu or cuda:N
    #[arg(long, default_value = "auto", env = "SPINEFX_DEVICE")]
    pub device: Place,
    /// Number format [default: the model's]
    #[arg(long)]
    precision: Option<Format>,
    /// CPU threads [default: every core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Fp32,
    Bf16,
}

impl Compute {
    /// The choice that a model is loaded with.
    pub fn choice(&self) -> DeviceChoice {
        let precision = self.precision.map(|format| match format {
            Format::Fp32 => Precision::Fp32,
            Format::Bf16 => Precision::Bf16,
        });
        DeviceChoice { place: self.device, precision, threads: self.threads }
    }
}
