//! Where a model runs, and in which number format.

use super::config::Precision;
use std::str::FromStr;
use tch::{Cuda, Device};
use thiserror::Error;

/// A processor to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The first GPU if libtorch sees one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU by number.
    Cuda(usize),
}

/// What a user may choose about running a model. The default lets the model and the machine decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceChoice {
    /// Processor.
    pub place: Place,
    /// Number format; `None`: the model's own, but fp32 on a CPU without bf16 instructions, where
    /// emulation makes it slower.
    pub precision: Option<Precision>,
    /// CPU threads; `None`: every core.
    pub threads: Option<usize>,
}

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// Not a device's name.
    #[error("{found:?} is no device: write auto, cpu, cuda or cuda:N")]
    Name {
        /// What was given.
        found: String,
    },
    /// libtorch does not see that GPU.
    #[error("cuda:{wanted} was asked for, but libtorch sees {seen} GPU(s)")]
    NoSuchGpu {
        /// Its number.
        wanted: usize,
        /// How many there are.
        seen: usize,
    },
}

impl FromStr for Place {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Name { found: name.to_owned() };
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = name.strip_prefix("cuda:").ok_or_else(unknown)?;
                number.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl DeviceChoice {
    /// The device that the choice means on this machine.
    pub fn device(&self) -> Result<Device, DeviceError> {
        // libtorch may throw where the driver is broken; a machine without usable GPU has none.
        let seen = std::panic::catch_unwind(|| if Cuda::is_available() { Cuda::device_count() } else { 0 })
            .map_or(0, |count| count.max(0) as usize);
        match self.place {
            Place::Cpu => Ok(Device::Cpu),
            Place::Auto if seen == 0 => Ok(Device::Cpu),
            Place::Auto => Ok(Device::Cuda(0)),
            Place::Cuda(wanted) if wanted < seen => Ok(Device::Cuda(wanted)),
            Place::Cuda(wanted) => Err(DeviceError::NoSuchGpu { wanted, seen }),
        }
    }

    /// The number format to use for a model that prefers `own`.
    pub fn precision(&self, own: Precision, device: Device) -> Precision {
        match self.precision {
            Some(chosen) => chosen,
            None if device == Device::Cpu && !cpu_has_bf16() => Precision::Fp32,
            None => own,
        }
    }

    /// How many threads of the CPU to use.
    pub fn thread_count(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or(cores).clamp(1, 1024)
    }

    /// Sets libtorch's thread count for the calling thread.
    pub fn set_threads(&self) {
        libtorch_threads(self.thread_count());
    }
}

/// How many threads libtorch may use for the work of the calling one. Asking first matters: at its first
/// work, libtorch gives a thread the number that any thread has set last.
pub(super) fn libtorch_threads(count: usize) {
    let _ = tch::get_num_threads();
    tch::set_num_threads(count as i32);
}

#[cfg(target_arch = "x86_64")]
fn cpu_has_bf16() -> bool {
    std::arch::is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_has_bf16() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!("auto".parse(), Ok(Place::Auto));
        assert_eq!("cuda".parse(), Ok(Place::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(Place::Cuda(3)));
        for bad in ["", "gpu", "cuda:", "cuda:-1", "CPU"] {
            assert_eq!(bad.parse::<Place>(), Err(DeviceError::Name { found: bad.into() }));
        }
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error() {
        let choice = DeviceChoice { place: Place::Cuda(4096), ..DeviceChoice::default() };
        assert!(matches!(choice.device(), Err(DeviceError::NoSuchGpu { wanted: 4096, .. })));
    }

    #[test]
    fn the_users_precision_wins() {
        let choice = DeviceChoice { precision: Some(Precision::Bf16), ..DeviceChoice::default() };
        assert_eq!(choice.precision(Precision::Fp32, Device::Cpu), Precision::Bf16);
        assert_eq!(DeviceChoice::default().precision(Precision::Fp32, Device::Cpu), Precision::Fp32);
    }
}
