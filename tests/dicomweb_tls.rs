//! An archive behind TLS, with certificates that openssl makes on the spot.

mod certificates;
mod fake_archive;

use certificates::Certificates;
use fake_archive::{FakeArchive, Reply};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use spinefx::dicom::web::{ArchiveSettings, Archives, WebError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Certificates {
    fn archive(&self) -> FakeArchive {
        let chain = CertificateDer::pem_file_iter(self.path("end.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.path("end.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        FakeArchive::start_tls(config, |_| Reply::json(&json!([])))
    }
}

/// How many series the archive at `host` has, when `ca_file` vouches for it.
async fn ask(archive: &FakeArchive, host: &str, ca_file: Option<PathBuf>) -> Result<usize, WebError> {
    let root = format!("https://{host}:{}/dicom-web", archive.address.port());
    let settings = ArchiveSettings { root: root.clone(), ca_file, ..ArchiveSettings::default() };
    let archive = Archives::new(&[settings]).unwrap().open(&root, Some("Bearer hush"))?;
    Ok(archive.series(&[], &[]).await?.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_vouched_for_archive_of_the_right_name_is_asked() {
    let (ours, other) = (Certificates::new(), Certificates::new());
    let archive = ours.archive();
    assert_eq!(ask(&archive, "localhost", Some(ours.path("ca.pem"))).await, Ok(0));
    let asked = archive.requests().len();
    let start = Instant::now();
    for (host, ca_file) in [
        ("localhost", None),
        ("localhost", Some(other.path("ca.pem"))),
        ("127.0.0.1", Some(ours.path("ca.pem"))),
    ] {
        let error = ask(&archive, host, ca_file).await.unwrap_err();
        assert!(matches!(error, WebError::Tls { .. }), "{host}: {error}");
    }
    assert!(start.elapsed() < Duration::from_secs(5), "a certificate does not get better by asking again");
    assert_eq!(archive.requests().len(), asked, "nothing was said, no credentials above all");
}
