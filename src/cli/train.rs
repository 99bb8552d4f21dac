//! `spinefx train`: the paper's recipe on a folder of pairs.

use super::compute::Compute;
use super::show;
use crate::infer::{CONFIG_FILE, ModelConfig, WEIGHTS_FILE};
use crate::train::{self, Event, TrainOptions};
use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use std::path::PathBuf;

/// Train a model on pairs of CT and mask.
///
/// DIR holds index.csv with the columns id, ct, mask (paths relative to it), as `spinefx phantom`
/// writes it. Patients are split 70/10/20 into training, validation and test. The defaults are the
/// paper's: Adam, learning rate 1e-3, batch 16, at most 150 epochs, early stopping.
#[derive(Debug, Args)]
pub struct Train {
    /// Folder with index.csv
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The model's config.json: network, plane, spacing, window
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder for config.json, weights.safetensors, split.json and log.csv
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Most epochs
    #[arg(long, default_value_t = 150)]
    epochs: usize,
    /// Slices per step
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Adam's first learning rate
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// Epochs without improvement before training stops
    #[arg(long, default_value_t = 5)]
    stop_patience: usize,
    /// Epochs without improvement before the learning rate falls
    #[arg(long, default_value_t = 2)]
    plateau_patience: usize,
    /// What the learning rate is multiplied by then
    #[arg(long, default_value_t = 0.4)]
    plateau_factor: f64,
    /// Most slices per epoch [default: all with a fracture and as many without]
    #[arg(long, value_name = "N")]
    slices_per_epoch: Option<usize>,
    /// Split, order, crops, augmentation and initial weights
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    compute: Compute,
}

/// Trains and shows how it goes.
pub fn run(args: &Train) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.batch > 0 && args.plateau_patience > 0,
        "--batch and --plateau-patience must be at least 1"
    );
    let text = std::fs::read_to_string(&args.config).with_context(|| args.config.display().to_string())?;
    let model = ModelConfig::from_json(&text)?;
    std::fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    let path = args.output.join(CONFIG_FILE);
    std::fs::write(&path, model.to_json()? + "\n").with_context(|| path.display().to_string())?;
    let options = TrainOptions {
        set: args.data.clone(),
        output: args.output.clone(),
        model,
        epochs: args.epochs,
        batch: args.batch,
        learning_rate: args.learning_rate,
        stop_patience: args.stop_patience,
        plateau_patience: args.plateau_patience,
        plateau_factor: args.plateau_factor,
        slices_per_epoch: args.slices_per_epoch,
        seed: args.seed,
        device: args.compute.choice().device()?,
    };
    let mut bar = show::bar(0, "load");
    let epochs = train::run(&options, &mut |event| show_event(&mut bar, event))?;
    bar.finish_and_clear();
    if let Some(best) = epochs.iter().min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss)) {
        println!(
            "{}: epoch {} was best: validation loss {:.4}, pooled slice DSC {:.3}",
            args.output.join(WEIGHTS_FILE).display(),
            best.epoch,
            best.validation_loss,
            best.dsc
        );
    }
    Ok(())
}

fn show_event(bar: &mut ProgressBar, event: Event) {
    match event {
        Event::Loaded(done, total) => show::show_stage(bar, "load", done as u64, total as u64),
        Event::Step(epoch, step, steps, loss) => {
            if step == 1 {
                bar.finish_and_clear();
                *bar = show::bar(steps, "train");
            }
            bar.set_position(step as u64);
            bar.set_message(format!("epoch {epoch} loss {loss:.4}"));
        }
        Event::Epoch(e) => bar.suspend(|| {
            println!(
                "epoch {:3}  loss {:.4}  validation loss {:.4}  DSC {:.3}  IoU {:.3}  lr {:.1e}  {:.0} s",
                e.epoch, e.loss, e.validation_loss, e.dsc, e.iou, e.learning_rate, e.seconds
            );
        }),
    }
}
