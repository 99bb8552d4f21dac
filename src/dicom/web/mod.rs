//! DICOMweb (PS3.18): series out of an archive, segmentations back into it.
//!
//! A request names an archive, so a request must not be able to make the server talk to anything else.
//! [`Archives`] is the list of those it may talk to. Nothing is sent before the root was found on it
//! ([`Archives::open`]); a redirect is followed only to a place that is on it too; and every address a
//! name resolves to is judged before a socket is opened to that very address.

mod addresses;
mod allowance;
mod archives;
mod authorization;
mod body;
mod client;
mod error;
mod exchange;
mod json;
mod pull;
mod query;
mod resolver;
mod retrieve;
mod root;
mod settings;
mod store;
mod uid;

pub use archives::{Archive, Archives};
pub use error::WebError;
/// A network, as [`ArchiveSettings::networks`] has it.
pub use ipnet::IpNet;
pub use query::SeriesRecord;
pub use resolver::{Answers, Lookup};
pub use settings::{ArchiveSettings, ArchivesError};
pub use store::StoredInstance;
pub use uid::SeriesRef;
