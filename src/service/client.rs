//! The other side: sends a CT to a server and checks what comes back.

use super::outputs::{CHUNK, sha256_hex};
use super::pb::segmentation_plugin_service_client::SegmentationPluginServiceClient;
use super::{convert, pb};
use crate::itk::FileFormat;
use crate::monitor::Stage;
use crate::pipeline::{Artifact, Options};
use crate::postprocess::Finding;
use crate::volume::{Grid, GridError, Volume};
use pb::segment_volume_header::Payload;
use pb::segment_volume_request::Message;
use pb::segment_volume_response::Event;
use prost::bytes::Bytes;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic_types::StatusExt;

/// Messages that may wait for the network: with chunks of 1 MiB, the memory beyond one instance.
const MESSAGES: usize = 4;
/// How long a server may take to answer the connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Instances in order, each with a name that stays here. An error ends the request.
pub type Instances = Box<dyn Iterator<Item = std::io::Result<(String, Vec<u8>)>> + Send>;

/// What is sent.
pub enum Upload {
    /// Voxels in HU.
    Voxels(Volume<i16>),
    /// A NIfTI, NRRD or MetaImage file.
    File {
        /// Which of these.
        format: FileFormat,
        /// The whole file.
        bytes: Vec<u8>,
    },
    /// DICOM instances, read while they are sent.
    Instances(Instances),
}

impl Upload {
    /// DICOM instances from any iterator.
    pub fn instances<E>(
        instances: impl Iterator<Item = Result<(String, Vec<u8>), E>> + Send + 'static,
    ) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::Instances(Box::new(instances.map(|item| item.map_err(std::io::Error::other))))
    }
}

/// Where to send it and what to ask for.
#[derive(Debug, Clone)]
pub struct Request {
    /// `http://host:port`.
    pub server: String,
    /// Bearer token.
    pub token: Option<String>,
    /// Model by name; empty for the server's default.
    pub model: String,
    /// Threshold and so on, and the wanted outputs.
    pub options: Options,
}

/// How far the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Lower-case name: queued, decode, …
    pub stage: String,
    /// Units done.
    pub done: u64,
    /// Units in all; 0 while unknown.
    pub total: u64,
    /// How many requests must end first, while queued.
    pub queue_place: u32,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Names this request in the server's log.
    pub request_id: String,
    /// The model that did it.
    pub model: String,
    /// The source's grid.
    pub grid: Grid,
    /// Largest first.
    pub findings: Vec<Finding>,
    /// The outputs, whole and with the hash that the server gave.
    pub artifacts: Vec<Artifact>,
    /// The server's wall time per stage.
    pub timings: Vec<(Stage, Duration)>,
    /// What was unusual about the input.
    pub notes: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{server:?} is no address of a server: use http://host:port")]
    Address {
        /// As given.
        server: String,
    },
    /// Nobody answers there.
    #[error("no server answers at {server}: {source}")]
    Connect {
        /// As given.
        server: String,
        /// The transport's reason.
        source: tonic::transport::Error,
    },
    /// The token holds characters that a header cannot.
    #[error("the token cannot be sent: it holds more than visible ASCII characters")]
    Token,
    /// The server refused or failed.
    #[error("{message} ({reason})")]
    Server {
        /// Canonical name of the status code.
        code: String,
        /// Reason of the ErrorInfo; the code where there is none.
        reason: String,
        /// The server's sentence.
        message: String,
    },
    /// The input could not be read to its end.
    #[error("reading the input: {0}")]
    Input(#[source] std::io::Error),
    /// The answer's grid is none.
    #[error("the server's answer: {0}")]
    Grid(#[from] GridError),
    /// An output is not what the server said it would be.
    #[error("output {name}: {expected} was announced, {found} came")]
    Output {
        /// File name.
        name: String,
        /// Announced bytes or hash.
        expected: String,
        /// Received bytes or hash.
        found: String,
    },
    /// The answer ended early or out of order.
    #[error("the server's answer is not as the protocol has it: {0}")]
    Protocol(&'static str),
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> Self {
        let code = format!("{:?}", status.code());
        let reason = status.get_details_error_info().map_or_else(|| code.clone(), |info| info.reason);
        Self::Server { code, reason, message: status.message().to_owned() }
    }
}

/// Sends a CT and waits for the answer, calling `on_progress` on the way. Dropping the future cancels the
/// work on the server.
pub async fn segment(
    request: Request,
    upload: Upload,
    mut on_progress: impl FnMut(Progress),
) -> Result<Answer, ClientError> {
    let Request { server, token, model, options } = request;
    let mut client = SegmentationPluginServiceClient::new(connect(&server).await?);
    let header = pb::SegmentVolumeHeader {
        request_id: uuid::Uuid::new_v4().to_string(),
        model,
        payload: Some(payload(&upload)),
        upload_compression: pb::Compression::Unspecified as i32,
        options: Some(convert::options_message(&options)),
    };
    let (messages, stream) = mpsc::channel(MESSAGES);
    let (failed, failure) = oneshot::channel();
    tokio::task::spawn_blocking(move || send(header, upload, &messages, failed));
    let mut call = tonic::Request::new(ReceiverStream::new(stream));
    if let Some(token) = token {
        let value: MetadataValue<Ascii> =
            format!("Bearer {token}").parse().map_err(|_| ClientError::Token)?;
        call.metadata_mut().insert("authorization", value);
    }
    let answer = async {
        let events = client.segment_volume(call).await?.into_inner();
        receive(events, &mut on_progress).await
    };
    tokio::select! {
        answer = answer => answer,
        Ok((error, _open)) = failure => Err(ClientError::Input(error)),
    }
}

async fn connect(server: &str) -> Result<tonic::transport::Channel, ClientError> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|_| ClientError::Address { server: server.to_owned() })?;
    let endpoint = endpoint.connect_timeout(CONNECT).tcp_nodelay(true);
    endpoint.connect().await.map_err(|source| ClientError::Connect { server: server.to_owned(), source })
}

fn payload(upload: &Upload) -> Payload {
    match upload {
        Upload::Voxels(volume) => Payload::Raw(pb::RawVolume {
            grid: Some(convert::grid_message(volume.grid())),
            voxel_type: pb::VoxelType::Int16 as i32,
        }),
        Upload::File { format, bytes } => Payload::File(pb::EncodedFile {
            format: convert::format_message(*format) as i32,
            byte_count: bytes.len() as u64,
        }),
        Upload::Instances(_) => Payload::Dicom(pb::DicomInstances { instance_count: 0 }),
    }
}

type Messages = mpsc::Sender<pb::SegmentVolumeRequest>;

/// Feeds the request. An input that cannot be read must not look like one that ended, so the sender goes
/// along with the error and the stream stays open until the call is given up.
fn send(
    header: pb::SegmentVolumeHeader,
    upload: Upload,
    messages: &Messages,
    failed: oneshot::Sender<(std::io::Error, Messages)>,
) {
    let push = |message| messages.blocking_send(pb::SegmentVolumeRequest { message: Some(message) }).is_ok();
    let part = |part: u32, bytes: Vec<u8>| {
        super::outputs::chunks(part, Bytes::from(bytes)).all(|chunk| push(Message::Chunk(chunk)))
    };
    if !push(Message::Header(header)) {
        return;
    }
    match upload {
        Upload::File { bytes, .. } => {
            part(0, bytes);
        }
        Upload::Voxels(volume) => {
            let pieces = volume.voxels().chunks(CHUNK / 2);
            let mut bytes =
                pieces.map(|piece| piece.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
            bytes.all(|bytes| part(0, bytes));
        }
        Upload::Instances(instances) => {
            for (number, instance) in instances.enumerate() {
                match instance {
                    Ok((_, bytes)) => {
                        if !part(number as u32, bytes) {
                            return;
                        }
                    }
                    Err(error) => return drop(failed.send((error, messages.clone()))),
                }
            }
        }
    }
}

async fn receive(
    mut events: tonic::Streaming<pb::SegmentVolumeResponse>,
    on_progress: &mut impl FnMut(Progress),
) -> Result<Answer, ClientError> {
    let mut request_id = String::new();
    let mut result: Option<pb::Result> = None;
    let mut outputs: Vec<Vec<u8>> = Vec::new();
    while let Some(message) = events.message().await? {
        match message.event {
            Some(Event::Accepted(accepted)) => request_id = accepted.request_id,
            Some(Event::Progress(progress)) => on_progress(Progress {
                stage: progress.stage().as_str_name().trim_start_matches("STAGE_").to_ascii_lowercase(),
                done: progress.done,
                total: progress.total,
                queue_place: progress.queue_place,
            }),
            Some(Event::Result(announced)) => {
                outputs = vec![Vec::new(); announced.outputs.len()];
                result = Some(announced);
            }
            Some(Event::Chunk(chunk)) => {
                let part = outputs.get_mut(chunk.part as usize);
                part.ok_or(ClientError::Protocol("a chunk of no output"))?.extend_from_slice(&chunk.data);
            }
            Some(Event::Completed(completed)) => {
                let result = result.ok_or(ClientError::Protocol("completed without a result"))?;
                return answer(request_id, result, outputs, &completed);
            }
            // An event of a later version of the protocol.
            None => {}
        }
    }
    Err(ClientError::Protocol("it ended before the work was completed"))
}

fn answer(
    request_id: String,
    result: pb::Result,
    outputs: Vec<Vec<u8>>,
    completed: &pb::Completed,
) -> Result<Answer, ClientError> {
    let grid = convert::grid_of_answer(&result.grid.unwrap_or_default())?;
    let findings = result.findings.iter().map(convert::finding).collect::<Option<Vec<_>>>();
    let artifacts: Result<Vec<_>, _> =
        result.outputs.into_iter().zip(outputs).map(|(output, bytes)| checked(output, bytes)).collect();
    let timing = |t: &pb::StageTiming| {
        // A duration that is negative, NaN or endless would panic.
        Some((convert::stage(t.stage)?, Duration::try_from_secs_f64(t.seconds).ok()?))
    };
    Ok(Answer {
        request_id,
        model: result.model,
        grid,
        findings: findings.ok_or(ClientError::Protocol("a finding without its numbers"))?,
        artifacts: artifacts?,
        timings: completed.timings.iter().filter_map(timing).collect(),
        notes: result.notes,
    })
}

fn checked(output: pb::Output, bytes: Vec<u8>) -> Result<Artifact, ClientError> {
    let pb::Output { name, media_type, byte_count, sha256, .. } = output;
    if byte_count != bytes.len() as u64 {
        let (expected, found) = (format!("{byte_count} bytes"), format!("{} bytes", bytes.len()));
        return Err(ClientError::Output { name, expected, found });
    }
    let found = sha256_hex(&bytes);
    if found != sha256 {
        return Err(ClientError::Output { name, expected: format!("SHA-256 {sha256}"), found });
    }
    Ok(Artifact { name, media_type, bytes })
}
