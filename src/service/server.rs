//! The server: starts the workers, binds the port, stops when it is told to.

use super::config::{ConfigError, ServeConfig};
use super::pb::segmentation_plugin_service_server::{SERVICE_NAME, SegmentationPluginServiceServer};
use super::segplugin::SegPlugin;
use super::session::{Sessions, Shared};
use super::tls::{self, Auth};
use super::web::{self, WebLayers};
use super::{manifest, pb};
use crate::dicom::web::{Archives, ArchivesError};
use crate::worker::{Engine, StartError, Worker};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::codec::CompressionEncoding;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::ServerTlsConfig;
use tonic::transport::server::{Router, TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower_http::cors::CorsLayer;

/// How often a silent connection is asked whether its client still lives, and how long it may take to
/// answer.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long cancelled work may take to end: one batch of slices.
const CANCEL_GRACE: Duration = Duration::from_secs(10);
/// How long open watches (health, reflection) may hold up a stop.
const STREAM_GRACE: Duration = Duration::from_secs(1);
/// Flow-control windows: what a client may send before the server has read it.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Calls at a time on one connection; those beyond wait in the client.
const STREAMS: u32 = 256;

/// Why the server could not start or go on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings are no good.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The archives that may be talked to are not well described.
    #[error(transparent)]
    Archives(#[from] ArchivesError),
    /// The models could not be loaded.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The built-in manifest is broken.
    #[error("plugin.json: {0}")]
    Manifest(#[from] serde_json::Error),
    /// The descriptors that reflection needs are broken.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The port is taken or not ours to take.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The transport failed.
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
    /// A helper task was lost.
    #[error("a task of the server failed")]
    Task,
}

/// A server with its models loaded and its port bound.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    manifest: pb::Manifest,
    tls: Option<ServerTlsConfig>,
    auth: Auth,
    cors: CorsLayer,
}

/// Serves until `shutdown` is ready, then drains. `make` builds an engine on each worker thread.
pub async fn serve<E: Engine>(
    config: ServeConfig,
    make: impl Fn(usize) -> Result<E, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let server = Server::bind(config, make).await?;
    tracing::info!("listening on {}", server.address());
    server.run(shutdown).await
}

impl Server {
    /// Checks the settings, loads the models, then binds the port: one that answers is ready.
    pub async fn bind<E: Engine>(
        config: ServeConfig,
        make: impl Fn(usize) -> Result<E, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Result<Self, ServeError> {
        config.check()?;
        let tls = tls::server_tls(&config)?;
        let token = config.token()?;
        if token.is_some() && tls.is_none() && !config.listen.ip().is_loopback() {
            tracing::warn!("the token travels in plain text: set tls_cert and tls_key");
        }
        let archives = Archives::new(&config.archives)?;
        let cors = web::cors(&config.cors_origins)?;
        let (workers, queue_length) = (config.workers as usize, config.queue_length as usize);
        let starting = tokio::task::spawn_blocking(move || Worker::start(workers, queue_length, make));
        let worker = starting.await.map_err(|_| ServeError::Task)??;
        let manifest = manifest::of_server(&config, worker.models())?;
        let unbound = |source| ServeError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let auth = Auth::new(token.as_ref());
        let shared = Arc::new(Shared { config, worker, archives, sessions: Sessions::default() });
        Ok(Self { listener, address, shared, manifest, tls, auth, cors })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready. Then new requests get UNAVAILABLE, those admitted go on for
    /// `drain_s`, what is left is cancelled.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        report(&reporter, ServingStatus::Serving).await;
        let shared = self.shared.clone();
        let router = self.router()?.add_service(health);
        let incoming = TcpIncoming::from(self.listener).with_nodelay(Some(true));
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            // A dropped sender stops as well.
            let _ = stopped.await;
        };
        let mut serving = pin!(router.serve_with_incoming_shutdown(incoming, until));
        tokio::select! {
            ended = &mut serving => return Ok(ended?),
            () = shutdown => {}
        }
        tracing::info!("stopping: no new requests");
        shared.worker.drain();
        report(&reporter, ServingStatus::NotServing).await;
        tokio::select! {
            ended = &mut serving => return Ok(ended?),
            () = drained(shared) => {}
        }
        // The receiver is gone when the transport has ended by itself.
        let _ = stop.send(());
        if let Ok(ended) = timeout(STREAM_GRACE, serving).await {
            ended?;
        } else {
            tracing::debug!("watches were still open");
        }
        tracing::info!("stopped");
        Ok(())
    }

    fn router(&self) -> Result<Router<WebLayers>, ServeError> {
        let mut transport = web::transport(self.cors.clone())
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS);
        if let Some(tls) = &self.tls {
            transport = transport.tls_config(tls.clone())?;
        }
        let plugin = SegPlugin { shared: self.shared.clone(), manifest: self.manifest.clone() };
        let service = SegmentationPluginServiceServer::new(plugin)
            .max_decoding_message_size(self.shared.config.limits.message_bytes as usize)
            .accept_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Gzip);
        let router = transport.add_service(InterceptedService::new(service, self.auth.clone()));
        if !self.shared.config.reflection {
            return Ok(router);
        }
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let v1 = InterceptedService::new(builder().build_v1()?, self.auth.clone());
        let v1alpha = InterceptedService::new(builder().build_v1alpha()?, self.auth.clone());
        Ok(router.add_service(v1).add_service(v1alpha))
    }
}

async fn report(reporter: &HealthReporter, status: ServingStatus) {
    for name in ["", SERVICE_NAME] {
        reporter.set_service_status(name, status).await;
    }
}

/// Waits for requests to end, cancels what is left at the end of the time, and ends the workers.
async fn drained(shared: Arc<Shared>) {
    let longest = Duration::from_secs(shared.config.drain_s.into());
    if timeout(longest, shared.sessions.idle()).await.is_err() {
        tracing::warn!("requests are cancelled, the time to drain is over");
    }
    let workers = shared.clone();
    let ending = tokio::task::spawn_blocking(move || workers.worker.stop());
    if timeout(CANCEL_GRACE, ending).await.is_err() {
        tracing::warn!("a worker did not notice that it was cancelled");
    }
    // Cancelled requests still have to tell their clients.
    let _ = timeout(STREAM_GRACE, shared.sessions.idle()).await;
}
