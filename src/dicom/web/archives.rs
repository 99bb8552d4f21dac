//! The list, and an archive that was found on it.

use super::error::WebError;
use super::resolver::{Lookup, SystemLookup};
use super::settings::{self, ArchiveSettings, ArchivesError, Listed};
use super::{authorization, root};
use reqwest::header::HeaderValue;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// The archives that may be talked to. Cheap to clone.
#[derive(Clone)]
pub struct Archives {
    listed: Arc<[Listed]>,
}

impl Archives {
    /// Checks the settings and reads what they name, once; all faults are told together.
    pub fn new(settings: &[ArchiveSettings]) -> Result<Self, ArchivesError> {
        let system: Arc<dyn Lookup> = Arc::new(SystemLookup);
        Self::with_lookup(settings, &system)
    }

    /// As [`Archives::new`], with another source of addresses.
    pub fn with_lookup(
        settings: &[ArchiveSettings],
        lookup: &Arc<dyn Lookup>,
    ) -> Result<Self, ArchivesError> {
        Ok(Self { listed: settings::read(settings, lookup)?.into() })
    }

    /// Whether there is no archive to talk to.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The archive at `root`, if the list allows it. Nothing is sent.
    ///
    /// * `authorization`: header value `Bearer …` or `Basic …`; otherwise what the settings name.
    pub fn open(&self, root: &str, authorization: Option<&str>) -> Result<Archive, WebError> {
        let url = root::parse(root).map_err(|reason| WebError::BadRoot { reason })?;
        let Some(entry) = self.entry(&url) else {
            return Err(WebError::NotAllowed { root: url.into() });
        };
        let authorization = match authorization {
            Some(value) => Some(authorization::parse(value).ok_or(WebError::BadAuthorization)?),
            None => self.listed[entry].authorization.clone(),
        };
        Ok(Archive { archives: self.clone(), entry, root: url, authorization })
    }

    /// The entry that allows `url`; the most special one if several do.
    pub(super) fn entry(&self, url: &Url) -> Option<usize> {
        let allowing = (0..self.listed.len()).filter(|at| root::lies_below(url, &self.listed[*at].root));
        allowing.max_by_key(|at| self.listed[*at].root.path().len())
    }

    pub(super) fn http(&self, entry: usize) -> &reqwest::Client {
        &self.listed[entry].http
    }
}

impl fmt::Debug for Archives {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_list().entries(self.listed.iter().map(|archive| archive.root.as_str())).finish()
    }
}

/// One archive, with the credentials of one request. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    pub(super) archives: Archives,
    pub(super) entry: usize,
    pub(super) root: Url,
    pub(super) authorization: Option<HeaderValue>,
}

impl Archive {
    /// The root, canonical, ending with `/`.
    pub fn root(&self) -> &str {
        self.root.as_str()
    }

    /// An address below the root. Segments are constants of this module and checked UIDs.
    pub(super) fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.root.clone();
        let path = format!("{}{}", url.path(), segments.join("/"));
        url.set_path(&path);
        url
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Archive").field("root", &self.root.as_str()).finish_non_exhaustive()
    }
}
