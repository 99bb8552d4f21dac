//! The HTTP client of one archive: its certificates, its addresses, no way around them.

use super::resolver::Judge;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// Certificates of a PEM file.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{shown}: {error}"))?;
    if found.is_empty() { Err(format!("{shown}: no certificate (PEM)")) } else { Ok(found) }
}

/// A client that asks `judge` for every address, trusts the system's authorities and `authorities`, and
/// follows no redirect by itself. A proxy of the environment would connect where nobody judged, so none
/// is used.
pub(super) fn build(
    judge: Judge,
    authorities: Vec<CertificateDer<'static>>,
) -> Result<reqwest::Client, String> {
    let tls = tls(authorities).map_err(|error| format!("TLS: {error}"))?;
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .user_agent(concat!("spinefx/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .dns_resolver(Arc::new(judge))
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| error.to_string())
}

fn tls(authorities: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(authorities, provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // rustls calls every verifier but its own so; this one checks chain, time and name as a browser.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}
