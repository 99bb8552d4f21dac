//! A run in one file: weights, Adam's moments, the adversary's of both, and where the run stands. It is replaced in one piece,
//! so that a run which is killed at any moment leaves a whole one.

use super::adam::Adam;
use super::adversarial::Adversary;
use super::error::TrainError;
use super::exact;
use super::log::{self, Epoch};
use super::plateau::Plateau;
use super::sums::Sums;
use crate::network::{StoredAs, WeightsError, save_tensors};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Kind, Tensor, nn};

/// Name of the file in the output folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

const KEY: &str = "spinefx.progress";

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What the weights depend on.
    pub options: BTreeMap<String, String>,
    /// SHA-256 of the prepared training and validation volumes.
    pub data_sha256: String,
    /// The epoch in course, from 1.
    pub epoch: usize,
    /// Its steps already made.
    pub step: usize,
    /// What they summed up to.
    pub sums: Sums,
    /// Its wall time so far.
    #[serde(with = "exact")]
    pub seconds: f64,
    /// Adam's steps.
    pub adam_steps: u64,
    /// Those of the adversary's Adam; 0 without an adversary.
    #[serde(default)]
    pub adversary_steps: u64,
    /// Learning rate and best validation loss.
    pub plateau: Plateau,
    /// Epochs behind it.
    #[serde(with = "log::text")]
    pub log: Vec<Epoch>,
    /// Whether the validation loss ended the run.
    pub stopped: bool,
}

/// The network's variables as they are to be stored: exact values where it computes in bfloat16.
pub fn exact_values(store: &nn::VarStore, adam: &Adam) -> BTreeMap<String, Tensor> {
    let mut values: BTreeMap<String, Tensor> = store.variables().into_iter().collect();
    values.extend(adam.values().map(|(name, value)| (name.to_owned(), value.shallow_clone())));
    values
}

/// What changes while a run trains, apart from its [`Progress`].
pub struct Learners<'a> {
    /// The network's variables.
    pub store: &'a nn::VarStore,
    /// Its optimiser.
    pub adam: &'a mut Adam,
    /// What it learns against, if anything.
    pub adversary: Option<&'a mut Adversary>,
}

impl Learners<'_> {
    /// Every tensor by its name in the file. They share the learners' memory: filling them restores.
    fn tensors(&self) -> BTreeMap<String, Tensor> {
        let variables = self.store.variables().into_iter();
        let mut tensors: BTreeMap<String, Tensor> =
            variables.map(|(name, value)| (format!("value.{name}"), value)).collect();
        tensors.extend(self.adam.state().map(|(name, tensor)| (name, tensor.shallow_clone())));
        let adversary = self.adversary.iter().flat_map(|adversary| adversary.adam().state());
        tensors.extend(adversary.map(|(name, tensor)| (format!("adversary.{name}"), tensor.shallow_clone())));
        tensors
    }
}

/// Replaces the checkpoint in `folder`; the learners' steps go into `progress`.
pub fn save(folder: &Path, progress: &mut Progress, learners: &Learners) -> Result<(), TrainError> {
    progress.adam_steps = learners.adam.steps;
    progress.adversary_steps = learners.adversary.as_ref().map_or(0, |adversary| adversary.adam().steps);
    let tensors = learners.tensors();
    let text = serde_json::to_string(progress).map_err(TrainError::Json)?;
    let about = BTreeMap::from([(KEY.to_owned(), text)]);
    Ok(save_tensors(&tensors, about, &folder.join(CHECKPOINT_FILE), StoredAs::F32)?)
}

/// A checkpoint's bytes, and where the run stood.
pub struct Checkpoint {
    bytes: Vec<u8>,
    /// Where the run stood.
    pub progress: Progress,
}

impl Checkpoint {
    /// Reads the checkpoint of `folder`; `None` when there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, TrainError> {
        let path = folder.join(CHECKPOINT_FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Read { path, source }),
        };
        let damaged = |reason: String| TrainError::DamagedCheckpoint { path: path.clone(), reason };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
        let text = header.metadata().as_ref().and_then(|about| about.get(KEY));
        let text = text.ok_or_else(|| damaged("it is no checkpoint of spinefx".into()))?;
        let progress = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
        Ok(Some(Self { bytes, progress }))
    }

    /// Puts the stored values, moments and steps into learners of the same architecture.
    pub fn restore(&self, learners: &mut Learners) -> Result<(), TrainError> {
        let damaged = |e: safetensors::SafeTensorError| WeightsError::Damaged {
            bytes: self.bytes.len(),
            reason: e.to_string(),
        };
        let file = SafeTensors::deserialize(&self.bytes).map_err(damaged)?;
        let _guard = tch::no_grad_guard();
        // A variable of less than 32 bits is no part of the file as such: its exact value fills it.
        for (name, mut variable) in learners.store.variables() {
            fill(&file, &format!("value.{name}"), &mut variable)?;
        }
        for (name, mut tensor) in learners.tensors() {
            fill(&file, &name, &mut tensor)?;
        }
        learners.adam.steps = self.progress.adam_steps;
        learners.adam.learning_rate = self.progress.plateau.learning_rate;
        if let Some(adversary) = &mut learners.adversary {
            adversary.adam_mut().steps = self.progress.adversary_steps;
        }
        Ok(())
    }
}

fn fill(file: &SafeTensors, name: &str, into: &mut Tensor) -> Result<(), TrainError> {
    let tensor = name.to_owned();
    let view = file.tensor(name).map_err(|_| WeightsError::Missing { tensor: tensor.clone() })?;
    let found: Vec<i64> = view.shape().iter().map(|n| *n as i64).collect();
    if found != into.size() {
        return Err(WeightsError::Shape { tensor, expected: into.size(), found }.into());
    }
    if view.dtype() != Dtype::F32 {
        return Err(WeightsError::Stored { tensor, found: format!("{:?}", view.dtype()) }.into());
    }
    into.f_copy_(&Tensor::f_from_data_size(view.data(), &found, Kind::Float)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::adam::AdamOptions;
    use tch::Device;

    fn parts() -> (nn::VarStore, Tensor, Adam) {
        let store = nn::VarStore::new(Device::Cpu);
        let weight = store.root().var("w", &[2, 3], nn::Init::Const(0.3));
        let _ = store.root().zeros_no_train("running", &[2]);
        let adam = Adam::new(&store, AdamOptions::default());
        (store, weight, adam)
    }

    fn step(weight: &Tensor, adam: &mut Adam) {
        adam.zero_gradients();
        (weight.sin() * weight).sum(Kind::Float).backward();
        adam.step().unwrap();
    }

    fn progress() -> Progress {
        Progress {
            options: BTreeMap::new(),
            data_sha256: String::new(),
            epoch: 2,
            step: 7,
            sums: Sums { loss: 0.1 + 0.2, ..Sums::default() },
            seconds: 1.0 / 3.0,
            adam_steps: 3,
            adversary_steps: 0,
            plateau: Plateau::new(4e-4),
            log: Vec::new(),
            stopped: false,
        }
    }

    #[test]
    fn a_restored_run_goes_on_to_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let (store, weight, mut adam) = parts();
        adam.learning_rate = 4e-4;
        (0..3).for_each(|_| step(&weight, &mut adam));
        let mut stored = progress();
        save(dir.path(), &mut stored, &Learners { store: &store, adam: &mut adam, adversary: None }).unwrap();
        (0..3).for_each(|_| step(&weight, &mut adam));
        let (other, resumed, mut again) = parts();
        let checkpoint = Checkpoint::read(dir.path()).unwrap().unwrap();
        assert_eq!(checkpoint.progress, progress());
        let mut learners = Learners { store: &other, adam: &mut again, adversary: None };
        checkpoint.restore(&mut learners).unwrap();
        (0..3).for_each(|_| step(&resumed, &mut again));
        assert!(weight.equal(&resumed));
    }

    #[test]
    fn damage_is_told_from_absence() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Checkpoint::read(dir.path()).unwrap().is_none());
        std::fs::write(dir.path().join(CHECKPOINT_FILE), b"half a file").unwrap();
        let error = Checkpoint::read(dir.path()).err().unwrap();
        assert!(matches!(error, TrainError::DamagedCheckpoint { .. }), "{error}");
    }
}
