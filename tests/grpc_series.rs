//! SegmentSeries with a real Orthanc: what comes back, what is stored, and what goes wrong.

mod archive;
mod fake;

use archive::orthanc::Orthanc;
use archive::{fill, open, segs, settings, start};
use fake::{Client, Running, config, reason};
use pb::segment_series_response::Event;
use spinefx::dicom::{Limits, Segmentation, Series};
use spinefx::service::{ServeConfig, pb};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tonic::{Code, Status};

fn serving(orthanc: &Orthanc) -> ServeConfig {
    ServeConfig { archives: settings(orthanc), ..config() }
}

fn asked(orthanc: &Orthanc, series: &Series) -> pb::SegmentSeriesRequest {
    let source = pb::DicomWebSeries {
        root: orthanc.root.clone(),
        study_uid: series.source.study_instance_uid().into(),
        series_uid: series.source.series_instance_uid().into(),
        authorization: String::new(),
    };
    pb::SegmentSeriesRequest { source: Some(source), ..Default::default() }
}

async fn call(client: &mut Client, request: pb::SegmentSeriesRequest) -> (Vec<Event>, Option<Status>) {
    let mut stream = client.segment_series(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => events.push(message.event.unwrap()),
            Ok(None) => return (events, None),
            Err(status) => return (events, Some(status)),
        }
    }
}

fn stored(events: &[Event]) -> &pb::Stored {
    events.iter().find_map(|e| if let Event::Stored(s) = e { Some(s) } else { None }).expect("stored")
}

fn rank(event: &Event) -> u8 {
    match event {
        Event::Accepted(_) => 0,
        Event::Progress(p) if p.stage() == pb::Stage::Store => 4,
        Event::Progress(_) => 1,
        Event::Result(_) => 2,
        Event::Chunk(_) => 3,
        Event::Stored(_) => 5,
        Event::Completed(_) => 6,
    }
}

#[tokio::test]
async fn the_mask_of_a_series_lies_in_its_archive() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let series = fill(&archive, "a", 0..12).await;
    let server = Running::start(serving(&orthanc)).await;
    let mut request = asked(&orthanc, &series);
    request.options = Some(pb::SegmentOptions {
        outputs: vec![pb::OutputKind::Labelmap as i32, pb::OutputKind::DicomSeg as i32],
        ..Default::default()
    });
    let (events, status) = call(&mut server.client().await, request).await;
    assert!(status.is_none(), "{status:?}");
    assert!(events.iter().map(rank).is_sorted(), "{events:?}");
    let stages =
        events.iter().filter_map(|e| if let Event::Progress(p) = e { Some(p.stage()) } else { None });
    assert!(stages.into_iter().any(|stage| stage == pb::Stage::Fetch));

    let wanted: Vec<u8> = series.volume.voxels().iter().map(|hu| u8::from(*hu > 200)).collect();
    assert!(wanted.contains(&1));
    let Some(Event::Result(result)) = events.iter().find(|e| matches!(e, Event::Result(_))) else { panic!() };
    let names: Vec<_> = result.outputs.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["mask.raw", "mask.seg.dcm"]);
    let of = |part: u32| -> Vec<u8> {
        let data = events.iter().filter_map(|e| if let Event::Chunk(c) = e { Some(c) } else { None });
        data.filter(|c| c.part == part).flat_map(|c| c.data.to_vec()).collect()
    };
    assert_eq!(of(0), wanted);

    let stored = stored(&events);
    assert_eq!(stored.study_uid, series.source.study_instance_uid());
    assert!(stored.retrieve_url.starts_with(&orthanc.root), "{}", stored.retrieve_url);
    let listed = segs(&archive).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].series_uid, stored.series_uid);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), of(1)).unwrap();
    let seg = Segmentation::open(file.path(), &Limits::default()).unwrap();
    assert_eq!(seg.referenced_series_uid().as_deref(), Some(series.source.series_instance_uid()));
    let on_grid = seg.on_grid(series.volume.grid(), &[1]).unwrap();
    assert!(on_grid.voxels().iter().zip(&wanted).all(|(a, b)| *a == i16::from(*b)));
    let Some(Event::Completed(completed)) = events.last() else { panic!("not completed") };
    let stages: Vec<_> = completed.timings.iter().map(pb::StageTiming::stage).collect();
    assert_eq!((stages.first(), stages.last()), (Some(&pb::Stage::Fetch), Some(&pb::Stage::Store)));
}

#[tokio::test]
async fn asking_again_leaves_one_segmentation_and_skip_store_none() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let series = fill(&archive, "b", 0..6).await;
    let server = Running::start(serving(&orthanc)).await;
    let mut client = server.client().await;
    let request = pb::SegmentSeriesRequest { skip_store: true, ..asked(&orthanc, &series) };
    let (events, status) = call(&mut client, request).await;
    assert!(status.is_none() && !events.iter().any(|e| matches!(e, Event::Stored(_) | Event::Chunk(_))));
    assert!(segs(&archive).await.is_empty());

    let mut uids = Vec::new();
    for _ in 0..2 {
        let (events, status) = call(&mut client, asked(&orthanc, &series)).await;
        assert!(status.is_none(), "{status:?}");
        uids.push(stored(&events).clone());
    }
    assert_eq!(uids[0], uids[1]);
    assert_eq!(segs(&archive).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_reason() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let series = fill(&archive, "c", 0..3).await;
    let server = Running::start(serving(&orthanc)).await;
    let mut client = server.client().await;
    let good = asked(&orthanc, &series);
    let with = |change: &dyn Fn(&mut pb::DicomWebSeries)| {
        let mut request = good.clone();
        change(request.source.as_mut().unwrap());
        request
    };
    let options = |options| pb::SegmentSeriesRequest { options: Some(options), ..good.clone() };
    for (request, code, why) in [
        (pb::SegmentSeriesRequest { source: None, ..good.clone() }, Code::InvalidArgument, "SOURCE_MISSING"),
        (pb::SegmentSeriesRequest { model: "x".into(), ..good.clone() }, Code::NotFound, "UNKNOWN_MODEL"),
        (
            pb::SegmentSeriesRequest { request_id: "x".into(), ..good.clone() },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            options(pb::SegmentOptions { series_uid: "1.2".into(), ..Default::default() }),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            options(pb::SegmentOptions { threshold: Some(2.0), ..Default::default() }),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            with(&|s| s.root = "http://169.254.169.254/dicom-web".into()),
            Code::PermissionDenied,
            "ARCHIVE_NOT_ALLOWED",
        ),
        (with(&|s| s.study_uid = "1.2/../3".into()), Code::InvalidArgument, "ARCHIVE_UID"),
        (with(&|s| s.series_uid = String::new()), Code::InvalidArgument, "ARCHIVE_UID"),
        (with(&|s| s.authorization = "Bearer a\nb".into()), Code::InvalidArgument, "ARCHIVE_AUTHORIZATION"),
        (with(&|s| s.series_uid = "1.2.3.4".into()), Code::NotFound, "ARCHIVE_NO_SUCH_SERIES"),
    ] {
        let (events, status) = call(&mut client, request.clone()).await;
        let status = status.unwrap_or_else(|| panic!("{request:?} gave {events:?}"));
        assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    }
    assert_eq!(server.seen.started.load(Ordering::SeqCst), 0);
    let (_, status) = call(&mut client, good.clone()).await;
    assert!(status.is_none(), "after all that the server still works: {status:?}");
}

#[tokio::test]
async fn the_mask_arrives_even_when_the_archive_is_gone_by_then() {
    let Some(orthanc) = start() else { return };
    let series = fill(&open(&orthanc), "d", 0..3).await;
    let server = Running::start(serving(&orthanc)).await;
    let request = pb::SegmentSeriesRequest { model: "slow".into(), ..asked(&orthanc, &series) };
    let mut client = server.client().await;
    let calling = tokio::spawn(async move { call(&mut client, request).await });
    server.started(1).await;
    drop(orthanc);
    server.seen.release.store(true, Ordering::SeqCst);
    let (events, status) = calling.await.unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Result(r) if r.findings.len() == 1)));
    let status = status.expect("nothing could be stored");
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "ARCHIVE_UNREACHABLE"));
}

#[tokio::test]
async fn a_cancelled_call_stops_the_work() {
    let Some(orthanc) = start() else { return };
    let series = fill(&open(&orthanc), "e", 0..3).await;
    let server = Running::start(serving(&orthanc)).await;
    let request = pb::SegmentSeriesRequest { model: "slow".into(), ..asked(&orthanc, &series) };
    let stream = server.client().await.segment_series(request).await.unwrap();
    server.started(1).await;
    drop(stream);
    server.cancelled(1).await;

    let mut short =
        tonic::Request::new(pb::SegmentSeriesRequest { model: "slow".into(), ..asked(&orthanc, &series) });
    short.set_timeout(Duration::from_secs(1));
    let mut stream = server.client().await.segment_series(short).await.unwrap().into_inner();
    let status = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "no answer was to come"),
            Err(status) => break status,
        }
    };
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    server.cancelled(2).await;
}
