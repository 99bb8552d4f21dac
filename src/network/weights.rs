//! Checkpoints: safetensors with PyTorch's names.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tch::{Kind, Tensor, nn};
use thiserror::Error;

/// PyTorch counts batches in every batch normalisation; nothing here needs the counter.
const IGNORED_SUFFIX: &str = ".num_batches_tracked";

/// Why weights cannot be read or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error("{path}: {reason}")]
    Io {
        /// Which file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The bytes are no safetensors file: truncated, or its header contradicts itself.
    #[error("the weights are no whole safetensors file ({bytes} bytes): {reason}")]
    Damaged {
        /// The file's length.
        bytes: usize,
        /// What is wrong.
        reason: String,
    },
    /// The network has a tensor that the file lacks.
    #[error("the weights lack {tensor}")]
    Missing {
        /// The tensor's name.
        tensor: String,
    },
    /// The file holds a tensor that the network has not.
    #[error("the weights hold {tensor}, which this architecture does not have")]
    Superfluous {
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor has another shape.
    #[error("{tensor} has shape {found:?} in the weights, {expected:?} in the network")]
    Shape {
        /// The tensor's name.
        tensor: String,
        /// The network's.
        expected: Vec<i64>,
        /// The file's.
        found: Vec<i64>,
    },
    /// A tensor is stored as something other than f32, f16 or bf16.
    #[error("{tensor} is stored as {found}: only F32, F16 and BF16 are read")]
    Stored {
        /// The tensor's name.
        tensor: String,
        /// The file's number format.
        found: String,
    },
    /// A tensor holds NaN or infinity, or a variance below 0.
    #[error("{tensor} holds a value that no trained network has (NaN, infinity or a variance below 0)")]
    Value {
        /// The tensor's name.
        tensor: String,
    },
    /// libtorch failed.
    #[error("{tensor}: {reason}")]
    Torch {
        /// The tensor's name.
        tensor: String,
        /// libtorch's message.
        reason: String,
    },
}

/// The number format of a written checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredAs {
    /// Exact.
    F32,
    /// Half the size; rounds to 11 significant bits.
    F16,
}

/// Number of trainable values.
pub fn parameter_count(store: &nn::VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

/// Gives every convolution kernel channels-last strides, and thereby every map that it produces,
/// which is what libtorch's CPU kernels are quickest with, in fp32 as in bf16, forward as backward.
/// Values and names do not change.
pub fn prefer_channels_last(store: &nn::VarStore) {
    for mut variable in store.variables().into_values().filter(|v| v.dim() == 4) {
        let strided = variable.detach().permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        variable.set_data(&strided);
    }
}

/// Lets the variables of `to` use the values in memory of those of `from`, a store of the same network.
/// Panics where it is another's: a variable would keep its random values.
pub fn share_weights(from: &nn::VarStore, to: &nn::VarStore) {
    let values = from.variables();
    for (name, mut variable) in to.variables() {
        variable.set_data(&values[&name].detach());
    }
}

/// Makes the network compute in bfloat16. Batch normalisation stays fp32: libtorch mixes the two, and
/// its statistics lose nothing.
pub fn to_bfloat16(store: &nn::VarStore) {
    for (name, mut variable) in store.variables() {
        if !name.rsplit('.').any(|part| part == "bn") {
            variable.set_data(&variable.to_kind(Kind::BFloat16));
        }
    }
}

/// Fills every variable of `store` from a safetensors file's bytes; nothing changes on an error.
pub fn load_weights(store: &nn::VarStore, bytes: &[u8]) -> Result<(), WeightsError> {
    load(store, bytes, |values, _| values)
}

/// As [`load_weights`], but a kernel that reads one channel also starts one that reads several: beside its
/// middle one, which gets the kernel, they count for nothing yet. A network that reads neighbouring slices
/// then begins with the answers of one that does not.
pub fn start_from(store: &nn::VarStore, bytes: &[u8]) -> Result<(), WeightsError> {
    load(store, bytes, |values, expected| match (values.size().as_slice(), expected) {
        (&[out, 1, rows, columns], &[wanted, channels, r, c]) if [out, rows, columns] == [wanted, r, c] => {
            let wide = Tensor::zeros(expected, (Kind::Float, values.device()));
            wide.narrow(1, channels / 2, 1).copy_(&values);
            wide
        }
        _ => values,
    })
}

/// `fit`: a tensor of the file → what is wanted of it, given the shape that the network has for it.
fn load(
    store: &nn::VarStore,
    bytes: &[u8],
    fit: impl Fn(Tensor, &[i64]) -> Tensor,
) -> Result<(), WeightsError> {
    let damaged =
        |e: safetensors::SafeTensorError| WeightsError::Damaged { bytes: bytes.len(), reason: e.to_string() };
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let variables: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
    let mut names: Vec<&str> = file.names();
    names.sort_unstable();
    for name in names {
        if !variables.contains_key(name) && !name.ends_with(IGNORED_SUFFIX) {
            return Err(WeightsError::Superfluous { tensor: name.to_owned() });
        }
    }
    let mut ready = Vec::with_capacity(variables.len());
    for (name, variable) in variables {
        let view = file.tensor(&name).map_err(|_| WeightsError::Missing { tensor: name.clone() })?;
        let (values, expected) = (decode(&name, &view)?, variable.size());
        let values = fit(values, &expected);
        if values.size() != expected {
            return Err(WeightsError::Shape { tensor: name, expected, found: values.size() });
        }
        ready.push((name, variable, values));
    }
    let _guard = tch::no_grad_guard();
    for (name, mut variable, values) in ready {
        variable.f_copy_(&values).map_err(|e| torch(&name, &e))?;
    }
    Ok(())
}

fn decode(name: &str, view: &TensorView) -> Result<Tensor, WeightsError> {
    let tensor = name.to_owned();
    let found: Vec<i64> = view.shape().iter().map(|n| *n as i64).collect();
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        other => return Err(WeightsError::Stored { tensor, found: format!("{other:?}") }),
    };
    let read = || {
        let values = Tensor::f_from_data_size(view.data(), &found, kind)?.f_to_kind(Kind::Float)?;
        let mut sound = values.f_isfinite()?.f_all()?.f_int64_value(&[])? == 1;
        if name.ends_with(".running_var") {
            sound &= values.f_ge(0.0)?.f_all()?.f_int64_value(&[])? == 1;
        }
        Ok((values, sound))
    };
    let (values, sound) = read().map_err(|e| torch(name, &e))?;
    if sound { Ok(values) } else { Err(WeightsError::Value { tensor }) }
}

/// Writes every variable of `store`, running statistics included, whole or not at all.
pub fn save_weights(store: &nn::VarStore, path: &Path, stored: StoredAs) -> Result<(), WeightsError> {
    save_tensors(&store.variables().into_iter().collect(), BTreeMap::new(), path, stored)
}

/// Writes tensors and texts about them as a safetensors file, whole or not at all: to a new file beside
/// `path`, which then takes its place.
pub fn save_tensors(
    tensors: &BTreeMap<String, Tensor>,
    about: BTreeMap<String, String>,
    path: &Path,
    stored: StoredAs,
) -> Result<(), WeightsError> {
    let encoded: Result<Vec<_>, WeightsError> = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), Encoded::new(name, tensor, stored)?)))
        .collect();
    let failed = |reason: String| WeightsError::Io { path: path.display().to_string(), reason };
    let about = (!about.is_empty()).then(|| about.into_iter().collect());
    let bytes = safetensors::serialize(encoded?, about).map_err(|e| failed(e.to_string()))?;
    replace_file(path, &bytes).map_err(|e| failed(e.to_string()))
}

/// Puts a new file in an old one's place so that whoever looks, even after the power failed, finds
/// either of them whole.
pub fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The first failure is the one to report, whether or not the rest can be removed.
        let _ = std::fs::remove_file(&part);
        return written;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// A variable's values in row-major order, as safetensors wants them.
struct Encoded {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Encoded {
    fn new(name: &str, variable: &Tensor, stored: StoredAs) -> Result<Self, WeightsError> {
        let (kind, dtype) = match stored {
            StoredAs::F32 => (Kind::Float, Dtype::F32),
            StoredAs::F16 => (Kind::Half, Dtype::F16),
        };
        let read = || {
            let values = variable.detach().f_to_device(tch::Device::Cpu)?.f_to_kind(kind)?.f_contiguous()?;
            let mut data = vec![0; values.numel() * kind.elt_size_in_bytes()];
            values.f_copy_data_u8(&mut data, values.numel())?;
            Ok(data)
        };
        let shape = variable.size().iter().map(|n| *n as usize).collect();
        Ok(Self { dtype, shape, data: read().map_err(|e| torch(name, &e))? })
    }
}

impl safetensors::View for Encoded {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

fn torch(tensor: &str, error: &tch::TchError) -> WeightsError {
    WeightsError::Torch { tensor: tensor.to_owned(), reason: error.to_string() }
}
