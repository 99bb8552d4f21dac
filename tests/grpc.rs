//! The service over a real socket: what comes back, in which order, and how it stops.

mod fake;

use fake::{
    Client, Running, call, chunk, chunks_of, config, ct, finding, first, good, good_for, header, header_for,
    mask_of_ct, reason, request, result_of, until, voxel_bytes,
};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use spinefx::itk::FileFormat;
use spinefx::service::client::{self, ClientError, Upload};
use spinefx::service::pb::segment_volume_header::Payload;
use spinefx::service::pb::segment_volume_response::Event;
use spinefx::service::{ServeConfig, pb};
use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_raw_volume_comes_back_as_a_mask_on_its_grid() {
    let server = Running::start(config()).await;
    let id = "6f6f8f3a-4d0e-4b5e-9a51-0c1f7f0f3b11";
    let mut asked = header();
    asked.request_id = id.into();
    let events = call(&mut server.client().await, vec![first(asked), chunk(0, voxel_bytes())]).await.unwrap();

    let Event::Accepted(accepted) = &events[0] else { panic!("{:?}", events[0]) };
    assert_eq!((accepted.request_id.as_str(), accepted.queue_place), (id, 0));
    let order: Vec<u8> = events
        .iter()
        .map(|e| match e {
            Event::Accepted(_) => 0,
            Event::Progress(_) => 1,
            Event::Result(_) => 2,
            Event::Chunk(_) => 3,
            Event::Completed(_) => 4,
        })
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    let result = result_of(&events);
    assert_eq!(result.grid, Some(spinefx::service::convert::grid_message(ct().grid())));
    assert_eq!((result.model.as_str(), result.weights_sha256.len()), ("threshold", 64));
    assert_eq!(result.outputs.len(), 1);
    assert_eq!((result.outputs[0].name.as_str(), result.outputs[0].byte_count), ("mask.raw", 24));
    assert_eq!(chunks_of(&events), mask_of_ct());
    let Some(Event::Completed(completed)) = events.last() else { panic!("not completed") };
    assert_eq!(completed.timings.len(), 2);
}

#[tokio::test]
async fn our_client_sends_voxels_files_and_instances() {
    let server = Running::start(config()).await;
    let answer = client::segment(request(&server), Upload::Voxels(ct()), |_| {}).await.unwrap();
    assert_eq!(answer.grid, *ct().grid());
    assert_eq!(answer.findings, [finding()]);
    assert_eq!(answer.artifacts[0].bytes, mask_of_ct());
    assert_eq!(answer.notes, ["threshold Some(0.25)"]);
    assert_eq!(answer.timings.len(), 2);

    // Longer than two chunks, so that cutting and joining are seen.
    let bytes: Vec<u8> = (0..2_500_000_u32).map(|n| (n % 251) as u8).collect();
    let marked: Vec<u8> = bytes.iter().map(|b| u8::from(*b > 200)).collect();
    let file = Upload::File { format: FileFormat::Nrrd, bytes: bytes.clone() };
    let answer = client::segment(request(&server), file, |_| {}).await.unwrap();
    assert!(answer.artifacts[0].bytes == marked);

    let instances: Vec<_> = bytes.chunks(1_200_000).map(|b| ("name".to_owned(), b.to_vec())).collect();
    let upload = Upload::instances(instances.into_iter().map(Ok::<_, std::io::Error>));
    let answer = client::segment(request(&server), upload, |_| {}).await.unwrap();
    assert!(answer.artifacts[0].bytes == marked);
}

/// Half a series must not be segmented as if it were all of it.
#[tokio::test]
async fn an_input_that_cannot_be_read_ends_the_request() {
    let server = Running::start(config()).await;
    let broken = [Ok(("a".to_owned(), vec![1; 10])), Err(std::io::Error::other("disk on fire"))];
    let error = client::segment(request(&server), Upload::instances(broken.into_iter()), |_| {}).await;
    assert!(matches!(&error, Err(ClientError::Input(e)) if e.to_string().contains("fire")), "{error:?}");
    call(&mut server.client().await, good()).await.unwrap();
    assert_eq!(server.seen.started.load(Ordering::SeqCst), 1, "only the good request reached the engine");
}

#[tokio::test]
async fn messages_and_payloads_may_be_gzip() {
    let server = Running::start(config()).await;
    let gzip = tonic::codec::CompressionEncoding::Gzip;
    let mut client = server.client().await.send_compressed(gzip).accept_compressed(gzip);
    assert_eq!(chunks_of(&call(&mut client, good()).await.unwrap()), mask_of_ct());

    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&voxel_bytes()).unwrap();
    let mut asked = header();
    asked.upload_compression = pb::Compression::Gzip as i32;
    asked.options = Some(pb::SegmentOptions {
        output_compression: pb::Compression::Gzip as i32,
        ..pb::SegmentOptions::default()
    });
    let messages = vec![first(asked), chunk(0, encoder.finish().unwrap())];
    let events = call(&mut server.client().await, messages).await.unwrap();
    assert_eq!(result_of(&events).outputs[0].compression(), pb::Compression::Gzip);
    let mut mask = Vec::new();
    GzDecoder::new(&chunks_of(&events)[..]).read_to_end(&mut mask).unwrap();
    assert_eq!(mask, mask_of_ct());
}

#[tokio::test]
async fn health_and_models_answer() {
    let server = Running::start(config()).await;
    let channel = server.channel().await;
    for service in ["", "segplugin.v1.SegmentationPluginService"] {
        let check = HealthCheckRequest { service: service.into() };
        let status = HealthClient::new(channel.clone()).check(check).await.unwrap().into_inner().status();
        assert_eq!(status, tonic_health::pb::health_check_response::ServingStatus::Serving);
    }
    let models =
        server.client().await.list_models(pb::ListModelsRequest {}).await.unwrap().into_inner().models;
    let defaults: Vec<_> = models.iter().filter(|m| m.default).map(|m| m.name.as_str()).collect();
    assert_eq!((models.len(), defaults), (3, vec!["threshold"]));
}

#[tokio::test]
async fn reflection_answers_in_its_new_version() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let server = Running::start(config()).await;
    let ask = MessageRequest::ListServices(String::new());
    let ask = ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let mut client = ServerReflectionClient::new(server.channel().await);
    let mut stream = client.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let found = format!("{:?}", stream.message().await.unwrap().unwrap().message_response);
    for name in ["segplugin.v1.SegmentationPluginService", "grpc.health.v1.Health"] {
        assert!(found.contains(&format!("{name:?}")), "{name}: {found}");
    }
}

#[tokio::test]
async fn reflection_answers_in_its_old_version() {
    use tonic_reflection::pb::v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let server = Running::start(config()).await;
    let ask = MessageRequest::FileContainingSymbol("segplugin.v1.Manifest".into());
    let ask = ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let mut client = ServerReflectionClient::new(server.channel().await);
    let mut stream = client.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let found = format!("{:?}", stream.message().await.unwrap().unwrap().message_response);
    assert!(found.contains("FileDescriptorResponse"), "{found}");
}

/// A SegmentVolume whose upload is done: its events so far, and the stream.
async fn begin(
    client: &mut Client,
    messages: Vec<pb::SegmentVolumeRequest>,
) -> (pb::Accepted, tonic::Streaming<pb::SegmentVolumeResponse>) {
    let mut stream = client.segment_volume(tokio_stream::iter(messages)).await.unwrap().into_inner();
    let event = stream.message().await.unwrap().unwrap().event.unwrap();
    let Event::Accepted(accepted) = event else { panic!("{event:?}") };
    (accepted, stream)
}

#[tokio::test]
async fn work_is_reported_at_least_every_second() {
    let server = Running::start(config()).await;
    let (_, mut stream) = begin(&mut server.client().await, good_for("slow")).await;
    let (started, mut last, mut reports) = (Instant::now(), Instant::now(), 0);
    let mut longest = Duration::ZERO;
    while started.elapsed() < Duration::from_millis(2500) {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        assert!(matches!(event, Event::Progress(_)), "{event:?}");
        longest = longest.max(last.elapsed());
        last = Instant::now();
        reports += 1;
    }
    assert!(longest < Duration::from_secs(1), "{longest:?} without a word");
    assert!(reports >= 3, "{reports}");
    server.seen.release.store(true, Ordering::SeqCst);
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    assert_eq!(chunks_of(&events), mask_of_ct());
}

#[tokio::test]
async fn a_client_that_cancels_stops_the_work() {
    let server = Running::start(config()).await;
    let (_, stream) = begin(&mut server.client().await, good_for("slow")).await;
    server.started(1).await;
    drop(stream);
    server.cancelled(1).await;
    call(&mut server.client().await, good()).await.unwrap();
}

#[tokio::test]
async fn the_client_s_deadline_stops_the_work() {
    let server = Running::start(config()).await;
    let mut request = Request::new(tokio_stream::iter(good_for("slow")));
    request.set_timeout(Duration::from_millis(400));
    let started = Instant::now();
    let mut stream = server.client().await.segment_volume(request).await.unwrap().into_inner();
    let status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it completed"),
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE"));
    assert!(started.elapsed() < Duration::from_secs(2));
    server.cancelled(1).await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_says_when_to_come_back() {
    let server = Running::start(ServeConfig { queue_length: 1, ..config() }).await;
    let mut client = server.client().await;
    call(&mut client, good()).await.unwrap();
    let (working, first_stream) = begin(&mut client, good_for("slow")).await;
    server.started(2).await;
    let (waiting, mut second_stream) = begin(&mut client, good_for("slow")).await;
    assert_eq!((working.queue_place, waiting.queue_place), (0, 1));
    assert!(waiting.expected_wait_s.is_some(), "one job has ended, so a duration is known");
    let event = second_stream.message().await.unwrap().unwrap().event.unwrap();
    let Event::Progress(progress) = event else { panic!("{event:?}") };
    assert_eq!((progress.stage(), progress.queue_place), (pb::Stage::Queued, 1));

    let refused = call(&mut client, good()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "QUEUE_FULL"));
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());

    // One who leaves the queue makes room, although the worker is busy still.
    drop(second_stream);
    let (_, third_stream) = loop {
        let again = client.segment_volume(tokio_stream::iter(good_for("slow"))).await.unwrap();
        let mut stream = again.into_inner();
        if let Ok(Some(event)) = stream.message().await {
            break (event, stream);
        }
    };
    drop((first_stream, third_stream));
    server.cancelled(1).await;
}

#[tokio::test]
async fn the_same_id_is_not_worked_on_twice_at_a_time() {
    let server = Running::start(config()).await;
    let mut client = server.client().await;
    let messages = |model: &str| {
        let request_id = "00000000-0000-4000-8000-000000000001".to_owned();
        vec![first(pb::SegmentVolumeHeader { request_id, ..header_for(model) }), chunk(0, voxel_bytes())]
    };
    let (_, mut stream) = begin(&mut client, messages("slow")).await;
    let refused = call(&mut client, messages("threshold")).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::AlreadyExists, "DUPLICATE_REQUEST"));
    server.seen.release.store(true, Ordering::SeqCst);
    while stream.message().await.unwrap().is_some() {}
    call(&mut client, messages("threshold")).await.unwrap();
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let server = Running::start(config()).await;
    let mut client = server.client().await;
    let lost = call(&mut client, good_for("panic")).await.unwrap_err();
    assert_eq!((lost.code(), reason(&lost).as_str()), (Code::Internal, "WORKER_PANIC"));
    assert!(!lost.message().contains("as asked"), "the panic's own words stay here");
    assert_eq!(chunks_of(&call(&mut client, good()).await.unwrap()), mask_of_ct());
}

#[tokio::test]
async fn stopping_lets_work_end_and_refuses_more() {
    let mut server = Running::start(config()).await;
    let mut client = server.client().await;
    let (_, mut stream) = begin(&mut client, good_for("slow")).await;
    server.started(1).await;
    server.stop.take().unwrap().send(()).unwrap();
    let channel = server.channel().await;
    let mut health = HealthClient::new(channel);
    loop {
        let status = health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status();
        if status == tonic_health::pb::health_check_response::ServingStatus::NotServing {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = call(&mut client, good()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "DRAINING"));
    assert!(!server.ended.is_finished());
    server.seen.release.store(true, Ordering::SeqCst);
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    assert_eq!(chunks_of(&events), mask_of_ct());
    tokio::time::timeout(Duration::from_secs(5), server.ended).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn work_that_outlasts_the_drain_is_cancelled_and_told() {
    let mut server = Running::start(ServeConfig { drain_s: 0, ..config() }).await;
    let (_, mut stream) = begin(&mut server.client().await, good_for("slow")).await;
    server.started(1).await;
    server.stop.take().unwrap().send(()).unwrap();
    let status = loop {
        if let Err(status) = stream.message().await {
            break status;
        }
    };
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "DRAINING"));
    server.cancelled(1).await;
    tokio::time::timeout(Duration::from_secs(5), server.ended).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_vanishes_in_mid_upload_frees_its_place() {
    let server = Running::start(ServeConfig { queue_length: 0, ..config() }).await;
    let (messages, stream) = mpsc::channel(4);
    let mut client = server.client().await;
    messages.send(first(header())).await.unwrap();
    messages.send(chunk(0, vec![0; 10])).await.unwrap();
    let mut events = client.segment_volume(ReceiverStream::new(stream)).await.unwrap().into_inner();
    events.message().await.unwrap().unwrap();
    let mut other = server.client().await;
    assert_eq!(call(&mut other, good()).await.unwrap_err().code(), Code::ResourceExhausted);
    drop((messages, events, client));
    let mut freed = false;
    for _ in 0..200 {
        freed = call(&mut other, good()).await.is_ok();
        if freed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(freed, "the place was not freed");
}

#[tokio::test]
async fn a_client_that_falls_silent_in_mid_upload_is_given_up() {
    let server = Running::start(ServeConfig { upload_idle_s: 1, ..config() }).await;
    let (messages, stream) = mpsc::channel(4);
    messages.send(first(header())).await.unwrap();
    let mut client = server.client().await;
    let mut events = client.segment_volume(ReceiverStream::new(stream)).await.unwrap().into_inner();
    events.message().await.unwrap().unwrap();
    let status = events.message().await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "UPLOAD_STALLED"));
    drop(messages);
}

#[tokio::test]
async fn instances_need_no_count_but_are_held_to_it() {
    let server = Running::start(config()).await;
    let dicom = |instance_count| {
        let payload = Some(Payload::Dicom(pb::DicomInstances { instance_count }));
        first(pb::SegmentVolumeHeader { payload, ..pb::SegmentVolumeHeader::default() })
    };
    let mut client = server.client().await;
    let parts = || [chunk(0, [250, 1]), chunk(0, [2]), chunk(1, [251])];
    for count in [0, 2] {
        let events = call(&mut client, [vec![dicom(count)], parts().to_vec()].concat()).await.unwrap();
        assert_eq!(chunks_of(&events), [1, 0, 0, 1]);
    }
    let refused = call(&mut client, [vec![dicom(3)], parts().to_vec()].concat()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INSTANCE_COUNT"));
}

#[tokio::test]
async fn the_event_loop_is_free_while_the_engine_works() {
    let server = Running::start(config()).await;
    let (_, stream) = begin(&mut server.client().await, good_for("slow")).await;
    server.started(1).await;
    let started = Instant::now();
    server.client().await.get_manifest(pb::GetManifestRequest {}).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    drop(stream);
    until("the end", || server.seen.cancelled.load(Ordering::SeqCst) == 1).await;
}
