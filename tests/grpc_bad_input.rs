//! What is refused, with which status, and that the server goes on.

mod fake;

use fake::{Running, call, chunk, chunks_of, config, first, good, header, mask_of_ct, reason, voxel_bytes};
use spinefx::service::pb::segment_volume_header::Payload;
use spinefx::service::pb::segment_volume_request::Message;
use spinefx::service::{ServeConfig, pb};
use tonic::Code;
use tonic_types::StatusExt;

type Messages = Vec<pb::SegmentVolumeRequest>;

fn with_grid(change: impl FnOnce(&mut pb::Grid)) -> Messages {
    let mut header = header();
    let Some(Payload::Raw(raw)) = &mut header.payload else { unreachable!() };
    change(raw.grid.as_mut().unwrap());
    vec![first(header), chunk(0, voxel_bytes())]
}

fn with_header(change: impl FnOnce(&mut pb::SegmentVolumeHeader)) -> Messages {
    let mut header = header();
    change(&mut header);
    vec![first(header), chunk(0, voxel_bytes())]
}

fn with_options(change: impl FnOnce(&mut pb::SegmentOptions)) -> Messages {
    with_header(|h| change(h.options.get_or_insert_default()))
}

fn with_payload(payload: Payload, chunks: Messages) -> Messages {
    let header = pb::SegmentVolumeHeader { payload: Some(payload), ..pb::SegmentVolumeHeader::default() };
    [vec![first(header)], chunks].concat()
}

fn file(format: i32, byte_count: u64, bytes: usize) -> Messages {
    with_payload(Payload::File(pb::EncodedFile { format, byte_count }), vec![chunk(0, vec![0; bytes])])
}

fn dicom(instance_count: u32, chunks: Messages) -> Messages {
    with_payload(Payload::Dicom(pb::DicomInstances { instance_count }), chunks)
}

struct Case(&'static str, Messages, Code, &'static str, &'static str);

/// name, messages, code, reason, field of the violation
fn grids() -> Vec<Case> {
    const BAD: Code = Code::InvalidArgument;
    let grid = "header.raw.grid";
    let case = |name, messages, reason, field| Case(name, messages, BAD, reason, field);
    vec![
        case(
            "NaN direction",
            with_grid(|g| g.direction[4] = f64::NAN),
            "GRID_DIRECTION",
            "header.raw.grid.direction",
        ),
        case(
            "sheared direction",
            with_grid(|g| g.direction[0] = 0.3),
            "GRID_DIRECTION",
            "header.raw.grid.direction",
        ),
        case(
            "short direction",
            with_grid(|g| g.direction.truncate(8)),
            "FIELD_INVALID",
            "header.raw.grid.direction",
        ),
        case(
            "zero spacing",
            with_grid(|g| g.spacing_mm[2] = 0.0),
            "GRID_SPACING",
            "header.raw.grid.spacing_mm",
        ),
        case(
            "negative spacing",
            with_grid(|g| g.spacing_mm[0] = -1.0),
            "GRID_SPACING",
            "header.raw.grid.spacing_mm",
        ),
        case(
            "endless spacing",
            with_grid(|g| g.spacing_mm[0] = f64::INFINITY),
            "GRID_SPACING",
            "header.raw.grid.spacing_mm",
        ),
        case(
            "no spacing",
            with_grid(|g| g.spacing_mm.clear()),
            "FIELD_INVALID",
            "header.raw.grid.spacing_mm",
        ),
        case(
            "NaN origin",
            with_grid(|g| g.origin_lps[1] = f64::NAN),
            "GRID_ORIGIN",
            "header.raw.grid.origin_lps",
        ),
        case("no slice", with_grid(|g| g.size[2] = 0), "GRID_EMPTY_AXIS", "header.raw.grid.size"),
        case("four axes", with_grid(|g| g.size.push(1)), "FIELD_INVALID", "header.raw.grid.size"),
        case(
            "no grid",
            with_payload(Payload::Raw(pb::RawVolume { grid: None, voxel_type: 1 }), vec![]),
            "FIELD_INVALID",
            grid,
        ),
    ]
}

fn bytes() -> Vec<Case> {
    const BAD: Code = Code::InvalidArgument;
    let case = |name, messages, reason, field| Case(name, messages, BAD, reason, field);
    let nan = || {
        let messages = with_header(|h| {
            let Some(Payload::Raw(raw)) = &mut h.payload else { unreachable!() };
            raw.voxel_type = pb::VoxelType::Float32 as i32;
        });
        let floats: Vec<u8> =
            (0..24).map(|n| if n == 7 { f32::NAN } else { 1.0 }).flat_map(f32::to_le_bytes).collect();
        vec![messages[0].clone(), chunk(0, floats)]
    };
    let gzip = |h: &mut pb::SegmentVolumeHeader| h.upload_compression = pb::Compression::Gzip as i32;
    vec![
        case(
            "a byte too few",
            vec![first(header()), chunk(0, &voxel_bytes()[1..])],
            "BYTE_COUNT",
            "chunk.data",
        ),
        case("a byte too many", [good(), vec![chunk(0, [0])]].concat(), "BYTE_COUNT", "chunk.data"),
        case("no chunk", vec![first(header())], "BYTE_COUNT", "chunk.data"),
        case("a second part", [good(), vec![chunk(1, [0])]].concat(), "PART_ORDER", "chunk.part"),
        case("a later part first", vec![first(header()), chunk(5, [0])], "PART_ORDER", "chunk.part"),
        case("a part left out", dicom(0, vec![chunk(0, [1]), chunk(2, [1])]), "PART_ORDER", "chunk.part"),
        case("no instance", dicom(0, vec![]), "INSTANCE_COUNT", "header.dicom.instance_count"),
        case(
            "an instance too few",
            dicom(2, vec![chunk(0, [1])]),
            "INSTANCE_COUNT",
            "header.dicom.instance_count",
        ),
        case("a file that ends early", file(3, 100, 99), "BYTE_COUNT", "chunk.data"),
        case("a file that goes on", file(3, 100, 101), "BYTE_COUNT", "chunk.data"),
        case("an empty file", file(3, 0, 0), "FIELD_INVALID", "header.file.byte_count"),
        case("a voxel that is NaN", nan(), "VOXEL_NOT_A_NUMBER", "chunk.data"),
        case("no gzip where it was said", with_header(gzip), "GZIP", "chunk.data"),
    ]
}

fn fields() -> Vec<Case> {
    const BAD: Code = Code::InvalidArgument;
    let case = |name, messages, reason, field| Case(name, messages, BAD, reason, field);
    let threshold = "header.options.threshold";
    let voxel_type = |h: &mut pb::SegmentVolumeHeader| {
        let Some(Payload::Raw(raw)) = &mut h.payload else { unreachable!() };
        raw.voxel_type = 99;
    };
    vec![
        case("nothing", vec![], "HEADER_MISSING", "header"),
        case("a chunk first", vec![chunk(0, [1])], "HEADER_MISSING", "header"),
        case("two headers", vec![first(header()), first(header())], "CHUNK_MISSING", "chunk"),
        case(
            "an empty message",
            vec![first(header()), pb::SegmentVolumeRequest::default()],
            "CHUNK_MISSING",
            "chunk",
        ),
        case("no payload", with_header(|h| h.payload = None), "PAYLOAD_MISSING", "header.payload"),
        case(
            "an id that is no UUID",
            with_header(|h| h.request_id = "Doe^John".into()),
            "FIELD_INVALID",
            "header.request_id",
        ),
        case("an unknown voxel type", with_header(voxel_type), "FIELD_INVALID", "header.raw.voxel_type"),
        case("an unknown format", file(99, 10, 10), "FIELD_INVALID", "header.file.format"),
        case(
            "an unknown compression",
            with_header(|h| h.upload_compression = 9),
            "FIELD_INVALID",
            "header.upload_compression",
        ),
        case("threshold 0", with_options(|o| o.threshold = Some(0.0)), "FIELD_INVALID", threshold),
        case("threshold 2", with_options(|o| o.threshold = Some(2.0)), "FIELD_INVALID", threshold),
        case("threshold NaN", with_options(|o| o.threshold = Some(f64::NAN)), "FIELD_INVALID", threshold),
        case(
            "a negative component",
            with_options(|o| o.minimum_component_mm3 = Some(-1.0)),
            "FIELD_INVALID",
            "header.options.minimum_component_mm3",
        ),
        case(
            "an unknown output",
            with_options(|o| o.outputs = vec![1, 77]),
            "FIELD_INVALID",
            "header.options.outputs",
        ),
        case(
            "a UID that is none",
            with_options(|o| o.series_uid = "../../etc".into()),
            "FIELD_INVALID",
            "header.options.series_uid",
        ),
    ]
}

fn limits() -> Vec<Case> {
    const MUCH: Code = Code::ResourceExhausted;
    let two_gib = 2 << 30;
    vec![
        Case("a 2 GiB file, claimed", file(3, two_gib, 1), MUCH, "UPLOAD_TOO_LARGE", ""),
        Case(
            "2 GiB of voxels, claimed",
            with_grid(|g| g.size = vec![1024, 1024, 1024]),
            MUCH,
            "VOLUME_TOO_LARGE",
            "",
        ),
        Case(
            "a size whose product overflows",
            with_grid(|g| g.size = vec![u64::MAX, 2, 2]),
            MUCH,
            "VOLUME_TOO_LARGE",
            "",
        ),
        Case("a million instances, claimed", dicom(1_000_000, vec![]), MUCH, "TOO_MANY_INSTANCES", ""),
        Case(
            "a message of 5 MiB",
            vec![first(header()), chunk(0, vec![0; 5 << 20])],
            MUCH,
            "MESSAGE_TOO_LARGE",
            "",
        ),
        Case(
            "an unknown model",
            with_header(|h| h.model = "none".into()),
            Code::NotFound,
            "UNKNOWN_MODEL",
            "",
        ),
    ]
}

#[tokio::test]
async fn each_is_refused_as_documented() {
    let server = Running::start(config()).await;
    let mut client = server.client().await;
    let started = || server.seen.started.load(std::sync::atomic::Ordering::SeqCst);
    for Case(name, messages, code, wanted, field) in [grids(), bytes(), fields(), limits()].concat_cases() {
        let status = call(&mut client, messages).await.expect_err(name);
        assert_eq!((status.code(), reason(&status).as_str()), (code, wanted), "{name}: {status:?}");
        let violations = status.get_details_bad_request().map(|b| b.field_violations).unwrap_or_default();
        if code == Code::InvalidArgument {
            assert_eq!(violations.len(), 1, "{name}");
            assert_eq!(violations[0].field, field, "{name}");
        }
    }
    assert_eq!(started(), 0, "nothing of this reaches the engine");
    assert_eq!(chunks_of(&call(&mut client, good()).await.unwrap()), mask_of_ct());
}

trait Concat {
    fn concat_cases(self) -> Vec<Case>;
}

impl Concat for [Vec<Case>; 4] {
    fn concat_cases(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}

/// Instances have no length in the header, so their bytes are counted as they come.
#[tokio::test]
async fn instances_beyond_the_limit_are_refused_as_they_come() {
    let mut config = config();
    config.limits.upload_bytes = 1000;
    config.limits.instances = 3;
    let server = Running::start(config).await;
    let mut client = server.client().await;
    let much = dicom(0, (0..3).map(|n| chunk(n, vec![0; 400])).collect());
    let status = call(&mut client, much).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "UPLOAD_TOO_LARGE"));
    let many = dicom(0, (0..4).map(|n| chunk(n, [1])).collect());
    let status = call(&mut client, many).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "TOO_MANY_INSTANCES"));
}

#[tokio::test]
async fn one_slice_is_a_volume() {
    let server = Running::start(config()).await;
    let mut messages = with_grid(|g| g.size = vec![4, 6, 1]);
    messages[1] = chunk(0, voxel_bytes());
    assert_eq!(chunks_of(&call(&mut server.client().await, messages).await.unwrap()), mask_of_ct());
}

#[tokio::test]
async fn two_hundred_bad_requests_and_then_a_good_one() {
    let server = Running::start(config()).await;
    let mut sent = 0;
    while sent < 200 {
        let mut client = server.client().await;
        for Case(name, messages, ..) in [grids(), bytes(), fields(), limits()].concat_cases() {
            call(&mut client, messages).await.expect_err(name);
            sent += 1;
        }
    }
    assert_eq!(chunks_of(&call(&mut server.client().await, good()).await.unwrap()), mask_of_ct());
    assert!(!server.ended.is_finished());
}

/// Bytes on the wire that are no protobuf, by a codec that sends them as they are.
#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let server = Running::start(config()).await;
    let channel = server.channel().await;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    // Field 1 of this message is a string where the server expects an embedded header.
    let odd = pb::CodedConcept { value: "\u{1}\u{2}\u{3}".into(), ..pb::CodedConcept::default() };
    let path = "/segplugin.v1.SegmentationPluginService/SegmentVolume".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<pb::CodedConcept, pb::SegmentVolumeResponse>::default();
    let request = tonic::Request::new(tokio_stream::iter([odd]));
    let mut stream = grpc.streaming(request, path, codec).await.unwrap().into_inner();
    let status = stream.message().await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MESSAGE_MALFORMED"));
    call(&mut server.client().await, good()).await.unwrap();
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// 20 uploads of 48 MiB, each a byte short: if a failed one were kept, they would add up to a gigabyte.
#[tokio::test]
async fn memory_of_refused_uploads_returns() {
    let server = Running::start(ServeConfig { queue_length: 0, ..config() }).await;
    let mut client = server.client().await;
    let size = 48_u64 << 20;
    let mut before = 0;
    for turn in 0..20 {
        let chunks = (0..47).map(|_| chunk(0, vec![7; 1 << 20])).chain([chunk(0, vec![7; (1 << 20) - 1])]);
        let file = Payload::File(pb::EncodedFile { format: 3, byte_count: size });
        let header = pb::SegmentVolumeHeader { payload: Some(file), ..pb::SegmentVolumeHeader::default() };
        let messages = std::iter::once(pb::SegmentVolumeRequest { message: Some(Message::Header(header)) });
        let stream = tokio_stream::iter(messages.chain(chunks).collect::<Vec<_>>());
        let mut events = client.segment_volume(stream).await.unwrap().into_inner();
        events.message().await.unwrap();
        let status = events.message().await.unwrap_err();
        assert_eq!(reason(&status), "BYTE_COUNT");
        if turn == 2 {
            before = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 4 * size, "{grown} bytes more than after the third upload");
}
