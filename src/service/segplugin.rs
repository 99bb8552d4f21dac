//! The RPCs of `segplugin.v1.SegmentationPluginService`.

use super::pb;
use super::pb::segmentation_plugin_service_server::SegmentationPluginService;
use super::session::{Session, Shared};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
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

    /// Answers at once with a stream of events; the work goes on beside it.
    async fn segment_volume(
        &self,
        request: Request<Streaming<pb::SegmentVolumeRequest>>,
    ) -> Result<Response<Self::SegmentVolumeStream>, Status> {
        let longest = Duration::from_secs(self.shared.config.deadline_s.into());
        let deadline = grpc_timeout(request.metadata()).map_or(longest, |asked| asked.min(longest));
        let (events, stream) = mpsc::channel(EVENTS);
        let session = Session { shared: self.shared.clone(), stream: request.into_inner(), events, deadline };
        let empty = tracing::field::Empty;
        let span = tracing::info_span!("segment", request_id = empty, model = empty, payload = empty);
        tokio::spawn(session.run().instrument(span));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
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
