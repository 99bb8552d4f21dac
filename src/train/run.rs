//! A run from its first or from any later step to its end.

use super::adam::Adam;
use super::adversarial::Adversary;
use super::checkpoint::{self, CHECKPOINT_FILE, Checkpoint, Learners, Progress, exact_values};
use super::error::TrainError;
use super::event::{Event, Step};
use super::log::{self, Epoch};
use super::options::{Start, TrainOptions, differences};
use super::plateau::{Plateau, Verdict};
use super::random::{Purpose, generator, seed_torch};
use super::sampler::{Sampler, SliceRef};
use super::sums::Sums;
use super::{curves, loss};
use crate::infer::{Precision, WEIGHTS_FILE};
use crate::network::{
    Network, StoredAs, WeightsError, prefer_channels_last, save_tensors, start_from, to_bfloat16,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use tch::nn::{self, ModuleT};
use tch::{Kind, Tensor};

/// What a run learns from and is judged by.
pub struct Slices<'a> {
    /// Training patients.
    pub train: Sampler<'a>,
    /// Validation patients.
    pub validation: Sampler<'a>,
    /// SHA-256 of both.
    pub sha256: String,
}

/// A network in training.
pub struct Run<'a> {
    options: &'a TrainOptions,
    slices: Slices<'a>,
    /// The same in every epoch, or the validation loss would jump for no reason of the network's.
    fixed: Vec<SliceRef>,
    network: Network,
    store: nn::VarStore,
    adam: Adam,
    adversary: Option<Adversary>,
    progress: Progress,
}

/// The run that `options.output` holds, if it is to go on; an error if something there would be lost.
pub fn unfinished(options: &TrainOptions) -> Result<Option<Checkpoint>, TrainError> {
    let output = options.output.clone();
    if options.start == Start::Overwrite {
        for name in [CHECKPOINT_FILE, WEIGHTS_FILE] {
            remove(&output.join(name))?;
        }
        return Ok(None);
    }
    let Some(checkpoint) = Checkpoint::read(&output)? else {
        let model = output.join(WEIGHTS_FILE).exists();
        return if model { Err(TrainError::TrainedModel { output }) } else { Ok(None) };
    };
    let Progress { epoch, step, stopped, .. } = checkpoint.progress;
    match options.start {
        Start::Resume => {
            let differences = differences(&checkpoint.progress.options, &options.decisive());
            if differences.is_empty() {
                return Ok(Some(checkpoint));
            }
            Err(TrainError::OtherRun { output, differences })
        }
        _ if stopped || epoch > options.epochs => Err(TrainError::TrainedModel { output }),
        _ => Err(TrainError::UnfinishedRun { output, epoch, step }),
    }
}

fn remove(path: &Path) -> Result<(), TrainError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn beginning(options: &TrainOptions, slices: &Slices) -> Progress {
    Progress {
        options: options.decisive(),
        data_sha256: slices.sha256.clone(),
        epoch: 1,
        step: 0,
        sums: Sums::default(),
        seconds: 0.0,
        adam_steps: 0,
        adversary_steps: 0,
        plateau: Plateau::new(options.adam.learning_rate),
        log: Vec::new(),
        stopped: false,
    }
}

impl<'a> Run<'a> {
    /// A network with its first weights, or with those of `options.init`.
    pub fn new(options: &'a TrainOptions, slices: Slices<'a>) -> Result<Self, TrainError> {
        seed_torch(&mut generator(options.seed, Purpose::Weights, 0, 0));
        let store = nn::VarStore::new(options.device);
        let network = options.model.architecture.build(&store.root())?;
        if let Some(path) = &options.init {
            let failed = |source| TrainError::Read { path: path.clone(), source };
            start_from(&store, &std::fs::read(path).map_err(failed)?)?;
        }
        prefer_channels_last(&store);
        // Adam keeps the 32-bit tensors; the network then gets rounded ones.
        let adam = Adam::new(&store, options.adam);
        if options.precision == Precision::Bf16 {
            to_bfloat16(&store);
        }
        seed_torch(&mut generator(options.seed, Purpose::Adversary, 0, 0));
        let width = options.model.architecture.width();
        let adversary = options.adversary().map(|strength| Adversary::new(width, strength, options.device));
        let mut rng = generator(options.seed, Purpose::Validation, 0, 0);
        let fixed = slices.validation.epoch(options.slices_per_epoch, &mut rng);
        let progress = beginning(options, &slices);
        Ok(Self { options, slices, fixed, network, store, adam, adversary, progress })
    }

    /// Takes up a run where its checkpoint left it.
    pub fn go_on(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        if checkpoint.progress.data_sha256 != self.slices.sha256 {
            let differences = vec!["the training and validation volumes have changed".to_owned()];
            return Err(TrainError::OtherRun { output: self.options.output.clone(), differences });
        }
        let (store, adam, adversary) = (&self.store, &mut self.adam, self.adversary.as_mut());
        checkpoint.restore(&mut Learners { store, adam, adversary })?;
        self.progress = checkpoint.progress.clone();
        self.publish()
    }

    /// Trains to the end and returns the log.
    pub fn finish(mut self, on: &mut dyn FnMut(Event)) -> Result<Vec<Epoch>, TrainError> {
        // Even before the first step: from here on the folder holds a run, whatever happens.
        self.save()?;
        on(Event::Start(self.progress.epoch, self.progress.step));
        while !self.progress.stopped && self.progress.epoch <= self.options.epochs {
            self.epoch(on)?;
        }
        Ok(self.progress.log)
    }

    fn epoch(&mut self, on: &mut dyn FnMut(Event)) -> Result<(), TrainError> {
        let (options, epoch) = (self.options, self.progress.epoch);
        let (started, before) = (Instant::now(), self.progress.seconds);
        let mut saved = Instant::now();
        let mut rng = generator(options.seed, Purpose::Order, epoch, 0);
        let order = self.slices.train.epoch(options.slices_per_epoch, &mut rng);
        let steps = order.len().div_ceil(options.batch);
        for slices in order.chunks(options.batch).skip(self.progress.step) {
            self.set_learning_rate(steps);
            self.step(slices)?;
            self.progress.step += 1;
            self.progress.seconds = before + started.elapsed().as_secs_f64();
            on(Event::Step(Step::of(&self.progress, steps, options.epochs)));
            if saved.elapsed() >= options.checkpoint_every && self.progress.step < steps {
                self.save()?;
                saved = Instant::now();
            }
        }
        let scores = self.validate()?;
        self.progress.seconds = before + started.elapsed().as_secs_f64();
        on(Event::Epoch(self.close(&scores)?));
        Ok(())
    }

    /// The rate of the coming step, where it does not depend on the validation loss.
    fn set_learning_rate(&mut self, steps: usize) {
        let (options, Progress { epoch, step, .. }) = (self.options, &self.progress);
        let part = ((epoch - 1) as f64 + *step as f64 / steps as f64) / options.epochs as f64;
        let (first, lowest) = (options.adam.learning_rate, options.plateau.lowest);
        if let Some(rate) = options.schedule.learning_rate(first, lowest, part) {
            self.adam.learning_rate = rate;
        }
    }

    /// One step of Adam over `slices`, in `options.accumulate` passes.
    fn step(&mut self, slices: &[SliceRef]) -> Result<(), TrainError> {
        let options = self.options;
        let mut rng = generator(options.seed, Purpose::Step, self.progress.epoch, self.progress.step);
        seed_torch(&mut rng);
        self.adam.zero_gradients();
        let mut shown = Vec::new();
        for part in slices.chunks(options.batch.div_ceil(options.accumulate)) {
            let (ct, mask) = self.slices.train.batch(part, &mut rng);
            let (ct, mask) = options.augment.apply(&ct, &mask, &mut rng);
            let (logits, mask) = (self.forward(&ct, true), mask.to_device(options.device));
            let loss = loss::bce_dice(&logits, &mask, options.foreground_share);
            let value = self.finite(loss.double_value(&[]))?;
            let whole = match &self.adversary {
                Some(adversary) => {
                    let probabilities = logits.to_kind(Kind::Float).sigmoid();
                    shown.push((probabilities.detach(), mask.shallow_clone()));
                    loss + adversary.against(&probabilities)
                }
                None => loss,
            };
            (whole * (part.len() as f64 / slices.len() as f64)).backward();
            self.progress.sums.add(value, &logits, &mask);
        }
        self.adam.step()?;
        if let Some(adversary) = &mut self.adversary {
            let loss = adversary.discriminate(&shown)?;
            self.finite(loss)?;
        }
        Ok(())
    }

    fn forward(&self, ct: &Tensor, train: bool) -> Tensor {
        let kind = match self.options.precision {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        self.network.forward_t(&ct.to_device(self.options.device).to_kind(kind), train)
    }

    fn finite(&self, loss: f64) -> Result<f64, TrainError> {
        let Progress { epoch, step, .. } = self.progress;
        if loss.is_finite() { Ok(loss) } else { Err(TrainError::Diverged { epoch, step: step + 1 }) }
    }

    fn validate(&self) -> Result<Sums, TrainError> {
        let options = self.options;
        let mut rng = generator(options.seed, Purpose::ValidationCrops, 0, 0);
        let mut sums = Sums::default();
        let _guard = tch::no_grad_guard();
        for part in self.fixed.chunks(options.batch.div_ceil(options.accumulate)) {
            let (ct, mask) = self.slices.validation.batch(part, &mut rng);
            let (logits, mask) = (self.forward(&ct, false), mask.to_device(options.device));
            let loss = loss::bce_dice(&logits, &mask, options.foreground_share);
            let loss = self.finite(loss.double_value(&[]))?;
            sums.add(loss, &logits, &mask);
        }
        Ok(sums)
    }

    /// Ends an epoch. The weights are written before the checkpoint: a run that is killed in between
    /// computes the epoch's end again and writes the same weights again.
    fn close(&mut self, scores: &Sums) -> Result<Epoch, TrainError> {
        let line = Epoch {
            epoch: self.progress.epoch,
            loss: self.progress.sums.mean_loss(),
            validation_loss: scores.mean_loss(),
            dsc: scores.dsc(),
            iou: scores.iou(),
            learning_rate: self.adam.learning_rate,
            seconds: self.progress.seconds,
        };
        self.progress.log.push(line);
        match self.progress.plateau.after(line.validation_loss, &self.options.plateau) {
            Verdict::Best => self.save_best()?,
            Verdict::Worse => self.adam.learning_rate = self.progress.plateau.learning_rate,
            Verdict::Stop => self.progress.stopped = self.options.schedule.stops_early(),
        }
        self.progress.epoch += 1;
        (self.progress.step, self.progress.seconds) = (0, 0.0);
        self.progress.sums = Sums::default();
        self.save()?;
        self.publish()?;
        Ok(line)
    }

    fn save_best(&self) -> Result<(), WeightsError> {
        let values = exact_values(&self.store, &self.adam);
        save_tensors(&values, BTreeMap::new(), &self.options.output.join(WEIGHTS_FILE), StoredAs::F32)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let (store, adam, adversary) = (&self.store, &mut self.adam, self.adversary.as_mut());
        let learners = Learners { store, adam, adversary };
        checkpoint::save(&self.options.output, &mut self.progress, &learners)
    }

    fn publish(&self) -> Result<(), TrainError> {
        log::write(&self.options.output, &self.progress.log)?;
        Ok(curves::draw(&self.options.output, &self.progress.log)?)
    }
}
