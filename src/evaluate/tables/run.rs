//! All variants of a table, one after the other; finished ones are not trained again.

use super::budget::{Budget, SET_SEED};
use super::variant::{Outcome, Places, Variant};
use super::{Row, Table};
use crate::evaluate::EvaluateError;
use crate::infer::{DeviceChoice, DeviceError, ModelError};
use crate::network::NetworkError;
use crate::train::dataset::DatasetError;
use crate::train::phantom::{self, ExportError, Format, PhantomConfig, PhantomOptions};
use crate::train::{Event, TrainError, loss};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tch::nn::{self, ModuleT, OptimizerConfig};
use tch::{Device, Kind, Tensor};
use thiserror::Error;

/// Edge of every spine's cube, so that all cost alike.
const FIELD_MM: f64 = 205.0;

/// What happens, for progress bars.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Spines made of all.
    Spine(u64, u64),
    /// A variant begins: how many are done, of how many, and which it is.
    Variant {
        /// Variants finished.
        done: usize,
        /// Variants in all.
        total: usize,
        /// The row's name.
        name: &'static str,
        /// Its seed.
        seed: u64,
    },
    /// Training goes on.
    Train(Event),
    /// Test volumes measured of all.
    Measured(usize, usize),
}

/// Why a table could not be made.
#[derive(Debug, Error)]
pub enum TablesError {
    /// The spines could not be made.
    #[error(transparent)]
    Phantom(#[from] ExportError),
    /// The set cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A variant could not be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A trained variant could not be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A variant could not be measured.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A network cannot be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// libtorch failed.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
    /// The page could not be laid out.
    #[error("the page: {0}")]
    Page(#[from] minijinja::Error),
    /// A file could not be written.
    #[error("{path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl TablesError {
    pub(super) fn write(path: &Path, reason: impl Display) -> Self {
        Self::Write { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Trains and measures what is missing; outcomes come row by row, seed by seed.
pub fn run(
    table: Table,
    budget: &Budget,
    places: &Places,
    device: &DeviceChoice,
    on: &mut dyn FnMut(Progress),
) -> Result<Vec<Outcome>, TablesError> {
    std::fs::create_dir_all(&places.kept).map_err(|e| TablesError::write(&places.kept, e))?;
    make_spines(budget, places, on)?;
    let rows = table.rows(budget);
    let total = rows.len() * budget.seeds as usize;
    let mut outcomes = Vec::with_capacity(total);
    for row in &rows {
        for seed in 0..budget.seeds {
            let variant = Variant { table, row, seed, budget };
            on(Progress::Variant { done: outcomes.len(), total, name: row.name, seed });
            let outcome = match variant.kept(places) {
                Some(outcome) => outcome,
                None => variant.run(places, device, on)?,
            };
            outcomes.push(outcome);
        }
    }
    Ok(outcomes)
}

/// The set is made once; the same seed always gives the same spines.
fn make_spines(budget: &Budget, places: &Places, on: &mut dyn FnMut(Progress)) -> Result<(), TablesError> {
    if places.set.join(phantom::export::INDEX_FILE).is_file() {
        return Ok(());
    }
    let config = PhantomConfig {
        seed: SET_SEED,
        spacing_mm: Some([budget.spacing_mm; 3]),
        field_mm: Some(FIELD_MM),
        prevalence: budget.prevalence,
        ..PhantomConfig::default()
    };
    let options = PhantomOptions {
        config,
        first: 0,
        count: budget.phantoms,
        out: places.set.clone(),
        formats: vec![Format::Nifti],
    };
    phantom::run(&options, |done| on(Progress::Spine(done, budget.phantoms)))?;
    Ok(())
}

/// About how long the trainings will take: a step of every missing variant is timed on noise.
/// Validation adds a third, as a pass without its way back costs a third of a step.
pub fn estimate(
    table: Table,
    budget: &Budget,
    places: &Places,
    device: Device,
) -> Result<Duration, TablesError> {
    let slices = budget.slices_per_epoch.unwrap_or(budget.phantoms as usize * 40);
    let steps = (budget.epochs * slices.div_ceil(budget.batch)) as f64;
    let mut seconds = 0.0;
    for row in &table.rows(budget) {
        let missing = (0..budget.seeds)
            .filter(|seed| Variant { table, row, seed: *seed, budget }.kept(places).is_none())
            .count();
        if missing > 0 {
            seconds += missing as f64 * steps * 4.0 / 3.0 * step_seconds(row, budget, device)?;
        }
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// The second step's time: the first one also sets libtorch up.
fn step_seconds(row: &Row, budget: &Budget, device: Device) -> Result<f64, TablesError> {
    let store = nn::VarStore::new(device);
    let network = row.architecture.build(&store.root())?;
    let mut optimizer = nn::Adam::default().build(&store, 1e-3)?;
    let side = budget.tile_vox as i64;
    let noise = Tensor::rand([budget.batch as i64, 1, side, side], (Kind::Float, device));
    let mut step = || {
        let started = Instant::now();
        let loss = loss::bce_dice(&network.forward_t(&noise, true), &noise.gt(0.9).to_kind(Kind::Float), 0.0);
        optimizer.backward_step(&loss);
        // Reading a value waits until a GPU is done.
        let _ = loss.double_value(&[]);
        started.elapsed().as_secs_f64()
    };
    step();
    Ok(step())
}
