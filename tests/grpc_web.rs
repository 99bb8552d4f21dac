//! gRPC-web and CORS as a browser speaks them: HTTP/1.1, a binary body of frames, trailers as the last frame.

mod fake;

use fake::{Running, config};
use prost::Message;
use prost::bytes::{Buf, Bytes};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, Response};
use spinefx::service::{ServeConfig, pb};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tonic_types::{ErrorInfo, StatusExt};

const SERVICE: &str = "segplugin.v1.SegmentationPluginService";
const VIEWER: &str = "https://viewer.example";

fn http() -> reqwest::Client {
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().http1_only().build().unwrap()
}

/// Calls a method as connect-web does.
async fn call(
    server: &Running,
    method: &str,
    message: &impl Message,
    headers: &[(&str, &str)],
) -> reqwest::Result<Response> {
    let mut body = vec![0];
    body.extend((message.encoded_len() as u32).to_be_bytes());
    body.extend(message.encode_to_vec());
    let mut request = http().post(format!("{}/{SERVICE}/{method}", server.url));
    let usual = [("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1"), ("origin", VIEWER)];
    for (name, value) in usual.iter().chain(headers) {
        request = request.header(*name, *value);
    }
    request.body(body).send().await
}

/// Messages and trailers of an answer.
async fn frames<M: Message + Default>(response: Response) -> (Vec<M>, HeaderMap) {
    assert_eq!(response.status(), 200);
    let mut trailers = response.headers().clone();
    let mut body: Bytes = response.bytes().await.unwrap();
    let mut messages = Vec::new();
    while !body.is_empty() {
        let (flag, length) = (body.get_u8(), body.get_u32() as usize);
        let frame = body.split_to(length);
        if flag & 0x80 == 0 {
            messages.push(M::decode(frame).unwrap());
            continue;
        }
        for line in std::str::from_utf8(&frame).unwrap().lines() {
            let (name, value) = line.split_once(':').unwrap();
            trailers.insert(HeaderName::try_from(name).unwrap(), value.trim().parse().unwrap());
        }
    }
    (messages, trailers)
}

fn asked(model: &str, root: &str) -> pb::SegmentSeriesRequest {
    let source = pb::DicomWebSeries {
        root: root.into(),
        study_uid: "1.2".into(),
        series_uid: "1.3".into(),
        ..Default::default()
    };
    pb::SegmentSeriesRequest { model: model.into(), source: Some(source), ..Default::default() }
}

fn with_viewer() -> ServeConfig {
    ServeConfig { cors_origins: vec![VIEWER.into()], ..config() }
}

#[tokio::test]
async fn a_browser_reads_the_manifest() {
    let server = Running::start(with_viewer()).await;
    let response = call(&server, "GetManifest", &pb::GetManifestRequest {}, &[]).await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], VIEWER);
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap().to_owned();
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    let (answers, trailers) = frames::<pb::GetManifestResponse>(response).await;
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(answers[0].manifest.as_ref().unwrap().id, "spinefx");
}

#[tokio::test]
async fn preflights_pass_for_the_listed_origins_alone() {
    for (origins, origin, passes) in [
        (vec![VIEWER.to_owned()], VIEWER, true),
        (vec![VIEWER.to_owned()], "https://evil.example", false),
        (vec![], VIEWER, false),
        (vec!["*".to_owned()], "https://evil.example", true),
    ] {
        // A preflight carries no token, so it must pass where calls need one.
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "0123456789abcdef").unwrap();
        let settings = ServeConfig { cors_origins: origins, token_file: Some(token), ..config() };
        let server = Running::start(settings).await;
        let url = format!("{}/{SERVICE}/SegmentSeries", server.url);
        let wanted = "content-type,x-grpc-web,x-user-agent,grpc-timeout,authorization";
        let request = http().request(Method::OPTIONS, url).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let response = request.header("access-control-request-headers", wanted).send().await.unwrap();
        assert_eq!(response.headers().contains_key("access-control-allow-origin"), passes, "{origin}");
        if passes {
            let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
            assert!(wanted.split(',').all(|name| allowed.contains(name)), "{allowed}");
        }
        let call = call(&server, "GetManifest", &pb::GetManifestRequest {}, &[]).await.unwrap();
        assert_eq!(frames::<pb::GetManifestResponse>(call).await.1["grpc-status"], "16");
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_browser_with_its_reason() {
    let server = Running::start(with_viewer()).await;
    let request = asked("", "https://pacs.example/dicom-web");
    let response = call(&server, "SegmentSeries", &request, &[]).await.unwrap();
    let (events, trailers) = frames::<pb::SegmentSeriesResponse>(response).await;
    assert!(events.is_empty());
    assert_eq!(trailers["grpc-status"], "7", "PERMISSION_DENIED");
    let details = tonic::Status::from_header_map(&trailers).unwrap();
    let info: ErrorInfo = details.get_details_error_info().unwrap();
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("spinefx", "ARCHIVE_NOT_ALLOWED"));
    assert_eq!(server.seen.started.load(Ordering::SeqCst), 0);
}

/// An archive that never answers keeps a call open for as long as anybody waits.
async fn silent_archive() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}/dicom-web", listener.local_addr().unwrap());
    (listener, root)
}

fn with_archive(root: &str) -> ServeConfig {
    let archive = spinefx::dicom::web::ArchiveSettings { root: root.into(), ..Default::default() };
    ServeConfig { archives: vec![archive], queue_length: 0, ..with_viewer() }
}

#[tokio::test]
async fn a_browsers_deadline_ends_the_call() {
    let (_listener, root) = silent_archive().await;
    let server = Running::start(with_archive(&root)).await;
    let response =
        call(&server, "SegmentSeries", &asked("", &root), &[("grpc-timeout", "400m")]).await.unwrap();
    let (events, trailers) = frames::<pb::SegmentSeriesResponse>(response).await;
    assert_eq!(trailers["grpc-status"], "4", "DEADLINE_EXCEEDED");
    assert!(matches!(events[0].event, Some(pb::segment_series_response::Event::Accepted(_))));
}

#[tokio::test]
async fn a_browser_that_goes_away_frees_its_place() {
    let (listener, root) = silent_archive().await;
    let server = Running::start(with_archive(&root)).await;
    let response = call(&server, "SegmentSeries", &asked("", &root), &[]).await.unwrap();
    let (mut archived, _) = listener.accept().await.unwrap();

    // The only place is taken until the browser closes its connection.
    let second = call(&server, "SegmentSeries", &asked("", &root), &[]).await.unwrap();
    assert_eq!(frames::<pb::SegmentSeriesResponse>(second).await.1["grpc-status"], "8", "RESOURCE_EXHAUSTED");
    drop(response);
    // The server's own request to the archive ends too.
    let closed = async {
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut archived, &mut rest).await
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap().unwrap();
    let mut admitted = false;
    for _ in 0..100 {
        let third =
            call(&server, "SegmentSeries", &asked("", &root), &[("grpc-timeout", "50m")]).await.unwrap();
        admitted = frames::<pb::SegmentSeriesResponse>(third).await.1["grpc-status"] == "4";
        if admitted {
            break;
        }
    }
    assert!(admitted, "the place stayed taken");
}
