//! The course of one SegmentSeries: fetch from the archive, work, outputs, store in the archive.

use super::call::{Call, Event, monitor};
use super::convert;
use super::error::RequestError;
use super::header::{self, SeriesPlan};
use super::pb;
use crate::dicom::web::{Archive, WebError};
use crate::monitor::Stage;
use crate::pipeline::{Artifact, Input, Output, PipelineError};
use crate::worker::Job;
use pb::segment_series_response::Event as Response;
use tokio::time::Instant;

/// One request.
pub(super) struct SegmentSeries {
    pub call: Call<pb::SegmentSeriesResponse>,
    pub request: pb::SegmentSeriesRequest,
}

impl From<Event> for pb::SegmentSeriesResponse {
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

impl SegmentSeries {
    /// Works until the mask is stored, or until something ends it.
    pub(super) async fn run(self) {
        self.call.clone().run(self.work()).await;
    }

    async fn work(self) -> Result<(), RequestError> {
        let Self { call, request } = self;
        tracing::Span::current().record("payload", "series");
        let plan = header::series_plan(request, &call.shared.config.limits, call.shared.worker.models())?;
        let SeriesPlan { asked, series, root, authorization, store } = plan;
        let archive = call.shared.archives.open(&root, authorization.as_deref()).map_err(web)?;
        let (_guard, ticket) = call.admit(&asked).await?;

        let mut clock = Clock { timings: Vec::new(), last: Instant::now() };
        let (monitor, reports) = monitor(Stage::Fetch);
        let pull = archive.pull(&series, asked.options.read_options(), &monitor);
        let input = Input::Series(Box::new(call.reporting(reports, || None, pull).await.map_err(web)?));
        clock.end(Stage::Fetch);

        let mut options = asked.options.clone();
        if store {
            options.outputs.insert(Output::DicomSeg);
        }
        let job = Job { model: asked.model.name.clone(), input, options };
        let mut made = call.segment(ticket, job).await?;
        clock.timings.extend(convert::timings(&made.timings));

        let mut artifacts = std::mem::take(&mut made.artifacts);
        let inline = asked.options.outputs.contains(&Output::DicomSeg);
        let seg = store.then(|| take_seg(&mut artifacts, inline)).transpose();
        // The mask goes to the client before anything can go wrong in the archive.
        call.answer(&asked, made, artifacts).await?;
        clock.last = Instant::now();
        if let Some(seg) = seg? {
            put(&call, &archive, &series.study_uid, seg).await?;
            clock.end(Stage::Store);
        }
        call.completed(clock.timings).await
    }
}

fn web(error: WebError) -> RequestError {
    RequestError::Pipeline(PipelineError::from(error))
}

/// The DICOM SEG among the outputs; it stays there when it was asked for inline.
fn take_seg(artifacts: &mut Vec<Artifact>, inline: bool) -> Result<Vec<u8>, RequestError> {
    let at = artifacts.iter().position(|a| a.media_type == Output::DICOM).ok_or(RequestError::NoSeg)?;
    Ok(if inline { artifacts[at].bytes.clone() } else { artifacts.remove(at).bytes })
}

async fn put(
    call: &Call<pb::SegmentSeriesResponse>,
    archive: &Archive,
    study_uid: &str,
    seg: Vec<u8>,
) -> Result<(), RequestError> {
    let (_, reports) = monitor(Stage::Store);
    let stored = call.reporting(reports, || None, archive.store(study_uid, seg)).await.map_err(web)?;
    let stored = pb::Stored {
        study_uid: stored.study_uid,
        series_uid: stored.series_uid,
        sop_instance_uid: stored.sop_instance_uid,
        retrieve_url: stored.retrieve_url,
    };
    call.send_message(pb::SegmentSeriesResponse { event: Some(Response::Stored(stored)) }).await
}

/// Wall time of the stages around the pipeline.
struct Clock {
    timings: Vec<pb::StageTiming>,
    last: Instant,
}

impl Clock {
    fn end(&mut self, stage: Stage) {
        self.timings.extend(convert::timings(&[(stage, self.last.elapsed())]));
        self.last = Instant::now();
    }
}
