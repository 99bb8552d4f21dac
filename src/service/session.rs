//! The course of one SegmentVolume: header, upload, work, outputs. Whatever ends it early (the client, a
//! deadline, a failure) drops its future, and with that the work and the memory.

use super::config::ServeConfig;
use super::convert;
use super::error::RequestError;
use super::header::{self, Payload, Plan};
use super::upload::Upload;
use super::{outputs, pb, status};
use crate::monitor::{Monitor, Progress};
use crate::pipeline::{ErrorKind, Input, Segmentation};
use crate::worker::{Job, ModelInfo, Pending, Refused, Ticket, Worker};
use pb::segment_volume_request::Message;
use pb::segment_volume_response::Event;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

/// How often progress is looked at; it is sent when it changed.
const LOOK: Duration = Duration::from_millis(100);
/// The longest silence while working, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_millis(900);

/// Where events go.
pub(super) type Events = mpsc::Sender<Result<pb::SegmentVolumeResponse, Status>>;

/// What all requests share.
pub(super) struct Shared {
    pub config: ServeConfig,
    pub worker: Worker,
    pub sessions: Sessions,
}

/// The ids of the requests that are being worked on.
#[derive(Default)]
pub(super) struct Sessions {
    ids: Mutex<HashSet<Uuid>>,
    count: watch::Sender<usize>,
}

impl Sessions {
    fn enter(shared: &Arc<Shared>, id: Uuid) -> Result<Guard, RequestError> {
        if !shared.sessions.change(|ids| ids.insert(id)) {
            return Err(RequestError::Duplicate { request_id: id.to_string() });
        }
        Ok(Guard { shared: shared.clone(), id })
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<Uuid>) -> bool) -> bool {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut ids);
        self.count.send_replace(ids.len());
        changed
    }

    /// Waits until no request is left.
    pub(super) async fn idle(&self) {
        // An error means that the sender is gone, and it is ours.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Keeps an id taken.
struct Guard {
    shared: Arc<Shared>,
    id: Uuid,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.sessions.change(|ids| ids.remove(&self.id));
    }
}

/// One request.
pub(super) struct Session {
    pub shared: Arc<Shared>,
    pub stream: Streaming<pb::SegmentVolumeRequest>,
    pub events: Events,
    /// From now.
    pub deadline: Duration,
}

impl Session {
    /// Works until the outputs are sent, or until something ends it.
    pub(super) async fn run(self) {
        let (events, deadline) = (self.events.clone(), self.deadline);
        let started = Instant::now();
        let result = tokio::select! {
            result = self.work(started) => result,
            () = events.closed() => Err(RequestError::Cancelled),
            () = tokio::time::sleep(deadline) => Err(RequestError::Deadline { deadline_s: deadline.as_secs_f64() }),
        };
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(()) => tracing::info!(seconds, "request done"),
            Err(error) => {
                tracing::warn!(seconds, reason = status::reason(&error), "request failed");
                // The client may have gone.
                let _ = events.send(Err(error.into())).await;
            }
        }
    }

    async fn work(mut self, started: Instant) -> Result<(), RequestError> {
        let Some(Message::Header(header)) = self.next().await? else { return Err(RequestError::NoHeader) };
        let plan = header::plan(header, &self.shared.config.limits, self.shared.worker.models())?;
        let span = tracing::Span::current();
        span.record("request_id", tracing::field::display(plan.request_id));
        span.record("model", plan.model.name.as_str());
        span.record("payload", plan.payload.kind());
        let _guard = Sessions::enter(&self.shared, plan.request_id)?;
        let ticket = self.shared.worker.admit().map_err(RequestError::Refused)?;
        self.send(accepted(&plan, &ticket)).await?;
        tracing::info!(place = ticket.place, "request accepted");

        let input = self.receive(plan.payload.clone(), plan.gzip_upload).await?;
        let Plan { model, options, gzip_outputs, .. } = plan;
        let job = Job { model: model.name.clone(), input, options };
        let made = self.segment(ticket, job).await?;
        self.deliver(made, &model, gzip_outputs, started).await
    }

    /// The client's next message; `None` at the end of its stream.
    async fn next(&mut self) -> Result<Option<Message>, RequestError> {
        let idle_s = self.shared.config.upload_idle_s;
        let next = timeout(Duration::from_secs(idle_s.into()), self.stream.message()).await;
        let message = next.map_err(|_| RequestError::UploadStalled { idle_s: idle_s.into() })?;
        let limit = self.shared.config.limits.message_bytes;
        let message = message.map_err(|status| broken(&status, limit))?;
        match message {
            Some(pb::SegmentVolumeRequest { message: None }) => Err(RequestError::NoChunk),
            Some(pb::SegmentVolumeRequest { message }) => Ok(message),
            None => Ok(None),
        }
    }

    async fn receive(&mut self, payload: Payload, gzip: bool) -> Result<Input, RequestError> {
        let mut upload = Upload::new(payload, gzip, &self.shared.config.limits);
        while let Some(message) = self.next().await? {
            let Message::Chunk(chunk) = message else { return Err(RequestError::NoChunk) };
            upload.push(&chunk)?;
        }
        blocking(move || upload.finish()).await?
    }

    /// Queues the job and reports until it is done.
    async fn segment(&mut self, ticket: Ticket, job: Job) -> Result<Segmentation, RequestError> {
        let (report, mut progress) = watch::channel(None);
        let monitor = Monitor::new(move |p| {
            report.send_replace(Some(p));
        });
        let mut pending = ticket.submit(job, monitor);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                answer = pending.answer() => return answer.map_err(|e| self.failed(e)),
                _ = look.tick() => {
                    let quiet = sent.is_none_or(|sent| sent.elapsed() >= HEARTBEAT);
                    if quiet || progress.has_changed().unwrap_or(false) {
                        let latest = *progress.borrow_and_update();
                        // A client that does not read gets fewer reports; the work does not wait for it.
                        let _ = self.events.try_send(Ok(progress_event(&pending, latest)));
                        sent = Some(Instant::now());
                    }
                }
            }
        }
    }

    /// A job that a stopping server cancelled was not cancelled by its client.
    fn failed(&self, error: crate::pipeline::PipelineError) -> RequestError {
        if error.kind == ErrorKind::Cancelled && self.shared.worker.is_draining() {
            return RequestError::Refused(Refused::Draining);
        }
        RequestError::Pipeline(error)
    }

    async fn deliver(
        &mut self,
        made: Segmentation,
        model: &ModelInfo,
        gzip: bool,
        started: Instant,
    ) -> Result<(), RequestError> {
        let Segmentation { mask, findings, artifacts, timings, notes, .. } = made;
        let packed = blocking(move || outputs::pack(artifacts, gzip)).await?;
        let result = pb::Result {
            grid: Some(convert::grid_message(mask.grid())),
            findings: findings.iter().map(convert::finding_message).collect(),
            outputs: packed.iter().map(|p| p.output.clone()).collect(),
            notes,
            model: model.name.clone(),
            weights_sha256: model.weights_sha256.clone(),
        };
        drop(mask);
        self.send(Event::Result(result)).await?;
        for (part, packed) in packed.into_iter().enumerate() {
            for chunk in outputs::chunks(part as u32, packed.bytes) {
                self.send(Event::Chunk(chunk)).await?;
            }
        }
        let seconds = |(stage, took): (_, Duration)| pb::StageTiming {
            stage: convert::stage_message(stage) as i32,
            seconds: took.as_secs_f64(),
        };
        let total_s = started.elapsed().as_secs_f64();
        let timings = timings.into_iter().map(seconds).collect();
        self.send(Event::Completed(pb::Completed { timings, total_s })).await
    }

    async fn send(&self, event: Event) -> Result<(), RequestError> {
        let message = pb::SegmentVolumeResponse { event: Some(event) };
        self.events.send(Ok(message)).await.map_err(|_| RequestError::Cancelled)
    }
}

fn accepted(plan: &Plan, ticket: &Ticket) -> Event {
    Event::Accepted(pb::Accepted {
        request_id: plan.request_id.to_string(),
        queue_place: ticket.place as u32,
        expected_wait_s: ticket.expected_wait.map(|wait| wait.as_secs_f64()),
    })
}

fn progress_event(pending: &Pending, latest: Option<Progress>) -> pb::SegmentVolumeResponse {
    let message = match (pending.place(), latest) {
        (Some(place), _) => pb::Progress {
            stage: pb::Stage::Queued as i32,
            queue_place: place as u32,
            ..pb::Progress::default()
        },
        (None, Some(progress)) => convert::progress_message(progress),
        (None, None) => pb::Progress { stage: pb::Stage::Decode as i32, ..pb::Progress::default() },
    };
    pb::SegmentVolumeResponse { event: Some(Event::Progress(message)) }
}

/// What tonic says of a message that it could not hand over.
fn broken(status: &Status, limit: u64) -> RequestError {
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => RequestError::MessageTooLarge { limit },
        Code::Cancelled | Code::Unavailable | Code::Unknown => RequestError::Cancelled,
        // The decoder's words go back to the client who sent the bytes.
        _ => RequestError::Malformed { reason: status.message().chars().take(200).collect() },
    }
}

/// Runs what takes a while outside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RequestError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RequestError::Internal)
}
