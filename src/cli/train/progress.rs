//! How a run looks on a terminal.

use super::super::show;
use crate::train::{Epoch, Event, Step, Summary};
use indicatif::{HumanDuration, ProgressBar};

/// One bar for all stages.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar that waits for volumes.
    pub fn new() -> Self {
        Self(show::bar(0, "load"))
    }

    /// Moves the bar, prints a line per epoch.
    pub fn show(&mut self, event: Event) {
        match event {
            Event::Loaded(done, total) => show::show_stage(&self.0, "load", done as u64, total as u64),
            Event::Set(summary, slices) => self.0.suspend(|| describe(&summary, slices)),
            Event::Start(epoch, step) => self.start(epoch, step),
            Event::Step(step) => self.step(&step),
            Event::Epoch(line) => self.0.suspend(|| println!("{}", sentence(&line))),
        }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn start(&mut self, epoch: usize, step: usize) {
        self.clear();
        self.0 = show::bar(0, "train");
        if epoch > 1 || step > 0 {
            println!("going on at epoch {epoch}, after step {step}");
        }
    }

    fn step(&mut self, now: &Step) {
        if self.0.length() != Some(now.steps as u64) || now.step == 1 {
            self.clear();
            self.0 = show::bar(now.steps, "train");
            // A run that goes on within an epoch must not take the steps before as made in no time.
            self.0.set_position(now.step as u64 - 1);
            self.0.reset_eta();
        }
        self.0.set_position(now.step as u64);
        self.0.set_message(format!(
            "epoch {}/{} loss {:.4} DSC {:.3} IoU {:.3}, all done in {} at most",
            now.epoch,
            now.epochs,
            now.loss,
            now.dsc,
            now.iou,
            HumanDuration(now.left)
        ));
    }
}

fn sentence(e: &Epoch) -> String {
    format!(
        "epoch {:3}  loss {:.4}  validation loss {:.4}  DSC {:.3}  IoU {:.3}  lr {:.1e}  {:.0} s",
        e.epoch, e.loss, e.validation_loss, e.dsc, e.iou, e.learning_rate, e.seconds
    )
}

/// What there is to learn from, before the first step.
fn describe(set: &Summary, slices: [[usize; 2]; 2]) {
    let header = ["part", "patients", "volumes", "without fracture", "slices with", "slices without"];
    let mut table = show::table(&header, 1);
    for (part, name) in ["training", "validation", "test"].into_iter().enumerate() {
        let of_part = slices.get(part).map(|counts| counts.map(|n| n.to_string()));
        let [with, without] = of_part.unwrap_or_else(|| ["-".to_owned(), "-".to_owned()]);
        let [patients, volumes, healthy] =
            [set.patients, set.volumes, set.healthy].map(|n| n[part].to_string());
        table.add_row([name.to_owned(), patients, volumes, healthy, with, without]);
    }
    println!("{table}");
    let range = |axis: usize| {
        let [low, high] = set.spacing_mm.map(|mm| mm[axis]);
        if high - low < 0.005 { format!("{low:.2}") } else { format!("{low:.2}–{high:.2}") }
    };
    println!("spacing of the CTs: {} mm", [0, 1, 2].map(range).join(" × "));
}
