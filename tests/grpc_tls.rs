//! Who may connect: tokens, TLS and mutual TLS, with certificates that openssl makes on the spot.

mod certificates;
mod fake;

use certificates::Certificates;
use fake::{Client, Running, call, config, ct, good, reason, request};
use spinefx::service::client::{self, Upload};
use spinefx::service::{ConfigError, ServeConfig, ServeError, Server};
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

impl Certificates {
    fn server(&self) -> ServeConfig {
        let (cert, key) = (Some(self.path("end.pem")), Some(self.path("end.key")));
        ServeConfig { tls_cert: cert, tls_key: key, ..config() }
    }

    fn client(&self) -> ClientTlsConfig {
        let ca = Certificate::from_pem(self.text("ca.pem"));
        ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost")
    }
}

async fn segments(server: &Running, tls: ClientTlsConfig) -> bool {
    let address = server.url.replace("http://", "https://");
    let endpoint = Endpoint::new(address).unwrap().tls_config(tls).unwrap();
    match endpoint.connect().await {
        Ok(channel) => call(&mut Client::new(channel), good()).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served() {
    let certificates = Certificates::new();
    let server = Running::start(certificates.server()).await;
    assert!(segments(&server, certificates.client()).await);
    assert!(!segments(&server, Certificates::new().client()).await, "another authority");
    let plain = Endpoint::new(server.url.clone()).unwrap().connect().await;
    if let Ok(channel) = plain {
        assert!(call(&mut Client::new(channel), good()).await.is_err(), "plain text");
    }
}

#[tokio::test]
async fn with_mutual_tls_a_client_needs_a_certificate_too() {
    let certificates = Certificates::new();
    let ca = Some(certificates.path("ca.pem"));
    let server = Running::start(ServeConfig { tls_client_ca: ca, ..certificates.server() }).await;
    let identity = Identity::from_pem(certificates.text("end.pem"), certificates.text("end.key"));
    assert!(segments(&server, certificates.client().identity(identity)).await);
    assert!(!segments(&server, certificates.client()).await, "no certificate");
    let stranger = Certificates::new();
    let identity = Identity::from_pem(stranger.text("end.pem"), stranger.text("end.key"));
    assert!(!segments(&server, certificates.client().identity(identity)).await, "a stranger's certificate");
}

#[tokio::test]
async fn a_key_that_is_none_is_a_bad_setting() {
    let certificates = Certificates::new();
    std::fs::write(certificates.path("end.key"), "no key").unwrap();
    let server = Server::bind(certificates.server(), |_| {
        Ok(fake::Fake { models: vec![fake::model("m")], seen: std::sync::Arc::default() })
    });
    let error = server.await.err().expect("a port was bound for a key that is none");
    assert!(matches!(error, ServeError::Config(ConfigError::Tls { .. })), "{error:?}");
}

#[tokio::test]
async fn a_token_is_asked_for_and_health_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "correct-horse-battery\n").unwrap();
    let server = Running::start(ServeConfig { token_file: Some(path), ..config() }).await;
    let refused = call(&mut server.client().await, good()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "TOKEN"));
    for (token, passes) in [("wrong-horse-battery-1", false), ("correct-horse-battery", true)] {
        let mut asked = request(&server);
        asked.token = Some(token.into());
        assert_eq!(client::segment(asked, Upload::Voxels(ct()), |_| {}).await.is_ok(), passes, "{token}");
    }
    let channel = server.channel().await;
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
}
