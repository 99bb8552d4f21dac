//! The segmentation-plugin protocol over gRPC: the only place that knows of transport.
//!
//! [`server`] binds and stops, `segplugin` has the RPCs, `volume` and `series` the course of those that
//! segment, `call` what these have in common, `session` what all share, `web` what browsers need, `upload`
//! what the client sends, [`convert`] messages ↔ domain types, `error` and `status` what goes
//! wrong, [`config`] the settings and [`ServeArgs`] their flags, [`manifest`] what the plugin says of itself, [`client`] the other side.

mod args;
mod call;
pub mod client;
pub mod config;
pub mod convert;
mod error;
mod header;
pub mod manifest;
mod outputs;
mod segplugin;
mod series;
pub mod server;
mod session;
mod status;
mod tls;
mod upload;
mod volume;
mod web;

pub use args::ServeArgs;
pub use config::{ConfigError, ServeConfig};
pub use error::RequestError;
pub use outputs::sha256_hex;
pub use server::{ServeError, Server, serve};

/// Generated from `proto/segplugin/v1/segmentation_plugin.proto`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod pb {
    tonic::include_proto!("segplugin.v1");

    /// The descriptors that server reflection answers from.
    pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("segplugin.v1");
}
