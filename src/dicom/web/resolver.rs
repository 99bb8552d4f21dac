//! Names → addresses that were judged. What is connected to is what was judged: nothing asks again.

use super::addresses::Permitted;
use super::error::WebError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// The addresses of a name, in time.
pub type Answers = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks for the addresses of a name. A seam: tests give hostile answers.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `host`.
    fn lookup(&self, host: &str) -> Answers;
}

/// The operating system's own (`getaddrinfo`).
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> Answers {
        let host = host.to_owned();
        Box::pin(async move {
            Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.map(|found| found.ip()).collect())
        })
    }
}

/// Gives an HTTP client judged addresses only.
pub(super) struct Judge {
    pub lookup: Arc<dyn Lookup>,
    pub permitted: Permitted,
}

impl Resolve for Judge {
    /// One bad answer spoils all: which of them a client takes is chance, or an attacker's choice.
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let (answers, permitted) = (self.lookup.lookup(&host), self.permitted.clone());
        Box::pin(async move {
            let found = answers.await?;
            if let Some(address) = found.iter().copied().find(|address| !permitted.allows(*address)) {
                return Err(WebError::AddressNotAllowed { host, address }.into());
            }
            let judged = found.into_iter().map(|address| SocketAddr::new(address.to_canonical(), 0));
            Ok(Box::new(judged) as Addrs)
        })
    }
}
