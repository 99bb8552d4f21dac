//! An archive that misbehaves: what is of the moment is asked again, everything else is told.

mod fake_archive;

use fake_archive::{End, FakeArchive, Reply, Request};
use serde_json::{Value, json};
use spinefx::dicom::web::{Archive, ArchiveSettings, Archives, SeriesRef, WebError};
use spinefx::dicom::{
    Algorithm, Limits, ReadError, ReadOptions, Series, SyntheticPatient, read_path, write_ct_series,
    write_segmentation,
};
use spinefx::monitor::{Cancelled, Monitor};
use spinefx::volume::{Grid, Volume};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SLICES: usize = 12;

/// A series as files, and how an archive without faults answers for it.
struct Phantom {
    series: Series,
    /// SOP Instance UID and file, slice by slice.
    files: Vec<(String, Vec<u8>)>,
}

impl Phantom {
    fn new() -> Arc<Self> {
        let grid = Grid::axis_aligned([16, 12, SLICES], [1.0; 3], [0.0; 3]).unwrap();
        let voxels = (0..grid.len()).map(|n| (n % 2001) as i16 - 1000).collect();
        let folder = tempfile::tempdir().unwrap();
        let patient = SyntheticPatient { number: 2, seed: "faults".into() };
        write_ct_series(&Volume::new(grid, voxels).unwrap(), &patient, folder.path()).unwrap();
        let series = read_path(folder.path(), ReadOptions::default(), &Monitor::default()).unwrap();
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let uid = {
                let file = dicom_object::from_reader(&*bytes).unwrap();
                file.element_by_name("SOPInstanceUID").unwrap().to_str().unwrap().into_owned()
            };
            files.push((uid, bytes));
        }
        Arc::new(Self { series, files })
    }

    fn reference(&self) -> SeriesRef {
        let source = &self.series.source;
        SeriesRef::new(source.study_instance_uid(), source.series_instance_uid()).unwrap()
    }

    fn answer(&self, request: &Request) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let offset = query.split('&').find_map(|pair| pair.strip_prefix("offset=")?.parse().ok());
        let page = |all: Vec<Value>| Reply::json(&all.into_iter().skip(offset.unwrap_or(0)).collect());
        let SeriesRef { study_uid, series_uid } = self.reference();
        let uid = |value: &str| json!({"vr": "UI", "Value": [value]});
        if path.ends_with("/instances") {
            return page(self.files.iter().map(|(sop, _)| json!({"00080018": uid(sop)})).collect());
        }
        if path.ends_with("/series") {
            let modality = json!({"vr": "CS", "Value": ["CT"]});
            return page(vec![json!({
                "0020000D": uid(&study_uid), "0020000E": uid(&series_uid), "00080060": modality
            })]);
        }
        let file = self.files.iter().find(|(sop, _)| path.ends_with(&format!("/instances/{sop}")));
        file.map_or(Reply::status(404), |(_, file)| Reply::part(file))
    }

    /// An archive with this series whose answers `fault` may replace.
    fn archive(
        self: &Arc<Self>,
        fault: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
    ) -> FakeArchive {
        let phantom = self.clone();
        FakeArchive::start(move |request| fault(request, phantom.answer(request)))
    }

    async fn pull(&self, fake: &FakeArchive) -> Result<Series, WebError> {
        self.pull_with(fake, ReadOptions::default(), &Monitor::default()).await
    }

    async fn pull_with(
        &self,
        fake: &FakeArchive,
        options: ReadOptions,
        monitor: &Monitor,
    ) -> Result<Series, WebError> {
        open(fake).pull(&self.reference(), options, monitor).await
    }

    fn assert_whole(&self, pulled: Result<Series, WebError>) {
        let pulled = pulled.unwrap();
        assert!(pulled.volume == self.series.volume);
        assert_eq!(pulled.source.frames(), self.series.source.frames());
    }
}

fn open(fake: &FakeArchive) -> Archive {
    let settings = ArchiveSettings { root: fake.root(), ..ArchiveSettings::default() };
    Archives::new(&[settings]).unwrap().open(&fake.root(), Some("Bearer hush")).unwrap()
}

/// Whether an instance is asked for.
fn is_instance(request: &Request) -> bool {
    request.path.contains("/instances/")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_the_series_comes_whole_and_in_any_transfer_syntax() {
    let phantom = Phantom::new();
    let fake = phantom.archive(|_, reply| reply);
    phantom.assert_whole(phantom.pull(&fake).await);
    let requests = fake.requests();
    for request in requests.iter().filter(|request| is_instance(request)) {
        let accept = "accept: multipart/related; type=\"application/dicom\"; transfer-syntax=*";
        assert!(request.head.contains(accept), "{}", request.head);
    }
    assert!(requests.iter().all(|request| request.head.contains("user-agent: spinefx/")));
    assert!(requests.iter().all(|request| request.head.contains("authorization: bearer hush")));
    assert_eq!(requests.iter().filter(|request| is_instance(request)).count(), SLICES);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_the_moment_is_asked_again() {
    let phantom = Phantom::new();
    let faults: [fn(Reply) -> Reply; 6] = [
        |_| Reply::status(503),
        |_| Reply::status(429),
        |_| Reply::status(500),
        |reply| reply.ending(End::Cut),
        // Whole as HTTP, but without its last boundary.
        |reply| Reply { body: reply.body[..reply.body.len() - 12].to_vec(), ..reply },
        |reply| Reply { headers: vec![("Retry-After", "1".into())], ..Reply { status: 503, ..reply } },
    ];
    for fault in faults {
        let fake = phantom.archive(move |request, reply| match request.before {
            // QIDO-RS answers have no boundary to lose.
            0 | 1 if is_instance(request) => fault(reply),
            _ => reply,
        });
        phantom.assert_whole(phantom.pull(&fake).await);
        let asked = fake.requests().iter().filter(|request| is_instance(request)).count();
        assert_eq!(asked, 3 * SLICES);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_asked_again_too() {
    let phantom = Phantom::new();
    let fake = phantom.archive(|request, reply| match (is_instance(request), request.before) {
        (false, 0) => Reply::status(503),
        (false, 1) => reply.ending(End::Cut),
        _ => reply,
    });
    phantom.assert_whole(phantom.pull(&fake).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_says_when_to_come_again() {
    let phantom = Phantom::new();
    let wait = |seconds: &'static str| {
        phantom.archive(move |request, reply| match request.before {
            0 => Reply { headers: vec![("Retry-After", seconds.into())], ..Reply::status(503) },
            _ => reply,
        })
    };
    let (fake, start) = (wait("2"), Instant::now());
    open(&fake).series(&[], &[]).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2));
    // Nobody waits an hour with a radiologist before the screen.
    let start = Instant::now();
    let error = open(&wait("3600")).series(&[], &[]).await.unwrap_err();
    assert!(matches!(error, WebError::Http { status: 503, retry_after: Some(_), .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// An answer, and whether the error is the one meant.
type Case = (Reply, fn(&WebError) -> bool);

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_wrong_is_told_and_not_asked_again() {
    let phantom = Phantom::new();
    let one = phantom.files[5].0.clone();
    let other = phantom.files[6].1.clone();
    let two_parts = {
        let part = Reply::part(&phantom.files[5].1).body;
        [&part[..part.len() - 8], &part[..]].concat()
    };
    let cases: [Case; 11] = [
        (Reply::status(404), |e| matches!(e, WebError::MissingInstance { .. })),
        (Reply::status(410), |e| matches!(e, WebError::MissingInstance { .. })),
        (Reply::status(401), |e| matches!(e, WebError::Unauthorized { status: 401 })),
        (Reply::status(403), |e| matches!(e, WebError::Unauthorized { status: 403 })),
        (Reply::status(406), |e| matches!(e, WebError::Http { status: 406, .. })),
        (Reply::part(&other), |e| matches!(e, WebError::WrongInstance { .. })),
        (Reply::part(b"no DICOM"), |e| matches!(e, WebError::WrongInstance { .. })),
        (Reply::new(200, "text/html", "<p>hush</p>"), |e| matches!(e, WebError::Malformed { .. })),
        (Reply::new(200, "", ""), |e| matches!(e, WebError::Malformed { .. })),
        (Reply { body: two_parts, ..Reply::part(b"") }, |e| matches!(e, WebError::Malformed { .. })),
        (Reply::redirect(302, "http://127.0.0.1:9/"), |e| matches!(e, WebError::RedirectNotAllowed { .. })),
    ];
    for (number, (fault, meant)) in cases.into_iter().enumerate() {
        let ending = format!("/instances/{one}");
        let fake = phantom.archive(
            move |request, reply| if request.path.ends_with(&ending) { fault.clone() } else { reply },
        );
        let error = phantom.pull(&fake).await.unwrap_err();
        assert!(meant(&error), "{number}: {error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        let asked = fake.requests().iter().filter(|request| request.path.ends_with(&one)).count();
        assert_eq!(asked, 1, "{number}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_that_never_end_are_left() {
    let fake = FakeArchive::start(|_| Reply::redirect(302, "/dicom-web/series"));
    let error = open(&fake).series(&[], &[]).await.unwrap_err();
    assert!(matches!(error, WebError::Malformed { .. }), "{error}");
    assert_eq!(fake.connections(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_part_without_multipart_is_taken() {
    let phantom = Phantom::new();
    let files = phantom.files.clone();
    let fake = phantom.archive(move |request, reply| {
        let file = files.iter().find(|(uid, _)| request.path.ends_with(&format!("/instances/{uid}")));
        file.map_or(reply, |(_, file)| Reply::new(200, "application/dicom", file.clone()))
    });
    phantom.assert_whole(phantom.pull(&fake).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_left_at_the_limit() {
    let phantom = Phantom::new();
    let fake =
        phantom.archive(|request, reply| if is_instance(request) { reply.ending(End::Never) } else { reply });
    let limits = Limits { max_file_bytes: 1 << 20, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let error = phantom.pull_with(&fake, options, &Monitor::default()).await.unwrap_err();
    assert_eq!(error, WebError::Limit { what: "bytes of one answer", limit: 1 << 20 });
    // All of them together, before any of them is whole.
    let limits = Limits { max_total_bytes: 1 << 20, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let error = phantom.pull_with(&fake, options, &Monitor::default()).await.unwrap_err();
    assert_eq!(error, WebError::Limit { what: "bytes", limit: 1 << 20 });
    assert!(fake.wait_until_left() < Duration::from_secs(2));

    let lists = FakeArchive::start(|_| Reply::json(&json!([])).ending(End::Never));
    let error = open(&lists).series(&[], &[]).await.unwrap_err();
    assert!(matches!(error, WebError::Limit { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_instances_than_the_limit_are_not_even_asked_for() {
    let phantom = Phantom::new();
    let fake = phantom.archive(|_, reply| reply);
    let limits = Limits { max_files: SLICES - 1, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let error = phantom.pull_with(&fake, options, &Monitor::default()).await.unwrap_err();
    assert!(matches!(error, WebError::Limit { .. }), "{error}");
    assert!(!fake.requests().iter().any(is_instance));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_without_one_of_its_slices_is_an_error_of_reading() {
    let phantom = Phantom::new();
    let hidden = phantom.series.source.frames()[5].sop_instance_uid.clone();
    // The archive does not even list it.
    let fake = phantom.archive(move |request, reply| {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if is_instance(request) || !text.contains(&hidden) {
            return reply;
        }
        let mut listed: Vec<Value> = serde_json::from_str(&text).unwrap();
        listed.retain(|found| found["00080018"]["Value"][0] != hidden.as_str());
        Reply::json(&listed.into())
    });
    let error = phantom.pull(&fake).await.unwrap_err();
    assert!(matches!(error, WebError::Read(ReadError::UnevenSpacing { after_slice: 4, .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_are_read_to_the_end() {
    let phantom = Phantom::new();
    for size in [1, 5, SLICES] {
        let fake = phantom.archive(move |request, reply| {
            if is_instance(request) {
                return reply;
            }
            let all: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();
            Reply::json(&all.into_iter().take(size).collect())
        });
        phantom.assert_whole(phantom.pull(&fake).await);
    }
    // An archive that ignores limit and offset gives all of them every time.
    let inner = phantom.clone();
    let fake = FakeArchive::start(move |request| {
        let path = request.path.split('?').next().unwrap().to_owned();
        inner.answer(&Request { path, ..request.clone() })
    });
    phantom.assert_whole(phantom.pull(&fake).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_stops_the_downloads() {
    let phantom = Phantom::new();
    let fake = phantom
        .archive(|request, reply| if is_instance(request) { reply.ending(End::Silent) } else { reply });
    let dropped = tokio::time::timeout(Duration::from_secs(1), phantom.pull(&fake)).await;
    assert!(dropped.is_err(), "it would have waited");
    assert!(fake.wait_until_left() < Duration::from_secs(1));

    let (monitor, asked) = (Monitor::default(), fake.connections());
    let pulled = {
        let monitor = monitor.clone();
        let (phantom, root) = (phantom.clone(), open(&fake));
        tokio::spawn(async move { root.pull(&phantom.reference(), ReadOptions::default(), &monitor).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(fake.connections() > asked);
    let start = Instant::now();
    monitor.cancel();
    assert_eq!(pulled.await.unwrap().unwrap_err(), WebError::Cancelled(Cancelled));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(fake.wait_until_left() < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_home_is_told_without_the_credentials() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}/dicom-web", listener.local_addr().unwrap());
    drop(listener);
    let settings = ArchiveSettings { root: root.clone(), ..ArchiveSettings::default() };
    let archive = Archives::new(&[settings]).unwrap().open(&root, Some("Bearer hush")).unwrap();
    let error = archive.series(&[("PatientName", "Jane")], &[]).await.unwrap_err();
    assert!(matches!(error, WebError::Unreachable { .. }), "{error}");
    let said = format!("{error} {error:?}");
    assert!(!said.contains("hush") && !said.contains("Jane"), "{said}");
}

fn segmentation(phantom: &Phantom) -> Vec<u8> {
    let algorithm = Algorithm { name: "msff".into(), version: "1".into(), weights_sha256: "ab".repeat(32) };
    let mask = Volume::filled(phantom.series.volume.grid().clone(), 1);
    write_segmentation(&mask, &phantom.series.source, &algorithm).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn storing_reads_what_the_archive_says() {
    let phantom = Phantom::new();
    let (file, study) = (segmentation(&phantom), phantom.reference().study_uid);
    let failed =
        |code: u16| json!({"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [code]}}]}});
    let done = json!({"00081199": {"vr": "SQ", "Value": [
        {"00081190": {"vr": "UR", "Value": ["http://archive/there"]}}]}});
    let store = async |status: u16, body: &Value| {
        let reply = Reply { status, ..Reply::json(body) };
        let fake = FakeArchive::start(move |request| match request.before {
            0 => Reply::status(503),
            _ => reply.clone(),
        });
        let stored = open(&fake).store(&study, file.clone()).await;
        let requests = fake.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].path, format!("/dicom-web/studies/{study}"));
        assert!(requests[1].body.windows(file.len()).any(|part| part == file));
        stored
    };
    assert_eq!(store(200, &done).await.unwrap().retrieve_url, "http://archive/there");
    for (status, body) in [(200, json!({})), (202, failed(0x0111)), (409, failed(0x0111))] {
        let stored = store(status, &body).await.unwrap();
        assert!(stored.retrieve_url.ends_with(&format!("/instances/{}", stored.sop_instance_uid)));
    }
    for (status, body, code) in
        [(409, failed(0xA700), Some(0xA700)), (202, json!({}), None), (409, json!({}), None)]
    {
        let error = store(status, &body).await.unwrap_err();
        assert!(
            matches!(error, WebError::StoreRefused { reason_code, .. } if reason_code == code),
            "{error}"
        );
    }
    assert!(matches!(store(401, &json!({})).await, Err(WebError::Unauthorized { status: 401 })));
    assert!(matches!(store(415, &json!({})).await, Err(WebError::Http { status: 415, .. })));
}
