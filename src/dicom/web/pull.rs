//! A series out of an archive: instances are decoded while further ones download.

use super::allowance::Total;
use super::archives::Archive;
use super::error::WebError;
use super::uid::SeriesRef;
use crate::dicom::{ReadError, ReadOptions, Series, SeriesReader};
use crate::monitor::{Cancelled, Monitor, Stage};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking};

/// Instances asked for at a time. One at a time leaves the line idle while the archive looks for each;
/// eight keep it busy, and are no more than a browser does to the same archive.
const AT_A_TIME: usize = 8;

/// Files that wait for the decoder. With those on their way, at most 16 slices are held twice.
const WAITING: usize = 8;

/// How soon a cancelled request stops waiting for a silent archive.
const LOOK: Duration = Duration::from_millis(100);

/// A file and its SOP Instance UID, which names it in messages.
type File = (String, Vec<u8>);

impl Archive {
    /// Pulls a CT series: QIDO-RS for its instances, WADO-RS for each of them. The volume is made of
    /// exactly those that were listed; one that is missing is an error.
    ///
    /// Reports [`Stage::Fetch`] in instances. Dropping the future stops downloads and decoding.
    pub async fn pull(
        &self,
        series: &SeriesRef,
        options: ReadOptions,
        monitor: &Monitor,
    ) -> Result<Series, WebError> {
        series.check()?;
        tokio::select! {
            pulled = self.pull_listed(series, options, monitor) => pulled,
            cancelled = cancelled(monitor) => Err(cancelled.into()),
        }
    }

    async fn pull_listed(
        &self,
        series: &SeriesRef,
        options: ReadOptions,
        monitor: &Monitor,
    ) -> Result<Series, WebError> {
        let uids = self.listed(series, options.limits.max_files).await?;
        let total = Total::new(options.limits.max_file_bytes, options.limits.max_total_bytes);
        let options = ReadOptions { series_uid: Some(series.series_uid.clone()), ..options };
        let (to, from) = mpsc::channel(WAITING);
        let stop = StopOnDrop::beside(monitor);
        let decoder = decode(SeriesReader::new(options), from, uids.len(), stop.0.clone());
        let fetched = self.fetch(series, uids, &total, to, monitor).await;
        match fetched {
            // The decoder went away before the last file: it knows why.
            Ok(()) | Err(None) => decoder.await.unwrap_or_else(|panic| Err(gave_up(&panic))),
            Err(Some(error)) => Err(error),
        }
    }

    /// The instances of a series that is there and is CT.
    async fn listed(&self, series: &SeriesRef, most: usize) -> Result<Vec<String>, WebError> {
        let SeriesRef { study_uid, series_uid } = series.clone();
        let Some(modality) = self.modality(series).await? else {
            return Err(WebError::NoSuchSeries { study_uid, series_uid });
        };
        if modality != "CT" {
            return Err(WebError::NotCt { series_uid, modality });
        }
        let uids = self.instances(series, most).await?;
        if uids.is_empty() {
            return Err(WebError::NoSuchSeries { study_uid, series_uid });
        }
        Ok(uids)
    }

    /// Fetches all instances in any order. `Err(None)`: nobody takes them any more.
    async fn fetch(
        &self,
        series: &SeriesRef,
        uids: Vec<String>,
        total: &Total,
        to: Sender<File>,
        monitor: &Monitor,
    ) -> Result<(), Option<WebError>> {
        let count = uids.len();
        monitor.step(Stage::Fetch, 0, count).map_err(|cancelled| Some(cancelled.into()))?;
        let (to, mut done) = (&to, 0);
        // Each hands over by itself, so that a full channel never leaves the others unread.
        let fetch = |uid: String| async move {
            let file = self.retrieve(series, &uid, total).await.map_err(Some)?;
            to.send((uid, file)).await.map_err(|_| None)
        };
        let mut fetched = stream::iter(uids).map(fetch).buffer_unordered(AT_A_TIME);
        while let Some(()) = fetched.try_next().await? {
            done += 1;
            monitor.step(Stage::Fetch, done, count).map_err(|cancelled| Some(cancelled.into()))?;
        }
        Ok(())
    }
}

/// Cancels the decoder, and nothing else of the caller's, when nobody waits for the series any more.
struct StopOnDrop(Monitor);

impl StopOnDrop {
    fn beside(monitor: &Monitor) -> Self {
        let to = monitor.clone();
        // What a step returns is the caller's cancellation, which `pull` watches by itself.
        Self(Monitor::new(move |step| {
            let _ = to.step(step.stage, step.done, step.total);
        }))
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Decodes on a thread of its own until `count` files came. Fewer mean that the download was given up.
fn decode(
    mut reader: SeriesReader,
    mut from: Receiver<File>,
    count: usize,
    monitor: Monitor,
) -> JoinHandle<Result<Series, WebError>> {
    spawn_blocking(move || {
        let mut came = 0;
        while came < count {
            let mut files = Vec::new();
            came += from.blocking_recv_many(&mut files, WAITING);
            if files.is_empty() {
                return Err(Cancelled.into());
            }
            reader.push_all(files)?;
            monitor.check()?;
        }
        Ok(reader.finish(&monitor)?)
    })
}

/// Decoding guards itself against panics; one that comes through is ours.
fn gave_up(panic: &tokio::task::JoinError) -> WebError {
    let reason = if panic.is_panic() { "decoding it panicked" } else { "decoding it was stopped" };
    WebError::Read(ReadError::Corrupt { name: "the series".to_owned(), reason: reason.to_owned() })
}

async fn cancelled(monitor: &Monitor) -> Cancelled {
    loop {
        if let Err(cancelled) = monitor.check() {
            return cancelled;
        }
        tokio::time::sleep(LOOK).await;
    }
}
