//! A real server on a free port with an engine that needs no weights.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use spinefx::dicom::{Algorithm, write_segmentation};
use spinefx::monitor::{Monitor, Stage};
use spinefx::pipeline::{Artifact, Input, Options, Output, PipelineError, Segmentation};
use spinefx::service::client;
use spinefx::service::pb::segment_volume_header::Payload;
use spinefx::service::pb::segment_volume_request::Message;
use spinefx::service::pb::segment_volume_response::Event;
use spinefx::service::pb::segmentation_plugin_service_client::SegmentationPluginServiceClient;
use spinefx::service::{ServeConfig, ServeError, Server, pb};
use spinefx::volume::{Grid, Volume};
use spinefx::worker::{Engine, ModelInfo};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt;

pub type Client = SegmentationPluginServiceClient<Channel>;

/// What the engine saw, and the word for its slow model to end.
#[derive(Default)]
pub struct Seen {
    pub started: AtomicUsize,
    pub cancelled: AtomicUsize,
    pub release: AtomicBool,
}

/// `threshold` marks what is above 200; `slow` works until it is released; `panic` does.
pub struct Fake {
    pub models: Vec<ModelInfo>,
    pub seen: Arc<Seen>,
}

pub fn model(name: &str) -> ModelInfo {
    ModelInfo {
        name: name.into(),
        version: "1.2.3".into(),
        description: "for tests".into(),
        architecture: "none".into(),
        plane: "axial".into(),
        spacing_mm: [1.0; 3],
        weights_sha256: "ab".repeat(32),
    }
}

/// Files and instances become a row of voxels, so that a test sees in the mask what arrived.
fn volume(input: Input) -> Volume<i16> {
    let row: Vec<i16> = match input {
        Input::Voxels(volume) => return volume,
        Input::File { bytes, .. } => bytes.into_iter().map(i16::from).collect(),
        Input::Instances(all) => all.into_iter().flat_map(|(_, bytes)| bytes).map(i16::from).collect(),
        Input::Series(series) => return series.volume,
    };
    Volume::new(Grid::axis_aligned([row.len(), 1, 1], [1.0; 3], [0.0; 3]).unwrap(), row).unwrap()
}

impl Engine for Fake {
    fn describe(&self) -> Vec<ModelInfo> {
        self.models.clone()
    }

    fn segment(
        &mut self,
        model: &str,
        input: Input,
        options: &Options,
        monitor: &Monitor,
    ) -> Result<Segmentation, PipelineError> {
        self.seen.started.fetch_add(1, Ordering::SeqCst);
        let mut turns = 0;
        while model == "slow" && !self.seen.release.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
            turns += 1;
            monitor.step(Stage::Infer, turns, 0).inspect_err(|_| {
                self.seen.cancelled.fetch_add(1, Ordering::SeqCst);
            })?;
        }
        assert!(model != "panic", "as asked");
        let source = if let Input::Series(series) = &input { Some(series.source.clone()) } else { None };
        let mask = volume(input).map(|hu| u8::from(*hu > 200));
        let mut artifacts = Vec::new();
        for output in &options.outputs {
            let (name, media_type, bytes) = match (output, &source) {
                (Output::Labelmap, _) => ("mask.raw", "application/octet-stream", mask.voxels().to_vec()),
                (Output::DicomSeg, Some(source)) => {
                    let seg = write_segmentation(&mask, source, &algorithm()).unwrap();
                    ("mask.seg.dcm", Output::DICOM, seg)
                }
                other => panic!("not made here: {other:?}"),
            };
            artifacts.push(Artifact { name: name.into(), media_type: media_type.into(), bytes });
        }
        let timings =
            vec![(Stage::Decode, Duration::from_millis(1)), (Stage::Infer, Duration::from_millis(2))];
        let notes = vec![format!("threshold {:?}", options.threshold)];
        let findings = vec![finding()];
        Ok(Segmentation { mask, findings, probabilities: None, source, artifacts, timings, notes })
    }
}

fn algorithm() -> Algorithm {
    Algorithm { name: "fake".into(), version: "1.2.3".into(), weights_sha256: "ab".repeat(32) }
}

pub fn finding() -> spinefx::postprocess::Finding {
    spinefx::postprocess::Finding {
        id: 1,
        segment: 1,
        volume_mm3: 12.5,
        centroid_lps: [1.0, -2.0, 3.0],
        box_lps: [[0.0, -3.0, 2.0], [2.0, -1.0, 4.0]],
        box_vox: [[0, 1], [2, 3], [4, 5]],
        mean_probability: 0.75,
        max_probability: 0.875,
        slice: 4,
    }
}

/// A server under test. Dropping it leaves it to the runtime's end.
pub struct Running {
    pub url: String,
    pub seen: Arc<Seen>,
    pub stop: Option<oneshot::Sender<()>>,
    pub ended: tokio::task::JoinHandle<Result<(), ServeError>>,
}

pub fn config() -> ServeConfig {
    ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), ..ServeConfig::default() }
}

impl Running {
    pub async fn start(config: ServeConfig) -> Self {
        Self::with_models(config, ["threshold", "slow", "panic"].map(model).to_vec()).await
    }

    pub async fn with_models(config: ServeConfig, models: Vec<ModelInfo>) -> Self {
        let seen = Arc::new(Seen::default());
        let theirs = seen.clone();
        let make = move |_| Ok(Fake { models: models.clone(), seen: theirs.clone() });
        let server = Server::bind(config, make).await.unwrap();
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { url, seen, stop: Some(stop), ended }
    }

    pub async fn channel(&self) -> Channel {
        Endpoint::new(self.url.clone()).unwrap().connect().await.unwrap()
    }

    pub async fn client(&self) -> Client {
        SegmentationPluginServiceClient::new(self.channel().await)
    }

    /// Waits until the engine has begun `n` jobs.
    pub async fn started(&self, n: usize) {
        until("jobs to start", || self.seen.started.load(Ordering::SeqCst) >= n).await;
    }

    /// Waits until the engine has noticed `n` cancellations.
    pub async fn cancelled(&self, n: usize) {
        until("the engine to stop", || self.seen.cancelled.load(Ordering::SeqCst) >= n).await;
    }
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A 4×3×2 volume with bone at every third voxel.
pub fn ct() -> Volume<i16> {
    let grid = Grid::new(
        [4, 3, 2],
        [0.5, 0.75, 2.0],
        [-10.0, 20.0, 30.5],
        [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
    );
    Volume::new(grid.unwrap(), (0..24).map(|n| if n % 3 == 0 { 900 } else { -50 }).collect()).unwrap()
}

pub fn mask_of_ct() -> Vec<u8> {
    (0..24).map(|n| u8::from(n % 3 == 0)).collect()
}

pub fn header() -> pb::SegmentVolumeHeader {
    let raw = pb::RawVolume {
        grid: Some(spinefx::service::convert::grid_message(ct().grid())),
        voxel_type: pb::VoxelType::Int16 as i32,
    };
    pb::SegmentVolumeHeader { payload: Some(Payload::Raw(raw)), ..pb::SegmentVolumeHeader::default() }
}

pub fn header_for(model: &str) -> pb::SegmentVolumeHeader {
    pb::SegmentVolumeHeader { model: model.into(), ..header() }
}

pub fn voxel_bytes() -> Vec<u8> {
    ct().voxels().iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub fn first(header: pb::SegmentVolumeHeader) -> pb::SegmentVolumeRequest {
    pb::SegmentVolumeRequest { message: Some(Message::Header(header)) }
}

pub fn chunk(part: u32, data: impl Into<Vec<u8>>) -> pb::SegmentVolumeRequest {
    let data = data.into().into();
    pb::SegmentVolumeRequest { message: Some(Message::Chunk(pb::Chunk { part, data })) }
}

/// Header and voxels of [`ct`].
pub fn good() -> Vec<pb::SegmentVolumeRequest> {
    vec![first(header()), chunk(0, voxel_bytes())]
}

pub fn good_for(model: &str) -> Vec<pb::SegmentVolumeRequest> {
    vec![first(header_for(model)), chunk(0, voxel_bytes())]
}

/// Sends messages and collects all events, or the status that ended them.
pub async fn call(
    client: &mut Client,
    messages: Vec<pb::SegmentVolumeRequest>,
) -> Result<Vec<Event>, Status> {
    let mut stream = client.segment_volume(tokio_stream::iter(messages)).await?.into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await? {
        events.push(message.event.unwrap());
    }
    Ok(events)
}

/// The bytes of all outputs, one after the other.
pub fn chunks_of(events: &[Event]) -> Vec<u8> {
    let data =
        events.iter().filter_map(|e| if let Event::Chunk(c) = e { Some(c.data.to_vec()) } else { None });
    data.flatten().collect()
}

pub fn result_of(events: &[Event]) -> &pb::Result {
    events.iter().find_map(|e| if let Event::Result(r) = e { Some(r) } else { None }).unwrap()
}

/// The reason in a status's only ErrorInfo.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details_vec();
    let infos = details.iter().filter(|d| matches!(d, tonic_types::ErrorDetail::ErrorInfo(_))).count();
    assert_eq!(infos, 1, "exactly one ErrorInfo: {status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "spinefx");
    assert!(info.reason.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{}", info.reason);
    for value in info.metadata.values() {
        assert!(status.message().contains(value), "{value} is not in the message {:?}", status.message());
    }
    info.reason
}

/// A request of our own client, for a labelmap.
pub fn request(server: &Running) -> client::Request {
    let outputs = BTreeSet::from([Output::Labelmap]);
    let options = Options { threshold: Some(0.25), outputs, ..Options::default() };
    client::Request { server: server.url.clone(), token: None, model: String::new(), options }
}
