//! Follows an archive: every new CT series that a rule takes is fetched, segmented and gets its DICOM SEG,
//! once, however often the program is started again.
//!
//! The archive is asked (QIDO-RS) every so often. A series is ready when its number of instances has not
//! changed for a while. What was done is written to a [`Journal`] after the archive has the SEG; a crash
//! between the two repeats the work and stores an object of the same UID, so the archive holds one.

mod journal;
mod rule;
mod settle;

pub use journal::{Entry, Journal, JournalError, State};
pub use rule::{Pattern, PatternError, Rule};

use crate::dicom::web::{Archive, SeriesRecord, SeriesRef, WebError};
use crate::monitor::Monitor;
use crate::pipeline::{ErrorKind, Input, Options, Output, PipelineError};
use crate::worker::{Job, Worker};
use settle::Settling;
use std::time::{Duration, Instant};
use thiserror::Error;

/// What to watch for and what to do.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// Time between two looks at the archive.
    pub every: Duration,
    /// How long a series must not have grown.
    pub settle: Duration,
    /// Sent to the archive with every query, as attribute keyword and value.
    pub query: Vec<(String, String)>,
    /// Which of the series that it names are wanted.
    pub rule: Rule,
    /// Also segment what is there at the first start.
    pub existing: bool,
    /// End when nothing is left to do, instead of waiting for more.
    pub once: bool,
    /// How often a series that failed for a passing reason is tried.
    pub attempts: u32,
    /// How long it waits after the first failure; twice as long after each further one.
    pub retry: Duration,
    /// Model by name.
    pub model: String,
    /// As for any request.
    pub options: Options,
}

/// Why watching ended.
#[derive(Debug, Error)]
pub enum WatchError {
    /// Without the journal a series could be segmented twice.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The archive could not be asked, and there is only one chance (`once`).
    #[error(transparent)]
    Archive(#[from] WebError),
}

/// The watch itself.
pub struct Watch<'a> {
    /// Whom to ask.
    pub archive: Archive,
    /// Who works; its first model is the default.
    pub worker: &'a Worker,
    /// What was done.
    pub journal: Journal,
    /// What to do.
    pub options: WatchOptions,
}

impl Watch<'_> {
    /// Runs until it is dropped, or with `once` until nothing is left to do.
    pub async fn run(mut self) -> Result<(), WatchError> {
        let mut settling = Settling::new(self.options.settle);
        loop {
            match self.look().await {
                Ok(found) => {
                    let waiting = self.turn(found, &mut settling).await?;
                    if self.options.once && !waiting {
                        return Ok(());
                    }
                }
                Err(e) if self.options.once => return Err(e.into()),
                Err(e) => tracing::warn!(error = %e, "the archive could not be asked; asking again later"),
            }
            tokio::time::sleep(self.options.every).await;
        }
    }

    /// The CT series that the rule takes.
    async fn look(&self) -> Result<Vec<SeriesRecord>, WebError> {
        let WatchOptions { query, rule, .. } = &self.options;
        let mut filters = vec![("Modality", "CT")];
        filters.extend(query.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let mut found = self.archive.series(&filters, &rule.keywords()).await?;
        // An archive may ignore a filter that it does not know.
        found.retain(|series| series.modality == "CT" && rule.takes(series));
        Ok(found)
    }

    /// Works on what is ready. Whether something is left for a later turn.
    async fn turn(&mut self, found: Vec<SeriesRecord>, settling: &mut Settling) -> Result<bool, WatchError> {
        if !self.journal.has_begun() {
            let before = if self.options.existing { &[][..] } else { &found };
            self.journal.begin(before.iter().map(Entry::before))?;
            tracing::info!(series = before.len(), "watching; these were there before and are left alone");
        }
        let attempts = self.options.attempts;
        // Judged by the time of the look: while one is worked on, nobody sees whether the others grow.
        let now = Instant::now();
        let wanted = found.iter().filter(|series| self.journal.wants(series, attempts));
        let (ready, growing): (Vec<_>, Vec<_>) = wanted.partition(|series| settling.is_settled(series, now));
        let mut waiting = !growing.is_empty();
        settling.keep(&found);
        for series in ready {
            let entry = self.segment(series).await;
            self.journal.record(entry)?;
            if self.journal.wants(series, attempts) {
                waiting = true;
                let doublings = self.journal.attempts(series).saturating_sub(1).min(16);
                settling.hold(series, Instant::now() + self.options.retry * (1 << doublings));
            }
        }
        Ok(waiting)
    }

    async fn segment(&self, series: &SeriesRecord) -> Entry {
        let started = Instant::now();
        let uid = series.series_uid.as_str();
        match self.try_segment(series).await {
            Ok((seg_series_uid, findings)) => {
                let seconds = started.elapsed().as_secs_f64();
                tracing::info!(series = uid, seg = seg_series_uid, findings, seconds, "segmented and stored");
                Entry::done(series, seg_series_uid, findings)
            }
            Err(e) => {
                let passing = !matches!(
                    e.kind,
                    ErrorKind::InvalidArgument | ErrorKind::FailedPrecondition | ErrorKind::NotFound
                );
                tracing::warn!(series = uid, reason = e.reason, error = %e, try_again = passing, "not segmented");
                Entry::failed(series, if passing { State::Failed } else { State::Refused }, e.reason)
            }
        }
    }

    /// Series Instance UID of the SEG and the number of findings.
    async fn try_segment(&self, series: &SeriesRecord) -> Result<(String, usize), PipelineError> {
        let WatchOptions { model, options, .. } = &self.options;
        let at = SeriesRef::new(&series.study_uid, &series.series_uid)?;
        let mut options = Options { series_uid: Some(series.series_uid.clone()), ..options.clone() };
        options.outputs = [Output::DicomSeg].into();
        let read = self.archive.pull(&at, options.read_options(), &Monitor::default()).await?;

        let unavailable = |e| PipelineError::new(ErrorKind::Unavailable, "QUEUE_FULL", e);
        let ticket = self.worker.admit().map_err(unavailable)?;
        let job = Job { model: model.clone(), input: Input::Series(Box::new(read)), options };
        let made = ticket.submit(job, Monitor::default()).answer().await?;
        let seg = made.artifacts.into_iter().find(|artifact| artifact.media_type == Output::DICOM);
        let missing = || PipelineError::new(ErrorKind::FailedPrecondition, "NO_SEG", made.notes.join("; "));
        let stored = self.archive.store(&series.study_uid, seg.ok_or_else(missing)?.bytes).await?;
        Ok((stored.series_uid, made.findings.len()))
    }
}
