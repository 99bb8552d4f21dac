//! What the calls that segment have in common: a place, work with reports, the answer in pieces. Whatever
//! ends one early (the client, a deadline, a failure) drops its future, and with that the work and the memory.

use super::convert;
use super::error::RequestError;
use super::header::Asked;
use super::outputs::{self, Packed};
use super::session::{Guard, Sessions, Shared};
use super::{pb, status};
use crate::monitor::{Monitor, Progress, Stage};
use crate::pipeline::{Artifact, ErrorKind, PipelineError, Segmentation};
use crate::worker::{Job, Refused, Ticket};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::Status;

/// How often progress is looked at; it is sent when it changed.
const LOOK: Duration = Duration::from_millis(100);
/// The longest silence while working, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_millis(900);

/// An event that every such call has.
pub(super) enum Event {
    Accepted(pb::Accepted),
    Progress(pb::Progress),
    Result(pb::Result),
    Chunk(pb::Chunk),
    Completed(pb::Completed),
}

/// A call whose answer is a stream of `M`.
pub(super) struct Call<M> {
    pub shared: Arc<Shared>,
    pub events: mpsc::Sender<Result<M, Status>>,
    /// From `started`.
    pub deadline: Duration,
    pub started: Instant,
}

impl<M> Clone for Call<M> {
    fn clone(&self) -> Self {
        let (shared, events) = (self.shared.clone(), self.events.clone());
        Self { shared, events, deadline: self.deadline, started: self.started }
    }
}

/// Progress of work that is under way.
type Reports = watch::Receiver<Progress>;

impl<M: From<Event>> Call<M> {
    /// Waits for `work`, or until something ends it, and tells the client how it ended.
    pub(super) async fn run(self, work: impl Future<Output = Result<(), RequestError>>) {
        let deadline = self.deadline;
        let result = tokio::select! {
            result = work => result,
            () = self.events.closed() => Err(RequestError::Cancelled),
            () = tokio::time::sleep(deadline) => Err(RequestError::Deadline { deadline_s: deadline.as_secs_f64() }),
        };
        let seconds = self.started.elapsed().as_secs_f64();
        match result {
            Ok(()) => tracing::info!(seconds, "request done"),
            Err(error) => {
                tracing::warn!(seconds, reason = status::reason(&error), "request failed");
                // The client may have gone.
                let _ = self.events.send(Err(error.into())).await;
            }
        }
    }

    /// Takes the request's id and a place, and says so.
    pub(super) async fn admit(&self, asked: &Asked) -> Result<(Guard, Ticket), RequestError> {
        let span = tracing::Span::current();
        span.record("request_id", tracing::field::display(asked.request_id));
        span.record("model", asked.model.name.as_str());
        let guard = Sessions::enter(&self.shared, asked.request_id)?;
        let ticket = self.shared.worker.admit().map_err(RequestError::Refused)?;
        let accepted = pb::Accepted {
            request_id: asked.request_id.to_string(),
            queue_place: ticket.place as u32,
            expected_wait_s: ticket.expected_wait.map(|wait| wait.as_secs_f64()),
        };
        self.send(Event::Accepted(accepted)).await?;
        tracing::info!(place = ticket.place, "request accepted");
        Ok((guard, ticket))
    }

    /// Queues the job and reports until it is done.
    pub(super) async fn segment(&self, ticket: Ticket, job: Job) -> Result<Segmentation, RequestError> {
        let (monitor, reports) = monitor(Stage::Decode);
        let pending = ticket.submit(job, monitor);
        let answer = self.reporting(reports, || pending.place(), pending.answer()).await;
        answer.map_err(|e| self.failed(e))
    }

    /// Waits for work and reports: its place in the queue, else how far it is.
    pub(super) async fn reporting<T>(
        &self,
        mut reports: Reports,
        place: impl Fn() -> Option<usize>,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = pin!(work);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                answer = &mut work => return answer,
                _ = look.tick() => {
                    let quiet = sent.is_none_or(|sent| sent.elapsed() >= HEARTBEAT);
                    if quiet || reports.has_changed().unwrap_or(false) {
                        let latest = *reports.borrow_and_update();
                        // A client that does not read gets fewer reports; the work does not wait for it.
                        let _ = self.events.try_send(Ok(progress(place(), latest).into()));
                        sent = Some(Instant::now());
                    }
                }
            }
        }
    }

    /// A job that a stopping server cancelled was not cancelled by its client.
    fn failed(&self, error: PipelineError) -> RequestError {
        if error.kind == ErrorKind::Cancelled && self.shared.worker.is_draining() {
            return RequestError::Refused(Refused::Draining);
        }
        RequestError::Pipeline(error)
    }

    /// Sends what was found, and `artifacts` in pieces.
    pub(super) async fn answer(
        &self,
        asked: &Asked,
        made: Segmentation,
        artifacts: Vec<Artifact>,
    ) -> Result<(), RequestError> {
        let gzip = asked.gzip_outputs;
        let packed = blocking(move || outputs::pack(artifacts, gzip)).await?;
        let result = pb::Result {
            grid: Some(convert::grid_message(made.mask.grid())),
            findings: made.findings.iter().map(convert::finding_message).collect(),
            outputs: packed.iter().map(|p| p.output.clone()).collect(),
            notes: made.notes,
            model: asked.model.name.clone(),
            weights_sha256: asked.model.weights_sha256.clone(),
        };
        drop(made.mask);
        self.send(Event::Result(result)).await?;
        for (part, Packed { bytes, .. }) in packed.into_iter().enumerate() {
            for chunk in outputs::chunks(part as u32, bytes) {
                self.send(Event::Chunk(chunk)).await?;
            }
        }
        Ok(())
    }

    /// The last event.
    pub(super) async fn completed(&self, timings: Vec<pb::StageTiming>) -> Result<(), RequestError> {
        let total_s = self.started.elapsed().as_secs_f64();
        self.send(Event::Completed(pb::Completed { timings, total_s })).await
    }

    async fn send(&self, event: Event) -> Result<(), RequestError> {
        self.send_message(event.into()).await
    }

    pub(super) async fn send_message(&self, message: M) -> Result<(), RequestError> {
        self.events.send(Ok(message)).await.map_err(|_| RequestError::Cancelled)
    }
}

/// A monitor and where its reports come out; until the first one, that `stage` has begun.
pub(super) fn monitor(stage: Stage) -> (Monitor, Reports) {
    let (report, reports) = watch::channel(Progress { stage, done: 0, total: 0 });
    let monitor = Monitor::new(move |p| {
        report.send_replace(p);
    });
    (monitor, reports)
}

fn progress(place: Option<usize>, latest: Progress) -> Event {
    Event::Progress(match place {
        Some(place) => pb::Progress {
            stage: pb::Stage::Queued as i32,
            queue_place: place as u32,
            ..pb::Progress::default()
        },
        None => convert::progress_message(latest),
    })
}

/// Runs what takes a while outside the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RequestError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RequestError::Internal)
}
