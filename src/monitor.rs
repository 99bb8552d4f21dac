//! How long work reports and is stopped: one value that rides along with a job.
//!
//! Everything that takes longer than a moment gets a [`Monitor`]. It asks [`Monitor::check`] between
//! pieces of work (one slice batch, one ITK call) and returns [`Cancelled`] upwards when told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// The job was cancelled: by its client, its deadline or a server that shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the request was cancelled")]
pub struct Cancelled;

/// The steps of one request, in the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Pulling a series out of an archive; instances decode while others come.
    Fetch,
    /// Parsing files or DICOM instances into a volume in HU.
    Decode,
    /// Orient, resample, window.
    Preprocess,
    /// The network, slice batch by slice batch.
    Infer,
    /// Probabilities back onto the source grid, threshold, components.
    Postprocess,
    /// Writing the outputs that were asked for.
    Encode,
    /// Putting the segmentation into the archive.
    Store,
}

impl Stage {
    /// Lower-case name, as logs and progress bars show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Decode => "decode",
            Self::Preprocess => "preprocess",
            Self::Infer => "infer",
            Self::Postprocess => "postprocess",
            Self::Encode => "encode",
            Self::Store => "store",
        }
    }
}

/// A step forward: `done` of `total` units (slices, files) of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which step.
    pub stage: Stage,
    /// Units finished.
    pub done: usize,
    /// Units in all; 0 while unknown.
    pub total: usize,
}

type Sink = Arc<dyn Fn(Progress) + Send + Sync>;

/// Progress out, cancellation in. Cloning shares both.
#[derive(Clone)]
pub struct Monitor {
    cancelled: Arc<AtomicBool>,
    sink: Sink,
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl Monitor {
    /// Reports every step to `sink`, which must be quick: it runs on the working thread.
    pub fn new(sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { cancelled: Arc::default(), sink: Arc::new(sink) }
    }

    /// Tells the work to stop at its next check. May be called from any thread, more than once.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// The flag itself, for code that can only poll memory (ITK's filters).
    pub fn cancel_flag(&self) -> &AtomicBool {
        &self.cancelled
    }

    /// Fails once [`Monitor::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Reports a step and checks for cancellation, so that a loop needs one call.
    pub fn step(&self, stage: Stage, done: usize, total: usize) -> Result<(), Cancelled> {
        (self.sink)(Progress { stage, done, total });
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_the_cancel() {
        let monitor = Monitor::default();
        let other = monitor.clone();
        assert_eq!(other.step(Stage::Infer, 1, 2), Ok(()));
        monitor.cancel();
        assert_eq!(other.step(Stage::Infer, 2, 2), Err(Cancelled));
    }
}
