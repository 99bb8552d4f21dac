//! The RPCs of `segplugin.v1.SegmentationPluginService`.

use super::call::{Call, Event};
use super::pb;
use super::pb::segmentation_plugin_service_server::SegmentationPluginService;
use super::series::SegmentSeries;
use super::session::Shared;
use super::volume::SegmentVolume;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

/// Events that may wait for a client to read them: with chunks of 1 MiB, the memory that a slow one holds.
const EVENTS: usize = 4;

/// The service.
pub(super) struct SegPlugin {
    pub shared: Arc<Shared>,
    pub manifest: pb::Manifest,
}

#[tonic::async_trait]
impl SegmentationPluginService for SegPlugin {
    async fn get_manifest(
        &self,
        _: Request<pb::GetManifestRequest>,
    ) -> Result<Response<pb::GetManifestResponse>, Status> {
        Ok(Response::new(pb::GetManifestResponse { manifest: Some(self.manifest.clone()) }))
    }

    async fn list_models(
        &self,
        _: Request<pb::ListModelsRequest>,
    ) -> Result<Response<pb::ListModelsResponse>, Status> {
        Ok(Response::new(pb::ListModelsResponse { models: self.manifest.models.clone() }))
    }

    type SegmentVolumeStream = ReceiverStream<Result<pb::SegmentVolumeResponse, Status>>;

    type SegmentSeriesStream = ReceiverStream<Result<pb::SegmentSeriesResponse, Status>>;

    /// Answers at once with a stream of events; the work goes on beside it.
    async fn segment_volume(
        &self,
        request: Request<Streaming<pb::SegmentVolumeRequest>>,
    ) -> Result<Response<Self::SegmentVolumeStream>, Status> {
        let (call, events) = self.call(request.metadata());
        let volume = SegmentVolume { call, stream: request.into_inner() };
        tokio::spawn(volume.run().instrument(span()));
        Ok(Response::new(events))
    }

    /// The same, with a series that the server fetches itself.
    async fn segment_series(
        &self,
        request: Request<pb::SegmentSeriesRequest>,
    ) -> Result<Response<Self::SegmentSeriesStream>, Status> {
        let (call, events) = self.call(request.metadata());
        let series = SegmentSeries { call, request: request.into_inner() };
        tokio::spawn(series.run().instrument(span()));
        Ok(Response::new(events))
    }
}

impl SegPlugin {
    /// A call that begins now, and the stream of its events.
    fn call<M: From<Event>>(&self, metadata: &MetadataMap) -> (Call<M>, ReceiverStream<Result<M, Status>>) {
        let longest = Duration::from_secs(self.shared.config.deadline_s.into());
        let deadline = grpc_timeout(metadata).map_or(longest, |asked| asked.min(longest));
        let (events, stream) = mpsc::channel(EVENTS);
        let call = Call { shared: self.shared.clone(), events, deadline, started: Instant::now() };
        (call, ReceiverStream::new(stream))
    }
}

fn span() -> tracing::Span {
    let empty = tracing::field::Empty;
    tracing::info_span!("segment", request_id = empty, model = empty, payload = empty)
}

/// The client's deadline. tonic honours it only until the first answer, which here comes at once.
fn grpc_timeout(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let value: u64 = plain.then(|| digits.parse().ok()).flatten()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_grpc_specification_writes_them() {
        let parsed = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            grpc_timeout(&metadata)
        };
        assert_eq!(parsed("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parsed("150m"), Some(Duration::from_millis(150)));
        assert_eq!(parsed("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "S", "5", "123456789S", "-1S", "1.5S", "1x"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        assert_eq!(grpc_timeout(&MetadataMap::new()), None);
    }
}
