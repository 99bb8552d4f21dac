//! `spinefx train`: the paper's recipe on a folder of pairs.

mod model;
mod progress;
mod recipe;

use super::compute::Compute;
use super::memory;
use crate::infer::{Precision, WEIGHTS_FILE};
use crate::train::dataset::DataOptions;
use crate::train::{self, Epoch, Start, TrainOptions};
use clap::Args;
use progress::Progress;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Train a model on pairs of CT and mask.
///
/// PATH is a folder with index.csv (columns id, ct, mask [, patient, kinds, repeat]; paths relative to it), such a
/// CSV file itself, or a folder with one sub-folder per patient: ct.nii.gz and fracture.nii.gz (or .nii,
/// .nrrd, .mha), or a DICOM CT series and the DICOM SEG that refers to it. An empty mask is a healthy spine.
///
/// Every pair is checked before the first epoch, and all that is wrong is listed at once. Patients are split 70/10/20 into training, validation and test. The defaults are the
/// paper's: MSFF at width 64, Adam, learning rate 1e-3, batch 16, at most 150 epochs, early stopping.
///
/// A run that was killed goes on with --resume and ends with the very weights it would have had.
#[derive(Debug, Args)]
pub struct Train {
    /// Folder or CSV file with the pairs
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Labels (or segment numbers) that mean fracture [default: 1, and nothing but 0 and 1 is accepted]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    label: Vec<i16>,
    /// Follow a split.json instead of drawing a split
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// Folder for config.json, weights.safetensors, split.json, log.csv, curves.png and the checkpoint
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Go on with the run in the output folder, if there is one
    #[arg(long)]
    resume: bool,
    /// Begin anew, whatever the output folder holds
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// Start from a model's weights (a folder or a .safetensors file) instead of random ones
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    /// Longest time between checkpoints within an epoch
    #[arg(long, value_name = "MIN", default_value_t = 10.0)]
    checkpoint_minutes: f64,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    model: model::Model,
    #[command(flatten)]
    recipe: recipe::Recipe,
    #[command(flatten)]
    augmentation: recipe::Strength,
}

/// Trains and shows how it goes.
pub fn run(args: &Train) -> anyhow::Result<()> {
    memory::keep();
    let options = options(args)?;
    args.compute.choice().set_threads();
    let mut progress = Progress::new();
    let epochs = train::run(&options, &mut |event| progress.show(event))?;
    progress.clear();
    conclude(&args.output, &epochs);
    Ok(())
}

fn options(args: &Train) -> anyhow::Result<TrainOptions> {
    args.recipe.check()?;
    let every = Duration::try_from_secs_f64(args.checkpoint_minutes * 60.0);
    let device = args.compute.choice().device()?;
    let own = if device.is_cuda() { Precision::Bf16 } else { Precision::Fp32 };
    Ok(TrainOptions {
        data: DataOptions { path: args.data.clone(), labels: args.label.clone(), split: args.split.clone() },
        output: args.output.clone(),
        start: match (args.resume, args.overwrite) {
            (true, _) => Start::Resume,
            (_, true) => Start::Overwrite,
            _ => Start::Fresh,
        },
        model: args.model.config(&args.output)?,
        init: args
            .init
            .as_ref()
            .map(|path| if path.is_dir() { path.join(WEIGHTS_FILE) } else { path.clone() }),
        epochs: args.recipe.epochs,
        batch: args.recipe.batch,
        accumulate: args.recipe.accumulate,
        adam: args.recipe.adam(),
        schedule: args.recipe.schedule(),
        plateau: args.recipe.plateau(),
        foreground_share: args.recipe.foreground_share,
        adversary: args.recipe.adversary(),
        slices_per_epoch: args.recipe.slices_per_epoch,
        augment: args.augmentation.augment()?,
        seed: args.recipe.seed,
        device,
        precision: args.compute.choice().precision(own, device),
        checkpoint_every: every.map_err(|_| anyhow::anyhow!("--checkpoint-minutes must not be below 0"))?,
    })
}

fn conclude(output: &Path, epochs: &[Epoch]) {
    if let Some(best) = epochs.iter().min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss)) {
        println!(
            "{}: epoch {} was best: validation loss {:.4}, pooled slice DSC {:.3}",
            output.join(WEIGHTS_FILE).display(),
            best.epoch,
            best.validation_loss,
            best.dsc
        );
    }
}
