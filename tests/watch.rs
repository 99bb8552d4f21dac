//! `spinefx watch` with a real Orthanc: every new series once, whatever happens in between.

mod archive;
mod fake;

use archive::{fill, open, segs, start};
use fake::{Fake, Seen, model, until};
use spinefx::dicom::web::Archive;
use spinefx::watch::{Journal, Rule, Watch, WatchError, WatchOptions};
use spinefx::worker::Worker;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn worker(name: &'static str) -> (Worker, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let theirs = seen.clone();
    let make = move |_| Ok(Fake { models: vec![model(name)], seen: theirs.clone() });
    (Worker::start(1, 0, make).unwrap(), seen)
}

fn options(model: &str) -> WatchOptions {
    WatchOptions {
        every: Duration::from_millis(50),
        settle: Duration::from_millis(200),
        query: Vec::new(),
        rule: Rule { instances: 3, ..Rule::default() },
        existing: false,
        once: true,
        attempts: 2,
        retry: Duration::from_millis(10),
        model: model.into(),
        options: spinefx::pipeline::Options::default(),
    }
}

/// One pass: until nothing is left to do. The number of volumes that were segmented.
async fn pass(archive: &Archive, journal: &Path, change: impl FnOnce(&mut WatchOptions)) -> usize {
    let (worker, seen) = worker("threshold");
    let mut options = options("threshold");
    change(&mut options);
    let journal = Journal::open(journal).unwrap();
    Watch { archive: archive.clone(), worker: &worker, journal, options }.run().await.unwrap();
    seen.started.load(Ordering::SeqCst)
}

#[tokio::test]
async fn new_series_are_segmented_once_across_restarts() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    fill(&archive, "before", 0..4).await;
    assert_eq!(pass(&archive, &journal, |_| {}).await, 0, "what was there is left alone");

    fill(&archive, "new", 0..4).await;
    fill(&archive, "small", 0..2).await;
    assert_eq!(pass(&archive, &journal, |_| {}).await, 1, "the new one, not the small one");
    assert_eq!(segs(&archive).await.len(), 1);
    assert_eq!(pass(&archive, &journal, |_| {}).await, 0, "started again, nothing is left");

    // A series that is written to after it was thought whole gets the mask of all of it.
    fill(&archive, "new", 4..6).await;
    assert_eq!(pass(&archive, &journal, |_| {}).await, 1);
    assert_eq!(segs(&archive).await.len(), 2);

    let everything = folder.path().join("everything");
    assert_eq!(pass(&archive, &everything, |options| options.existing = true).await, 2);
    assert_eq!(segs(&archive).await.len(), 3, "the mask of \"new\" was there already");
}

#[tokio::test]
async fn a_crash_between_storing_and_writing_it_down_leaves_one_segmentation() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    assert_eq!(pass(&archive, &journal, |_| {}).await, 0);
    let before = std::fs::read(&journal).unwrap();
    fill(&archive, "new", 0..4).await;
    assert_eq!(pass(&archive, &journal, |_| {}).await, 1);
    std::fs::write(&journal, before).unwrap();
    assert_eq!(pass(&archive, &journal, |_| {}).await, 1, "it has to be done again");
    assert_eq!(segs(&archive).await.len(), 1);
}

#[tokio::test]
async fn a_series_that_still_grows_is_waited_for() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let (worker, seen) = worker("threshold");
    let options = WatchOptions { once: false, settle: Duration::from_secs(2), ..options("threshold") };
    let watch = Watch { archive: archive.clone(), worker: &worker, journal, options };
    let filling = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for k in 0..5 {
            fill(&archive, "slow", k..k + 1).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        until("the series to be segmented", || seen.started.load(Ordering::SeqCst) > 0).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    tokio::select! {
        ended = watch.run() => panic!("{ended:?}"),
        () = filling => {}
    }
    assert_eq!((seen.started.load(Ordering::SeqCst), segs(&archive).await.len()), (1, 1));
}

#[tokio::test]
async fn a_series_that_fails_is_given_up_and_others_go_on() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    fill(&archive, "x", 0..4).await;
    let (worker, seen) = worker("panic");
    let options = WatchOptions { existing: true, ..options("panic") };
    let journal = Journal::open(&path).unwrap();
    Watch { archive: archive.clone(), worker: &worker, journal, options }.run().await.unwrap();
    assert_eq!(seen.started.load(Ordering::SeqCst), 2, "tried as often as it was told");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("WORKER_PANIC").count(), 2, "{text}");
}

#[tokio::test]
async fn an_archive_that_is_down_is_an_error_only_when_there_is_one_chance() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    drop(orthanc);
    let folder = tempfile::tempdir().unwrap();
    let (worker, _) = worker("threshold");
    let journal = Journal::open(&folder.path().join("a")).unwrap();
    let watch = Watch { archive: archive.clone(), worker: &worker, journal, options: options("threshold") };
    assert!(matches!(watch.run().await, Err(WatchError::Archive(_))));

    let journal = Journal::open(&folder.path().join("b")).unwrap();
    let options = WatchOptions { once: false, ..options("threshold") };
    let watch = Watch { archive, worker: &worker, journal, options };
    assert!(tokio::time::timeout(Duration::from_secs(2), watch.run()).await.is_err(), "it goes on asking");
}

/// The program itself: killed in the middle of its work, started again, and started once more.
#[tokio::test]
async fn the_program_goes_on_where_it_was_killed() {
    let Some(orthanc) = start() else { return };
    let archive = open(&orthanc);
    fill(&archive, "one", 0..24).await;
    fill(&archive, "two", 0..24).await;
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_spinefx"));
    command.args(["watch", "--existing", "--once", "--every", "0.05", "--settle", "0.1"]);
    command.args(["--archive", &orthanc.root, "--match", "Modality=ct"]).arg("--journal").arg(&journal);
    let done = || std::fs::read_to_string(&journal).unwrap_or_default().matches("\"done\"").count();

    let mut first = command.spawn().unwrap();
    until("the first series", || done() > 0).await;
    first.kill().unwrap();
    first.wait().unwrap();
    for _ in 0..2 {
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!((done(), segs(&archive).await.len()), (2, 2));
    }
}
