//! A request can make the server talk to listed archives and to nothing else: every hostile root is
//! refused, and not one connection arrives where it points.

mod fake_archive;

use fake_archive::{FakeArchive, Reply};
use serde_json::json;
use spinefx::dicom::web::{Answers, ArchiveSettings, Archives, Lookup, WebError};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers as an attacker who owns names would have them.
#[derive(Default)]
struct Hostile {
    names: HashMap<&'static str, Vec<&'static str>>,
    /// A name whose answers change from one question to the next.
    changing: Vec<&'static str>,
    asked: AtomicUsize,
}

impl Lookup for Hostile {
    fn lookup(&self, host: &str) -> Answers {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let found = if host == "changing.example" {
            vec![self.changing[asked.min(self.changing.len() - 1)]]
        } else {
            self.names.get(host).cloned().unwrap_or_default()
        };
        let found = found.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>();
        Box::pin(async move { Ok(found) })
    }
}

fn archive(root: &str, networks: &[&str]) -> ArchiveSettings {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    ArchiveSettings { root: root.to_owned(), networks, ..ArchiveSettings::default() }
}

fn archives(settings: &[ArchiveSettings], lookup: Hostile) -> Archives {
    let lookup: Arc<dyn Lookup> = Arc::new(lookup);
    Archives::with_lookup(settings, &lookup).unwrap()
}

/// Says yes to everything, so that whatever arrives counts and would have succeeded.
fn listener() -> FakeArchive {
    FakeArchive::start(|_| Reply::json(&json!([])))
}

/// Opens the root and asks; how either failed.
async fn outcome(archives: &Archives, root: &str) -> Result<usize, WebError> {
    Ok(archives.open(root, Some("Bearer secret"))?.series(&[], &[]).await?.len())
}

fn refused(outcome: &Result<usize, WebError>) -> bool {
    use WebError::{AddressNotAllowed, BadRoot, NotAllowed, RedirectNotAllowed};
    matches!(
        outcome,
        Err(AddressNotAllowed { .. } | BadRoot { .. } | NotAllowed { .. } | RedirectNotAllowed { .. })
    )
}

/// Roots that are on no list, in every disguise; `:P` stands for the listener's port.
const HOSTILE_ROOTS: &[&str] = &[
    // The machine itself, in all its spellings.
    "http://127.0.0.1:P/dicom-web",
    "http://localhost:P/dicom-web",
    "http://2130706433:P/dicom-web",
    "http://0x7f000001:P/dicom-web",
    "http://0177.0.0.1:P/dicom-web",
    "http://0x7f.1:P/dicom-web",
    "http://127.1:P/dicom-web",
    "http://0:P/dicom-web",
    "http://0.0.0.0:P/dicom-web",
    "http://127.0.0.1.:P/dicom-web",
    "http://[::1]:P/dicom-web",
    "http://[::]:P/dicom-web",
    "http://[::ffff:127.0.0.1]:P/dicom-web",
    "http://[::ffff:7f00:1]:P/dicom-web",
    "http://[::127.0.0.1]:P/dicom-web",
    "http://[64:ff9b::7f00:1]:P/dicom-web",
    "http://[2002:7f00:1::]:P/dicom-web",
    // Metadata of cloud machines.
    "http://169.254.169.254/latest/meta-data",
    "http://[fd00:ec2::254]/latest/meta-data",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data",
    "http://metadata.google.internal/computeMetadata/v1",
    "http://2852039166/latest/meta-data",
    // The listed name as bait.
    "http://pacs.example@127.0.0.1:P/dicom-web",
    "http://pacs.example:P@127.0.0.1:P/dicom-web",
    "http://pacs.example:secret@pacs.example:P/dicom-web",
    "http://127.0.0.1:P\\@pacs.example:P/dicom-web",
    "http://127.0.0.1:P#@pacs.example:P/dicom-web",
    "http://127.0.0.1:P/?@pacs.example:P/dicom-web",
    "http://pacs.example.evil.example:P/dicom-web",
    "http://evilpacs.example:P/dicom-web",
    "http://pacs.example.:P/dicom-web",
    "http://pacs.example%2eevil.example:P/dicom-web",
    "http://pacs%E3%80%82example:P/dicom-web",
    "http://ⓟacs.example:P/dicom-web",
    "http://pacs。example:P/dicom-web",
    "http://рacs.example:P/dicom-web",
    "http://①②⑦.⓪.⓪.①:P/dicom-web",
    "http://pacs.example:P\r\nHost: 127.0.0.1/dicom-web",
    "http://pacs.example\t:P/dicom-web",
    // Other schemes and ports.
    "https://pacs.example:P/dicom-web",
    "http://pacs.example/dicom-web",
    "http://pacs.example:1/dicom-web",
    "ftp://pacs.example:P/dicom-web",
    "file:///etc/passwd",
    "gopher://127.0.0.1:P/_x",
    "unix:///var/run/docker.sock",
    "data:application/dicom+json,[]",
    "//pacs.example:P/dicom-web",
    "pacs.example:P/dicom-web",
    "",
    // Out of the listed path.
    "http://pacs.example:P/",
    "http://pacs.example:P/dicom-web/../admin",
    "http://pacs.example:P/dicom-web/%2e%2e/admin",
    "http://pacs.example:P/dicom-web/.%2E/admin",
    "http://pacs.example:P/dicom-web/..%2fadmin",
    "http://pacs.example:P/dicom-web/%2e%2e%2fadmin",
    "http://pacs.example:P/dicom-web/..;/admin",
    "http://pacs.example:P/dicom-web\\..\\admin",
    "http://pacs.example:P/dicom-web//../../admin",
    "http://pacs.example:P/dicom-webadmin",
    "http://pacs.example:P/DICOM-WEB",
    "http://pacs.example:P/dicom-web?/../admin",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_roots_are_refused_before_anything_is_sent() {
    let listener = listener();
    let port = listener.address.port().to_string();
    let list = [archive(&format!("http://pacs.example:{port}/dicom-web"), &["127.0.0.0/8"])];
    let all_here = |name| (name, vec!["127.0.0.1"]);
    let names =
        ["pacs.example", "localhost", "pacs.example.evil.example", "evilpacs.example", "pacs.example."];
    let lookup = Hostile { names: names.map(all_here).into(), ..Hostile::default() };
    let archives = archives(&list, lookup);
    for root in HOSTILE_ROOTS {
        let outcome = outcome(&archives, &root.replace(":P", &format!(":{port}"))).await;
        assert!(refused(&outcome), "{root}: {outcome:?}");
        assert!(!format!("{outcome:?} {}", outcome.as_ref().unwrap_err()).contains("secret"), "{root}");
    }
    assert_eq!(listener.connections(), 0);

    // The control: the very same name, port and path do arrive.
    for root in ["http://pacs.example:P/dicom-web", "HTTP://PACS.EXAMPLE:P/x/../dicom-web/"] {
        assert_eq!(outcome(&archives, &root.replace(":P", &format!(":{port}"))).await, Ok(0), "{root}");
    }
    assert_eq!(listener.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_resolve_inside_are_refused_before_anything_is_sent() {
    let listener = listener();
    let port = listener.address.port();
    let inside: [(&str, Vec<&str>); 14] = [
        ("loopback.example", vec!["127.0.0.1"]),
        ("loopback6.example", vec!["::1"]),
        ("mapped.example", vec!["::ffff:127.0.0.1"]),
        ("compatible.example", vec!["::127.0.0.1"]),
        ("nat64.example", vec!["64:ff9b::7f00:1"]),
        ("6to4.example", vec!["2002:7f00:1::1"]),
        ("any.example", vec!["0.0.0.0"]),
        ("metadata.example", vec!["169.254.169.254"]),
        ("metadata6.example", vec!["fd00:ec2::254"]),
        ("private.example", vec!["192.168.0.10"]),
        ("carrier.example", vec!["100.64.0.1"]),
        ("link.example", vec!["fe80::1"]),
        // One good answer does not excuse a bad one, whichever comes first.
        ("mixed.example", vec!["127.0.0.1", "8.8.8.8"]),
        ("mixed2.example", vec!["8.8.8.8", "127.0.0.1"]),
    ];
    let root = |name: &str| format!("http://{name}:{port}/dicom-web");
    let list: Vec<_> = inside.iter().map(|(name, _)| archive(&root(name), &["10.0.0.0/8"])).collect();
    let names: Vec<_> = inside.iter().map(|(name, _)| *name).collect();
    let archives = archives(&list, Hostile { names: inside.into(), ..Hostile::default() });
    for name in names {
        let outcome = outcome(&archives, &root(name)).await;
        assert!(matches!(outcome, Err(WebError::AddressNotAllowed { .. })), "{name}: {outcome:?}");
    }
    assert_eq!(listener.connections(), 0);
}

/// The first answer is allowed, the next is not: each connection goes where its own judgement said.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_mind_is_judged_each_time() {
    let listener = listener();
    let root = format!("http://changing.example:{}/dicom-web", listener.address.port());
    let list = [archive(&root, &["127.0.0.1/32"])];
    let changing = vec!["127.0.0.1", "127.0.0.2", "127.0.0.1"];
    let archives = archives(&list, Hostile { changing, ..Hostile::default() });
    assert_eq!(outcome(&archives, &root).await, Ok(0));
    assert!(refused(&outcome(&archives, &root).await));
    assert_eq!(listener.connections(), 1);
    assert_eq!(outcome(&archives, &root).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_addresses_and_localhost_need_no_network() {
    let listener = listener();
    let port = listener.address.port();
    let list = [format!("http://127.0.0.1:{port}/dicom-web"), format!("http://localhost:{port}/dicom-web")];
    let settings: Vec<_> = list.iter().map(|root| archive(root, &[])).collect();
    let names = [("localhost", vec!["127.0.0.1"])].into();
    let archives = archives(&settings, Hostile { names, ..Hostile::default() });
    for root in list.iter().chain([&format!("http://2130706433:{port}/dicom-web/")]) {
        assert_eq!(outcome(&archives, root).await, Ok(0), "{root}");
    }
    assert_eq!(listener.connections(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_lead_to_listed_archives_alone() {
    let listener = listener();
    let port = listener.address.port().to_string();
    let targets = [
        "http://127.0.0.1:P/dicom-web/series",
        "http://2130706433:P/dicom-web/series",
        "http://[::ffff:127.0.0.1]:P/dicom-web/series",
        "http://localhost:P/dicom-web/series",
        "//127.0.0.1:P/dicom-web/series",
        "http://inside.example:P/elsewhere",
        "http://inside.example:P/dicom-web/series",
        "http://u:p@127.0.0.1:P/dicom-web/series",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "/elsewhere",
        "../../elsewhere",
        "/dicom-web/%2e%2e%2felsewhere",
    ];
    for status in [301, 302, 303, 307, 308] {
        for target in targets {
            let to = target.replace(":P", &format!(":{port}"));
            let pointing = FakeArchive::start(move |_| Reply::redirect(status, &to));
            let inside = format!("http://inside.example:{port}/dicom-web");
            let names = [("inside.example", vec!["127.0.0.1"])].into();
            let list = [archive(&pointing.root(), &[]), archive(&inside, &[])];
            let archives = archives(&list, Hostile { names, ..Hostile::default() });
            let outcome = outcome(&archives, &pointing.root()).await;
            assert!(refused(&outcome), "{status} {target}: {outcome:?}");
            assert_eq!(pointing.connections(), 1, "{target}");
        }
    }
    assert_eq!(listener.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_listed_archive_is_followed_without_the_credentials() {
    let other = listener();
    let to = format!("{}/moved", other.root());
    let pointing = FakeArchive::start(move |request| {
        if request.path.starts_with("/dicom-web/series") {
            Reply::redirect(307, "/dicom-web/second")
        } else {
            Reply::redirect(308, &to)
        }
    });
    let list = [archive(&pointing.root(), &[]), archive(&other.root(), &[])];
    let archives = archives(&list, Hostile::default());
    assert_eq!(outcome(&archives, &pointing.root()).await, Ok(0));
    let sent = |archive: &FakeArchive| {
        archive.requests().iter().map(|request| request.head.contains("bearer secret")).collect::<Vec<_>>()
    };
    assert_eq!((sent(&pointing), sent(&other)), (vec![true, true], vec![false]));
}
