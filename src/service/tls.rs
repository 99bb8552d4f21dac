//! Who may connect: TLS, mutual TLS, bearer tokens.

use super::config::{ConfigError, Secret, ServeConfig, readable};
use super::error::RequestError;
use sha2::{Digest, Sha256};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Status};

/// TLS as configured, tried out; `None` for plain text.
pub(super) fn server_tls(config: &ServeConfig) -> Result<Option<ServerTlsConfig>, ConfigError> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let identity = Identity::from_pem(readable("tls_cert", cert)?, readable("tls_key", key)?);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(ca) = &config.tls_client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(readable("tls_client_ca", ca)?));
    }
    let broken = |e: tonic::transport::Error| ConfigError::Tls { reason: full_text(&e) };
    Server::builder().tls_config(tls.clone()).map_err(broken)?;
    Ok(Some(tls))
}

fn full_text(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Lets a request pass when it carries the token, or when none is needed.
#[derive(Clone)]
pub(super) struct Auth {
    digest: Option<[u8; 32]>,
}

impl Auth {
    pub(super) fn new(token: Option<&Secret>) -> Self {
        Self { digest: token.map(|token| Sha256::digest(token.0.as_bytes()).into()) }
    }

    /// Compares hashes, every byte of them: how long it takes tells nothing of the token.
    fn admits(&self, given: Option<&str>) -> bool {
        let Some(digest) = &self.digest else { return true };
        let Some(token) = given.and_then(|header| header.strip_prefix("Bearer ")) else { return false };
        let found: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        digest.iter().zip(found).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

impl Interceptor for Auth {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if self.admits(given) { Ok(request) } else { Err(RequestError::Unauthenticated.into()) }
    }
}
