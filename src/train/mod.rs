//! Training: the paper's recipe on pairs of CT and fracture mask.
//!
//! Adam, learning rate 1e-3, batch 16, at most 150 epochs, stop after 5 without improvement, learning
//! rate × 0.4 on a plateau (paper, section "Model Training Parameters"); all of it can be changed.
//! The weights that did best on the validation patients are the ones kept.
//!
//! A run may be killed at any moment and go on: what a step draws depends on seed, epoch and step alone
//! (`random`), everything else is in one file that is replaced in one piece (`checkpoint`).

pub mod adam;
mod adversarial;
pub mod augment;
mod canvas;
mod checkpoint;
mod curves;
pub mod dataset;
mod discover;
mod error;
mod event;
mod exact;
pub mod graft;
mod graft_frame;
mod load;
mod log;
pub mod loss;
mod options;
pub mod phantom;
pub mod plateau;
mod problem;
mod random;
mod run;
pub mod sampler;
pub mod schedule;
pub mod split;
mod sums;

pub use adam::AdamOptions;
pub use adversarial::AdversaryOptions;
pub use checkpoint::CHECKPOINT_FILE;
pub use curves::{CURVES_FILE, CurvesError};
pub use error::TrainError;
pub use event::{Event, Step};
pub use load::Summary;
pub use log::{Epoch, LOG_FILE};
pub use options::{Start, TrainOptions};
pub use plateau::PlateauOptions;
pub use problem::{Problem, Problems};
pub use schedule::Schedule;

use crate::infer::CONFIG_FILE;
use crate::network::replace_file;
use dataset::Patient;
use load::fingerprint;
use run::{Run, Slices};
use sampler::Sampler;
use split::SPLIT_FILE;

/// Trains a network and leaves the best weights in `options.output`.
pub fn run(options: &TrainOptions, on: &mut dyn FnMut(Event)) -> Result<Vec<Epoch>, TrainError> {
    let unfinished = run::unfinished(options)?;
    let loaded = load::load(&options.data, options.seed, &options.model.recipe(), on)?;
    let slices = Slices {
        train: sampler("training", &loaded.train, options)?,
        validation: sampler("validation", &loaded.validation, options)?,
        sha256: fingerprint(loaded.train.iter().chain(&loaded.validation)),
    };
    let counts = [slices.train.counts(), slices.validation.counts()];
    on(Event::Set(loaded.summary.clone(), counts));
    let mut run = Run::new(options, slices)?;
    write_text(options, SPLIT_FILE, &(loaded.split.to_json().map_err(TrainError::Json)? + "\n"))?;
    write_text(options, CONFIG_FILE, &(options.model.to_json()? + "\n"))?;
    if let Some(checkpoint) = &unfinished {
        run.go_on(checkpoint)?;
    }
    run.finish(on)
}

fn sampler<'a>(
    part: &'static str,
    patients: &'a [Patient],
    options: &TrainOptions,
) -> Result<Sampler<'a>, TrainError> {
    let neighbours = options.model.architecture.neighbours();
    let sampler = Sampler::new(patients, options.model.plane, options.model.tile_vox, neighbours);
    match sampler.counts() {
        [positive, negative] if positive == 0 || negative == 0 => {
            Err(TrainError::NothingToLearn { part, positive, negative })
        }
        _ => Ok(sampler),
    }
}

fn write_text(options: &TrainOptions, name: &str, text: &str) -> Result<(), TrainError> {
    let path = options.output.join(name);
    std::fs::create_dir_all(&options.output)
        .and_then(|()| replace_file(&path, text.as_bytes()))
        .map_err(|source| TrainError::Write { path, source })
}
