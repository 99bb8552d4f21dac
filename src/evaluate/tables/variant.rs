//! One network trained from one seed, and what it reached; kept as JSON so that it is trained once.

use super::budget::Budget;
use super::machine;
use super::run::{Progress, TablesError};
use super::{Row, Table};
use crate::evaluate::{Case, EvaluateOptions, Overlap, run as evaluate};
use crate::infer::{DeviceChoice, Model, Precision};
use crate::monitor::Monitor;
use crate::network::Architecture;
use crate::overlay::Overlay;
use crate::train::augment::Augment;
use crate::train::dataset::DataOptions;
use crate::train::{
    self, AdamOptions, AdversaryOptions, PlateauOptions, Schedule, Start, TrainOptions, dataset,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a variant reached on the test patients of its split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The row's name.
    pub name: String,
    /// Split, order and first weights.
    pub seed: u64,
    /// What it was trained with; another budget makes another outcome.
    pub budget: Budget,
    /// The network.
    pub architecture: Architecture,
    /// Losses it learnt from ([`TrainOptions::losses`]).
    pub losses: String,
    /// Trainable values.
    pub parameters: usize,
    /// What it was trained on: processor and its threads, and the device.
    pub machine: String,
    /// Epochs until it stopped.
    pub epochs: usize,
    /// Wall time of training.
    pub train_seconds: f64,
    /// Wall time of segmenting and measuring the test patients.
    pub evaluate_seconds: f64,
    /// Every test volume.
    pub volumes: Vec<VolumeOutcome>,
}

/// One test volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeOutcome {
    /// Patient.
    pub id: String,
    /// Its voxels.
    pub overlap: Overlap,
}

/// Where variants are trained and where their outcomes stay.
#[derive(Debug, Clone)]
pub struct Places {
    /// The synthetic spines.
    pub set: PathBuf,
    /// A folder for each training.
    pub work: PathBuf,
    /// Outcomes and pictures, inside `out`.
    pub kept: PathBuf,
    /// The page.
    pub out: PathBuf,
}

/// A row at a seed.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'a> {
    /// Which table.
    pub table: Table,
    /// Which network.
    pub row: &'a Row,
    /// Which seed.
    pub seed: u64,
    /// For how long.
    pub budget: &'a Budget,
}

impl Variant<'_> {
    /// `u-net-0`: safe as a file's and a model's name.
    pub fn slug(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name = self.row.name.replace('+', "p");
        format!("{}-{}", name.chars().map(plain).collect::<String>(), self.seed)
    }

    /// The outcome of an earlier run with the same budget and network.
    pub fn kept(&self, places: &Places) -> Option<Outcome> {
        let text = std::fs::read_to_string(self.file(places)).ok()?;
        let outcome: Outcome = serde_json::from_str(&text).ok()?;
        let same = outcome.budget == *self.budget && outcome.architecture == self.row.architecture;
        same.then_some(outcome)
    }

    /// Trains, measures and keeps.
    pub fn run(
        &self,
        places: &Places,
        device: &DeviceChoice,
        on: &mut dyn FnMut(Progress),
    ) -> Result<Outcome, TablesError> {
        let folder = places.work.join(self.table.name()).join(self.slug());
        let started = Instant::now();
        let options = self.options(&folder, places, device)?;
        let epochs = train::run(&options, &mut |event| on(Progress::Train(event)))?;
        let train_seconds = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let model = Model::load(&folder, device)?;
        let volumes = self.measure(&model, places, on)?;
        let outcome = Outcome {
            name: self.row.name.to_owned(),
            seed: self.seed,
            budget: *self.budget,
            architecture: self.row.architecture.clone(),
            losses: options.losses(),
            parameters: model.parameters(),
            machine: machine::describe(options.device),
            epochs: epochs.len(),
            train_seconds,
            evaluate_seconds: started.elapsed().as_secs_f64(),
            volumes,
        };
        let json = serde_json::to_string_pretty(&outcome).map_err(|e| TablesError::write(&places.kept, e))?;
        let path = self.file(places);
        std::fs::write(&path, json + "\n").map_err(|e| TablesError::write(&path, e))?;
        Ok(outcome)
    }

    fn file(&self, places: &Places) -> PathBuf {
        places.kept.join(self.slug()).with_extension("json")
    }

    fn options(
        &self,
        folder: &Path,
        places: &Places,
        device: &DeviceChoice,
    ) -> Result<TrainOptions, TablesError> {
        Ok(TrainOptions {
            data: DataOptions { path: places.set.clone(), labels: Vec::new(), split: None },
            output: folder.to_owned(),
            // An outcome that counts is kept elsewhere: what lies here is of another budget or unfinished.
            start: Start::Overwrite,
            model: self.budget.model(&self.slug(), self.row.architecture.clone()),
            init: None,
            epochs: self.budget.epochs,
            batch: self.budget.batch,
            accumulate: 1,
            adam: AdamOptions::default(),
            schedule: Schedule::default(),
            plateau: PlateauOptions::default(),
            foreground_share: 0.0,
            adversary: AdversaryOptions::default(),
            slices_per_epoch: self.budget.slices_per_epoch,
            augment: Augment::default(),
            seed: self.seed,
            device: device.device()?,
            precision: Precision::Fp32,
            checkpoint_every: Duration::from_secs(3600),
        })
    }

    fn measure(
        &self,
        model: &Model,
        places: &Places,
        on: &mut dyn FnMut(Progress),
    ) -> Result<Vec<VolumeOutcome>, TablesError> {
        let test = dataset::split(&places.set, self.seed)?.test;
        let cases: Vec<Case> = test.into_iter().map(Case::from).collect();
        let mut shown: Option<Vec<Overlay>> = None;
        let report = evaluate(
            model,
            &cases,
            &EvaluateOptions::default(),
            &Monitor::default(),
            &mut |done, volume, pictures| {
                // The page shows the first seed's.
                if self.seed == 0 && shown.is_none() && volume.is_fractured() {
                    shown = Some(pictures);
                }
                on(Progress::Measured(done, cases.len()));
            },
        )?;
        for picture in shown.into_iter().flatten() {
            let path = places.kept.join(format!("{}-{}", self.slug(), picture.name));
            std::fs::write(&path, picture.png).map_err(|e| TablesError::write(&path, e))?;
        }
        let outcome = |v: crate::evaluate::VolumeScore| VolumeOutcome { id: v.id, overlap: v.overlap };
        Ok(report.volumes.into_iter().map(outcome).collect())
    }
}
