//! The course of one SegmentVolume: header, upload, work, outputs.

use super::call::{Call, Event, blocking};
use super::convert;
use super::error::RequestError;
use super::header::{self, Payload};
use super::pb;
use super::upload::Upload;
use crate::pipeline::Input;
use crate::worker::Job;
use pb::segment_volume_request::Message;
use pb::segment_volume_response::Event as Response;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

/// One request.
pub(super) struct SegmentVolume {
    pub call: Call<pb::SegmentVolumeResponse>,
    pub stream: Streaming<pb::SegmentVolumeRequest>,
}

impl From<Event> for pb::SegmentVolumeResponse {
    fn from(event: Event) -> Self {
        let event = match event {
            Event::Accepted(accepted) => Response::Accepted(accepted),
            Event::Progress(progress) => Response::Progress(progress),
            Event::Result(result) => Response::Result(result),
            Event::Chunk(chunk) => Response::Chunk(chunk),
            Event::Completed(completed) => Response::Completed(completed),
        };
        Self { event: Some(event) }
    }
}

impl SegmentVolume {
    /// Works until the outputs are sent, or until something ends it.
    pub(super) async fn run(self) {
        self.call.clone().run(self.work()).await;
    }

    async fn work(mut self) -> Result<(), RequestError> {
        let Some(Message::Header(header)) = self.next().await? else { return Err(RequestError::NoHeader) };
        let plan = header::plan(header, &self.call.shared.config.limits, self.call.shared.worker.models())?;
        tracing::Span::current().record("payload", plan.payload.kind());
        let (_guard, ticket) = self.call.admit(&plan.asked).await?;

        let input = self.receive(plan.payload, plan.gzip_upload).await?;
        let asked = plan.asked;
        let job = Job { model: asked.model.name.clone(), input, options: asked.options.clone() };
        let mut made = self.call.segment(ticket, job).await?;
        let artifacts = std::mem::take(&mut made.artifacts);
        let timings = convert::timings(&made.timings);
        self.call.answer(&asked, made, artifacts).await?;
        self.call.completed(timings).await
    }

    /// The client's next message; `None` at the end of its stream.
    async fn next(&mut self) -> Result<Option<Message>, RequestError> {
        let config = &self.call.shared.config;
        let idle_s = config.upload_idle_s;
        let next = timeout(Duration::from_secs(idle_s.into()), self.stream.message()).await;
        let message = next.map_err(|_| RequestError::UploadStalled { idle_s: idle_s.into() })?;
        let limit = config.limits.message_bytes;
        let message = message.map_err(|status| broken(&status, limit))?;
        match message {
            Some(pb::SegmentVolumeRequest { message: None }) => Err(RequestError::NoChunk),
            Some(pb::SegmentVolumeRequest { message }) => Ok(message),
            None => Ok(None),
        }
    }

    async fn receive(&mut self, payload: Payload, gzip: bool) -> Result<Input, RequestError> {
        let mut upload = Upload::new(payload, gzip, &self.call.shared.config.limits);
        while let Some(message) = self.next().await? {
            let Message::Chunk(chunk) = message else { return Err(RequestError::NoChunk) };
            upload.push(&chunk)?;
        }
        blocking(move || upload.finish()).await?
    }
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
