//! What happens during training, for a progress bar.

use super::checkpoint::Progress;
use super::load::Summary;
use super::log::Epoch;
use std::time::Duration;

/// Something to show.
#[derive(Debug, Clone)]
pub enum Event {
    /// Volumes prepared of all.
    Loaded(usize, usize),
    /// What the set holds, and the slices with and without a fracture of training and validation.
    Set(Summary, [[usize; 2]; 2]),
    /// Training begins at this epoch, after this many of its steps.
    Start(usize, usize),
    /// A step was made.
    Step(Step),
    /// An epoch ended.
    Epoch(Epoch),
}

/// Where a run stands after a step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// From 1.
    pub epoch: usize,
    /// Most epochs.
    pub epochs: usize,
    /// Of this epoch, from 1.
    pub step: usize,
    /// Of this epoch.
    pub steps: usize,
    /// Mean of this epoch so far.
    pub loss: f64,
    /// Pooled over this epoch's training slices so far.
    pub dsc: f64,
    /// Pooled over this epoch's training slices so far.
    pub iou: f64,
    /// Until the last possible epoch ends; early stopping may come sooner.
    pub left: Duration,
}

impl Step {
    /// Reads a run's state.
    pub fn of(progress: &Progress, steps: usize, epochs: usize) -> Self {
        let Progress { epoch, step, sums, .. } = progress;
        let done = *step as f64 / steps.max(1) as f64;
        // Whole epochs hold validation too, which the current one does not show yet.
        let per_epoch = progress.log.last().map_or(progress.seconds / done, |last| last.seconds);
        let left = per_epoch * ((epochs + 1).saturating_sub(*epoch) as f64 - done);
        let (loss, dsc, iou) = (sums.mean_loss(), sums.dsc(), sums.iou());
        let left = Duration::try_from_secs_f64(left).unwrap_or_default();
        Self { epoch: *epoch, epochs, step: *step, steps, loss, dsc, iou, left }
    }
}
