//! One forward pass.

use super::config::{ModelConfig, Precision};
use super::model::InferError;
use crate::network::{Network, NetworkError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tch::{Device, Kind, Tensor};

/// What a pass needs to know beside the network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    tile_vox: [usize; 2],
    channels: usize,
    batch: usize,
    device: Device,
    kind: Kind,
}

impl Pass {
    pub fn new(config: &ModelConfig, device: Device, precision: Precision) -> Self {
        let kind = match precision {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        let channels = config.architecture.channels();
        Self { tile_vox: config.tile_vox, channels, batch: config.batch, device, kind }
    }

    /// `tiles` holds a batch of tiles of the model's size, one after the other, each with its neighbours,
    /// and becomes their probabilities.
    pub fn forward(self, network: &Network, tiles: &mut Vec<f32>) -> Result<(), InferError> {
        let Self { tile_vox: [rows, columns], channels, batch, device, kind } = self;
        let pass = || -> Result<Result<(), NetworkError>, tch::TchError> {
            let _guard = tch::no_grad_guard();
            let shape = [batch as i64, channels as i64, rows as i64, columns as i64];
            let input = Tensor::f_from_slice(tiles)?.f_view(shape)?.f_to_device(device)?;
            let logits = match network.logits(&input.f_to_kind(kind)?, false) {
                Ok(logits) => logits,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let answer = logits.f_to_kind(Kind::Float)?.f_sigmoid()?.f_to_device(Device::Cpu)?;
            let count = batch * rows * columns;
            tiles.truncate(count);
            answer.f_contiguous()?.f_copy_data(tiles, count)?;
            Ok(Ok(()))
        };
        match guard_torch(AssertUnwindSafe(pass)) {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(error)) => Err(with_size(from_torch(&error.to_string()), batch, [rows, columns])),
            Err(error) => Err(with_size(error, batch, [rows, columns])),
        }
    }
}

/// Runs code that panics where libtorch throws, and makes an error of it.
pub(super) fn guard_torch<T>(work: impl FnOnce() -> T) -> Result<T, InferError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        from_torch(text.unwrap_or("a panic without message"))
    })
}

/// libtorch's exceptions carry a C++ backtrace after the first line; only that line is kept.
fn from_torch(message: &str) -> InferError {
    let signs = ["out of memory", "can't allocate memory", "not enough memory"];
    let exhausted = signs.iter().any(|sign| message.contains(sign));
    let line = message.split("\\n").next().unwrap_or_default().lines().next().unwrap_or_default();
    let reason = line.to_owned();
    if exhausted {
        InferError::OutOfMemory { batch: 0, rows: 0, columns: 0, reason }
    } else {
        InferError::Torch { reason }
    }
}

fn with_size(error: InferError, batch: usize, [rows, columns]: [usize; 2]) -> InferError {
    match error {
        InferError::OutOfMemory { reason, .. } => InferError::OutOfMemory { batch, rows, columns, reason },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_libtorch_exception_becomes_an_error() {
        let failed =
            guard_torch(|| Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).matmul(&Tensor::from(1)));
        assert!(matches!(failed, Err(InferError::Torch { .. })), "{failed:?}");
    }

    #[test]
    fn exhausted_memory_is_recognised() {
        // Four exabytes: no machine has them, and libtorch says so without touching any.
        let failed = guard_torch(|| Tensor::zeros([1 << 60], (Kind::Float, Device::Cpu)));
        let error = with_size(failed.unwrap_err(), 3, [16, 32]);
        assert!(
            matches!(&error, InferError::OutOfMemory { batch: 3, rows: 16, columns: 32, .. }),
            "{error:?}"
        );
    }
}
