//! Training: the paper's recipe on pairs of CT and fracture mask.
//!
//! Adam, learning rate 1e-3, batch 16, at most 150 epochs, stop after 5 without improvement, learning
//! rate × 0.4 on a plateau (paper, section "Model Training Parameters"); all of it can be changed.
//! The weights that did best on the validation patients are the ones kept.

pub mod augment;
pub mod dataset;
pub mod graft;
mod graft_frame;
pub mod loss;
pub mod phantom;
pub mod sampler;

use crate::infer::{ModelConfig, WEIGHTS_FILE};
use crate::monitor::Monitor;
use crate::network::{Network, NetworkError, StoredAs, WeightsError, prefer_channels_last, save_weights};
use augment::Augment;
use dataset::{DatasetError, Entry, Patient, Split};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use sampler::{Sampler, SliceRef};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;
use tch::nn::{self, ModuleT, OptimizerConfig};
use tch::{Device, Kind, Tensor};
use thiserror::Error;

/// What to train on and how.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Folder with `index.csv`.
    pub set: PathBuf,
    /// Folder that receives `config.json`, `weights.safetensors`, `split.json` and `log.csv`.
    pub output: PathBuf,
    /// Network, plane, spacing and window.
    pub model: ModelConfig,
    /// Most epochs.
    pub epochs: usize,
    /// Slices per step.
    pub batch: usize,
    /// Adam's first learning rate.
    pub learning_rate: f64,
    /// Epochs without improvement before training stops.
    pub stop_patience: usize,
    /// Epochs without improvement before the learning rate falls.
    pub plateau_patience: usize,
    /// What the learning rate is multiplied by then.
    pub plateau_factor: f64,
    /// Most slices per epoch; all positives and as many negatives when absent.
    pub slices_per_epoch: Option<usize>,
    /// Orders, crops, augmentation and initial weights.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
}

/// What happens during training, for a progress bar.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Patients prepared of all.
    Loaded(usize, usize),
    /// Step of an epoch: epoch, step, steps, mean loss so far.
    Step(usize, usize, usize, f64),
    /// An epoch ended.
    Epoch(Epoch),
}

/// One line of `log.csv`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Mean validation loss.
    pub validation_loss: f64,
    /// Pooled Dice similarity coefficient over the validation slices, threshold 0.5.
    pub dsc: f64,
    /// Pooled intersection over union; always DSC / (2 − DSC).
    pub iou: f64,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
    /// Wall time.
    pub seconds: f64,
}

/// Why training failed.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The set is unusable.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// No training or validation slice shows a fracture.
    #[error(
        "the {part} patients have {positive} slices with a fracture and {negative} without; both are needed"
    )]
    NothingToLearn {
        /// "training" or "validation".
        part: &'static str,
        /// Slices with a fracture.
        positive: usize,
        /// Slices with bone only.
        negative: usize,
    },
    /// The configuration makes no network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The weights could not be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// libtorch failed.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
    /// An output file could not be written.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log could not be written.
    #[error("log.csv: {0}")]
    Log(#[from] csv::Error),
}

/// Trains a network and leaves the best weights in `options.output`.
pub fn run(options: &TrainOptions, on: &mut dyn FnMut(Event)) -> Result<Vec<Epoch>, TrainError> {
    let split = dataset::split(&options.set, options.seed)?;
    write_text(options, "split.json", &split_json(&split))?;
    let patients = load(options, &split.train, &split, 0, on)?;
    let held_out = load(options, &split.validation, &split, split.train.len(), on)?;
    let train = sampler("training", &patients, options)?;
    let validation = sampler("validation", &held_out, options)?;
    tch::manual_seed(options.seed as i64);
    let vs = nn::VarStore::new(options.device);
    let network = options.model.architecture.build(&vs.root())?;
    prefer_channels_last(&vs);
    let mut optimizer = nn::Adam::default().build(&vs, options.learning_rate)?;
    let mut rng = ChaCha12Rng::seed_from_u64(options.seed);
    let fixed = {
        let mut rng = ChaCha12Rng::seed_from_u64(options.seed ^ 1);
        validation.epoch(options.slices_per_epoch, &mut rng)
    };
    let mut plateau = Plateau::new(options);
    let mut log = csv::Writer::from_path(options.output.join("log.csv"))?;
    let mut epochs = Vec::new();
    for epoch in 1..=options.epochs {
        let started = Instant::now();
        let order = train.epoch(options.slices_per_epoch, &mut rng);
        let mut pass = Pass { network: &network, optimizer: &mut optimizer, options, epoch };
        let loss = pass.train(&train, &order, &mut rng, on);
        let scores = validate(&network, &validation, &fixed, options);
        let line = Epoch {
            epoch,
            loss,
            validation_loss: scores.loss,
            dsc: scores.dsc(),
            iou: scores.dsc() / (2.0 - scores.dsc()),
            learning_rate: plateau.learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        };
        log.serialize(line)?;
        log.flush().map_err(|source| TrainError::Write { path: "log.csv".into(), source })?;
        on(Event::Epoch(line));
        epochs.push(line);
        match plateau.after(scores.loss) {
            Verdict::Best => save_weights(&vs, &options.output.join(WEIGHTS_FILE), StoredAs::F32)?,
            Verdict::Worse => optimizer.set_lr(plateau.learning_rate),
            Verdict::Stop => break,
        }
    }
    Ok(epochs)
}

fn sampler<'a>(
    part: &'static str,
    patients: &'a [Patient],
    options: &TrainOptions,
) -> Result<Sampler<'a>, TrainError> {
    let sampler = Sampler::new(patients, options.model.plane, options.model.tile_vox);
    match sampler.counts() {
        [positive, negative] if positive == 0 || negative == 0 => {
            Err(TrainError::NothingToLearn { part, positive, negative })
        }
        _ => Ok(sampler),
    }
}

fn load(
    options: &TrainOptions,
    entries: &[Entry],
    split: &Split,
    before: usize,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<Patient>, TrainError> {
    let total = split.train.len() + split.validation.len();
    let recipe = options.model.recipe();
    let mut patients = Vec::with_capacity(entries.len());
    for (n, entry) in entries.iter().enumerate() {
        patients.push(dataset::load(entry, &recipe, &Monitor::default())?);
        on(Event::Loaded(before + n + 1, total));
    }
    Ok(patients)
}

fn split_json(split: &Split) -> String {
    let ids = |part: &[Entry]| part.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
    let parts = serde_json::json!({
        "train": ids(&split.train), "validation": ids(&split.validation), "test": ids(&split.test),
    });
    format!("{parts:#}\n")
}

fn write_text(options: &TrainOptions, name: &str, text: &str) -> Result<(), TrainError> {
    let path = options.output.join(name);
    std::fs::create_dir_all(&options.output)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|source| TrainError::Write { path, source })
}

/// One run over an epoch's slices.
struct Pass<'a> {
    network: &'a Network,
    optimizer: &'a mut nn::Optimizer,
    options: &'a TrainOptions,
    epoch: usize,
}

impl Pass<'_> {
    fn train(
        &mut self,
        sampler: &Sampler,
        order: &[SliceRef],
        rng: &mut ChaCha12Rng,
        on: &mut dyn FnMut(Event),
    ) -> f64 {
        let steps = order.len().div_ceil(self.options.batch);
        let mut sum = 0.0;
        for (n, slices) in order.chunks(self.options.batch).enumerate() {
            let (ct, mask) = sampler.batch(slices, rng);
            let (ct, mask) = Augment::default().apply(&ct, &mask, rng);
            let device = self.options.device;
            let logits = self.network.forward_t(&ct.to_device(device), true);
            let loss = loss::bce_dice(&logits, &mask.to_device(device));
            self.optimizer.backward_step(&loss);
            sum += loss.double_value(&[]);
            on(Event::Step(self.epoch, n + 1, steps, sum / (n + 1) as f64));
        }
        sum / steps.max(1) as f64
    }
}

/// Sums over validation slices.
struct Scores {
    loss: f64,
    both: f64,
    either: f64,
}

impl Scores {
    /// Pooled over all slices; 1 when neither holds anything.
    fn dsc(&self) -> f64 {
        if self.either > 0.0 { 2.0 * self.both / self.either } else { 1.0 }
    }
}

fn validate(network: &Network, sampler: &Sampler, slices: &[SliceRef], options: &TrainOptions) -> Scores {
    // The same crops every epoch, or the loss would jump for no reason of the network's.
    let mut rng = ChaCha12Rng::seed_from_u64(options.seed ^ 2);
    let mut scores = Scores { loss: 0.0, both: 0.0, either: 0.0 };
    tch::no_grad(|| {
        for part in slices.chunks(options.batch) {
            let (ct, mask) = sampler.batch(part, &mut rng);
            let mask = mask.to_device(options.device);
            let logits = network.forward_t(&ct.to_device(options.device), false);
            let weight = part.len() as f64 / slices.len() as f64;
            scores.loss += loss::bce_dice(&logits, &mask).double_value(&[]) * weight;
            let found = logits.gt(0.0).to_kind(Kind::Float);
            let sum = |t: &Tensor| t.sum(Kind::Double).double_value(&[]);
            scores.both += sum(&(&found * &mask));
            scores.either += sum(&found) + sum(&mask);
        }
    });
    scores
}

/// What an epoch's validation loss means.
enum Verdict {
    Best,
    Worse,
    Stop,
}

/// Learning rate and stop, steered by the validation loss.
struct Plateau<'a> {
    options: &'a TrainOptions,
    learning_rate: f64,
    best: f64,
    since_best: usize,
}

impl<'a> Plateau<'a> {
    /// Below this the steps change nothing.
    const LOWEST: f64 = 1e-6;

    fn new(options: &'a TrainOptions) -> Self {
        Self { options, learning_rate: options.learning_rate, best: f64::INFINITY, since_best: 0 }
    }

    fn after(&mut self, loss: f64) -> Verdict {
        if loss < self.best {
            (self.best, self.since_best) = (loss, 0);
            return Verdict::Best;
        }
        self.since_best += 1;
        if self.since_best >= self.options.stop_patience {
            return Verdict::Stop;
        }
        if self.since_best.is_multiple_of(self.options.plateau_patience) {
            self.learning_rate = (self.learning_rate * self.options.plateau_factor).max(Self::LOWEST);
        }
        Verdict::Worse
    }
}
