//! Threads that own the models, behind one bounded queue.
//!
//! Tensor work never runs on an async thread: a request takes a [`Ticket`] (or is refused at once),
//! submits its [`Job`] and awaits a [`Pending`] answer. Dropping that answer cancels the work.

use crate::monitor::Monitor;
use crate::pipeline::{self, ErrorKind, Input, Options, PipelineError, Segmentation, Store};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::oneshot;

/// Weight of the newest job in the running mean of their durations.
const NEWEST: f64 = 0.3;

/// What a model says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The name that a request gives.
    pub name: String,
    /// Of the weights, semantic.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// The network, for people.
    pub architecture: String,
    /// Slices that it reads: axial, sagittal, coronal.
    pub plane: String,
    /// Spacing along L, P, S to which it resamples.
    pub spacing_mm: [f64; 3],
    /// Of the weights, lower-case hexadecimal.
    pub weights_sha256: String,
}

/// What a worker thread runs: loaded models.
pub trait Engine: 'static {
    /// The models; the first is the default.
    fn describe(&self) -> Vec<ModelInfo>;

    /// Segments one volume. Blocks; asks `monitor` between pieces of work.
    fn segment(
        &mut self,
        model: &str,
        input: Input,
        options: &Options,
        monitor: &Monitor,
    ) -> Result<Segmentation, PipelineError>;
}

impl Engine for Store {
    fn describe(&self) -> Vec<ModelInfo> {
        let (default, others): (Vec<_>, Vec<_>) =
            self.all().partition(|model| model.config().name == self.default_name());
        let info = default.into_iter().chain(others).map(|model| {
            let config = model.config();
            ModelInfo {
                name: config.name.clone(),
                version: config.version.clone(),
                description: config.description.clone(),
                architecture: format!("{}, {} parameters", model.architectures(), model.parameters()),
                plane: model.planes(),
                spacing_mm: config.spacing_mm,
                weights_sha256: model.weights_sha256().to_owned(),
            }
        });
        info.collect()
    }

    fn segment(
        &mut self,
        model: &str,
        input: Input,
        options: &Options,
        monitor: &Monitor,
    ) -> Result<Segmentation, PipelineError> {
        pipeline::segment(self.model(model)?, input, options, monitor)
    }
}

/// What is to be done.
#[derive(Debug)]
pub struct Job {
    /// Model by name.
    pub model: String,
    /// The upload.
    pub input: Input,
    /// What the client asked for.
    pub options: Options,
}

/// Why the workers could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The operating system gave no thread.
    #[error("worker {worker} got no thread: {source}")]
    Thread {
        /// From 0.
        worker: usize,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The models could not be loaded.
    #[error("worker {worker} could not load its models: {reason}")]
    Engine {
        /// From 0.
        worker: usize,
        /// The engine's reason.
        reason: String,
    },
    /// There is nothing to serve.
    #[error("the engine has no model")]
    NoModel,
}

/// Why a request got no place.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum Refused {
    /// All places are taken.
    #[error("all {limit} places (working and waiting) are taken")]
    Full {
        /// Places in all.
        limit: usize,
        /// When one may be free, as far as is known.
        retry_after: Option<Duration>,
    },
    /// The server is stopping.
    #[error("the server is stopping and takes no new requests")]
    Draining,
}

/// The worker threads and their queue.
pub struct Worker {
    shared: Arc<Shared>,
    models: Vec<ModelInfo>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    workers: usize,
    places: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    running: Vec<(u64, Monitor)>,
    admitted: usize,
    next_id: u64,
    draining: bool,
    closed: bool,
    mean: Option<Duration>,
}

struct Queued {
    id: u64,
    job: Job,
    monitor: Monitor,
    answer: oneshot::Sender<Result<Segmentation, PipelineError>>,
    span: tracing::Span,
    ticket: Ticket,
}

impl Shared {
    /// A panic never happens while the lock is held, so a poisoned one holds good state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time until `ahead` jobs have ended.
    fn wait(&self, state: &State, ahead: usize) -> Option<Duration> {
        state.mean.map(|mean| mean.mul_f64(ahead as f64 / self.workers as f64))
    }
}

impl Worker {
    /// Starts `workers` threads, each with an engine that `make` builds on it, and waits until all are
    /// loaded. `queue_length` requests may wait beyond those being worked on.
    pub fn start<E: Engine>(
        workers: usize,
        queue_length: usize,
        make: impl Fn(usize) -> Result<E, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let (state, wake) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { state, wake, workers, places: workers + queue_length });
        let make = Arc::new(make);
        let (ready, loaded) = mpsc::channel();
        let mut this = Self { shared, models: Vec::new(), threads: Mutex::default() };
        for worker in 0..workers {
            let (shared, make, ready) = (this.shared.clone(), make.clone(), ready.clone());
            let body = move || match make(worker) {
                Ok(mut engine) => {
                    let _ = ready.send(Ok(engine.describe()));
                    drop(ready);
                    work(&shared, &mut engine);
                }
                Err(e) => drop(ready.send(Err(StartError::Engine { worker, reason: e.to_string() }))),
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{worker}"))
                .spawn(body)
                .map_err(|source| StartError::Thread { worker, source })?;
            this.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        drop(ready);
        for models in loaded {
            this.models = models?;
        }
        if this.models.is_empty() { Err(StartError::NoModel) } else { Ok(this) }
    }

    /// The models; the first is the default.
    pub fn models(&self) -> &[ModelInfo] {
        &self.models
    }

    /// Keeps a place for a request, before its upload is received.
    pub fn admit(&self) -> Result<Ticket, Refused> {
        let mut state = self.shared.state();
        if state.draining {
            return Err(Refused::Draining);
        }
        if state.admitted >= self.shared.places {
            let retry_after = self.shared.wait(&state, 1);
            return Err(Refused::Full { limit: self.shared.places, retry_after });
        }
        let place = (state.admitted + 1).saturating_sub(self.shared.workers);
        let expected_wait = self.shared.wait(&state, place);
        state.admitted += 1;
        drop(state);
        Ok(Ticket { shared: self.shared.clone(), place, expected_wait })
    }

    /// Refuses new requests from now on; those admitted go on.
    pub fn drain(&self) {
        self.shared.state().draining = true;
    }

    /// Whether [`Worker::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.shared.state().draining
    }

    /// Cancels all jobs, ends the threads and waits: for as long as an engine takes to notice.
    pub fn stop(&self) {
        self.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has logged so; there is nothing to save.
            let _ = thread.join();
        }
    }

    fn close(&self) {
        let mut state = self.shared.state();
        state.draining = true;
        state.closed = true;
        for (_, monitor) in &state.running {
            monitor.cancel();
        }
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        // Each job holds a ticket, whose drop takes the lock.
        drop(queue);
        self.shared.wake.notify_all();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
    }
}

/// A place among the requests.
pub struct Ticket {
    shared: Arc<Shared>,
    /// How many requests must end before this one starts, when the ticket was drawn.
    pub place: usize,
    /// How long these are expected to take; absent until the first job has ended.
    pub expected_wait: Option<Duration>,
}

impl Ticket {
    /// Puts the job into the queue.
    pub fn submit(self, job: Job, monitor: Monitor) -> Pending {
        let (answer, receiver) = oneshot::channel();
        let shared = self.shared.clone();
        let mut state = shared.state();
        let id = state.next_id;
        state.next_id += 1;
        let span = tracing::Span::current();
        let queued = Queued { id, job, monitor: monitor.clone(), answer, span, ticket: self };
        // After close() nobody would take it; dropping it tells the caller.
        let rejected = if state.closed {
            Some(queued)
        } else {
            state.queue.push_back(queued);
            None
        };
        drop(state);
        drop(rejected);
        shared.wake.notify_one();
        Pending { id, shared, monitor, answer: receiver.into() }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.shared.state().admitted -= 1;
    }
}

/// A job's answer to come. Dropping it cancels the job.
pub struct Pending {
    id: u64,
    shared: Arc<Shared>,
    monitor: Monitor,
    /// Behind a lock, so that the place can be asked for while it is awaited.
    answer: tokio::sync::Mutex<oneshot::Receiver<Result<Segmentation, PipelineError>>>,
}

impl Pending {
    /// How many jobs must end before this one starts; `None` once it has started.
    pub fn place(&self) -> Option<usize> {
        let state = self.shared.state();
        let index = state.queue.iter().position(|q| q.id == self.id)?;
        Some((index + 1 + state.running.len()).saturating_sub(self.shared.workers))
    }

    /// Waits for the answer. Safe to drop and call again.
    pub async fn answer(&self) -> Result<Segmentation, PipelineError> {
        let gone = |_| PipelineError::new(ErrorKind::Unavailable, "DRAINING", Refused::Draining);
        (&mut *self.answer.lock().await).await.map_err(gone)?
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.monitor.cancel();
        let mut state = self.shared.state();
        let index = state.queue.iter().position(|q| q.id == self.id);
        let removed = index.and_then(|index| state.queue.remove(index));
        drop(state);
        drop(removed);
    }
}

/// The life of a worker thread.
fn work(shared: &Shared, engine: &mut impl Engine) {
    while let Some(queued) = next(shared) {
        let Queued { id, job, monitor, answer, span, ticket } = queued;
        let started = Instant::now();
        let result = span.in_scope(|| run(engine, job, &monitor));
        let mut state = shared.state();
        state.running.retain(|(other, _)| *other != id);
        if result.is_ok() {
            let took = started.elapsed();
            state.mean = Some(state.mean.map_or(took, |m| m.mul_f64(1.0 - NEWEST) + took.mul_f64(NEWEST)));
        }
        drop(state);
        // The place is free before the caller hears, so that a caller who asks again gets it.
        drop(ticket);
        // The caller may have gone.
        let _ = answer.send(result);
    }
}

fn next(shared: &Shared) -> Option<Queued> {
    let mut state = shared.state();
    loop {
        if state.closed {
            return None;
        }
        if let Some(queued) = state.queue.pop_front() {
            state.running.push((queued.id, queued.monitor.clone()));
            return Some(queued);
        }
        state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// One job. A panic ends the job, not the thread: an engine's models do not change while it works, so
/// the next job finds them as they were.
fn run(engine: &mut impl Engine, job: Job, monitor: &Monitor) -> Result<Segmentation, PipelineError> {
    monitor.check()?;
    let Job { model, input, options } = job;
    catch_unwind(AssertUnwindSafe(|| engine.segment(&model, input, &options, monitor))).unwrap_or_else(|_| {
        tracing::error!("a worker panicked; the request is given up");
        Err(PipelineError::new(
            ErrorKind::Internal,
            "WORKER_PANIC",
            "the worker failed; this request is lost, others go on",
        ))
    })
}
