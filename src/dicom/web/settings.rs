//! The list of archives as an operator writes it, and everything that can be wrong with it.

use super::addresses::Permitted;
use super::{authorization, client, resolver, root};
use ipnet::IpNet;
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;
use url::Url;

/// One archive that the server may talk to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveSettings {
    /// `https://host[:port][/path]` of the DICOMweb service. A path allows what lies at it and below.
    pub root: String,
    /// Networks, beside the public ones, in which the host's addresses may lie, such as `10.0.0.0/8`.
    /// A root that is an address itself, or `localhost`, needs none.
    pub networks: Vec<IpNet>,
    /// File with a bearer token, for requests that bring no authorization of their own.
    pub bearer_file: Option<PathBuf>,
    /// File with `user:password` on one line, likewise.
    pub basic_file: Option<PathBuf>,
    /// Certificate authorities (PEM) of this archive, beside those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Everything that is wrong with a list of archives.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", faults.join("; "))]
pub struct ArchivesError {
    /// One sentence each, beginning with the archive's number. None shows a secret.
    pub faults: Vec<String>,
}

/// An archive that is ready to be talked to.
pub(super) struct Listed {
    pub root: Url,
    pub authorization: Option<HeaderValue>,
    pub http: reqwest::Client,
}

/// Checks all settings and reads all files.
pub(super) fn read(
    settings: &[ArchiveSettings],
    lookup: &Arc<dyn resolver::Lookup>,
) -> Result<Vec<Listed>, ArchivesError> {
    let mut faults = Vec::new();
    let mut listed = Vec::new();
    for (number, archive) in settings.iter().enumerate() {
        match read_one(archive, lookup) {
            Ok(archive) => listed.push(archive),
            Err(found) => faults.extend(found.iter().map(|fault| format!("archives[{number}]: {fault}"))),
        }
    }
    for (number, archive) in listed.iter().enumerate() {
        if listed[..number].iter().any(|other| other.root == archive.root) {
            faults.push(format!("archives: {} is listed twice", archive.root));
        }
    }
    if faults.is_empty() { Ok(listed) } else { Err(ArchivesError { faults }) }
}

fn read_one(archive: &ArchiveSettings, lookup: &Arc<dyn resolver::Lookup>) -> Result<Listed, Vec<String>> {
    let mut faults = Vec::new();
    let root = root::parse(&archive.root).map_err(|reason| faults.push(format!("root {reason}"))).ok();
    if archive.bearer_file.is_some() && archive.basic_file.is_some() {
        faults.push("bearer_file and basic_file exclude each other".to_owned());
    }
    let bearer = archive.bearer_file.as_deref().map(authorization::bearer_of_file);
    let basic = archive.basic_file.as_deref().map(authorization::basic_of_file);
    let authorization = bearer.or(basic).transpose().map_err(|reason| faults.push(reason)).ok().flatten();
    let authorities = archive.ca_file.as_deref().map_or(Ok(Vec::new()), client::authorities);
    let authorities = authorities.map_err(|reason| faults.push(reason)).ok();
    let (Some(root), Some(authorities), true) = (root, authorities, faults.is_empty()) else {
        return Err(faults);
    };
    let permitted = Permitted::new(&archive.networks, root::name(&root));
    let judge = resolver::Judge { lookup: lookup.clone(), permitted };
    let http = client::build(judge, authorities).map_err(|reason| vec![reason])?;
    Ok(Listed { root, authorization, http })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_once_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "hush hush").unwrap();
        let lookup: Arc<dyn resolver::Lookup> = Arc::new(resolver::SystemLookup);
        let archive = |root: &str| ArchiveSettings { root: root.into(), ..ArchiveSettings::default() };
        let settings = [
            ArchiveSettings {
                bearer_file: Some(secret.clone()),
                ca_file: Some(dir.path().join("none")),
                ..archive("https://user:hush@pacs.example")
            },
            ArchiveSettings { ca_file: Some(secret.clone()), ..archive("https://pacs.example") },
            ArchiveSettings {
                basic_file: Some(secret.clone()),
                bearer_file: Some(secret),
                ..archive("ftp://x")
            },
            archive("http://127.0.0.1:1/a"),
            archive("http://2130706433:1/a/"),
        ];
        let error = read(&settings, &lookup).err().unwrap();
        assert_eq!(error.faults.len(), 8, "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
