//! The flags of `spinefx serve`.

use super::config::LogFormat;
use crate::dicom::web::{ArchiveSettings, IpNet};
use clap::Args;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Flags of `serve`, each also an environment variable. What is absent here comes from the file, else
/// from [`super::ServeConfig`].
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct ServeArgs {
    /// TOML file with any of these settings, named like the flags with _ for -
    #[arg(long, value_name = "FILE", env = "SPINEFX_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDRESS:PORT", env = "SPINEFX_LISTEN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Folder with further models, one sub-folder each
    #[arg(long, value_name = "DIR", env = "SPINEFX_MODELS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<PathBuf>,
    /// auto, cpu or cuda:N [default: auto]
    #[arg(long, value_name = "DEVICE", env = "SPINEFX_DEVICE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// fp32 or bf16 [default: the model's]
    #[arg(long, value_name = "FORMAT", env = "SPINEFX_PRECISION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// CPU threads of the network [default: every core]
    #[arg(long, value_name = "N", env = "SPINEFX_THREADS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Requests worked on at a time; each worker has models of its own [default: 1]
    #[arg(long, value_name = "N", env = "SPINEFX_WORKERS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Requests that may wait beyond these [default: 8]
    #[arg(long, value_name = "N", env = "SPINEFX_QUEUE_LENGTH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_length: Option<u32>,
    /// Largest message in bytes [default: 4 MiB]
    #[arg(long, value_name = "BYTES", env = "SPINEFX_MESSAGE_BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_bytes: Option<u64>,
    /// Largest payload in bytes, unpacked [default: 1 GiB]
    #[arg(long, value_name = "BYTES", env = "SPINEFX_UPLOAD_BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_bytes: Option<u64>,
    /// Largest volume in voxels [default: 2^29]
    #[arg(long, value_name = "N", env = "SPINEFX_VOXELS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voxels: Option<u64>,
    /// Most DICOM instances of one request [default: 10000]
    #[arg(long, value_name = "N", env = "SPINEFX_INSTANCES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    /// Longest time for one request in seconds, waiting included [default: 1800]
    #[arg(long, value_name = "S", env = "SPINEFX_DEADLINE_S")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<u32>,
    /// Longest silence of an uploading client in seconds [default: 30]
    #[arg(long, value_name = "S", env = "SPINEFX_UPLOAD_IDLE_S")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_idle_s: Option<u32>,
    /// How long requests may go on after SIGTERM, in seconds [default: 30]
    #[arg(long, value_name = "S", env = "SPINEFX_DRAIN_S")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_s: Option<u32>,
    /// The server's certificate chain (PEM); turns TLS on
    #[arg(long, value_name = "FILE", env = "SPINEFX_TLS_CERT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", env = "SPINEFX_TLS_KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// Authorities whose clients are let in (PEM); turns mutual TLS on
    #[arg(long, value_name = "FILE", env = "SPINEFX_TLS_CLIENT_CA")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_ca: Option<PathBuf>,
    /// File whose text is the bearer token that clients must send
    #[arg(long, value_name = "FILE", env = "SPINEFX_TOKEN_FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// DICOMweb service that series may be fetched from and masks stored to, such as
    /// http://localhost:8042/dicom-web; repeat it for more. Those with a password or a certificate of their
    /// own are described in the --config file. Without any, the server talks to no archive
    #[arg(long = "archive", value_name = "URL", env = "SPINEFX_ARCHIVE", value_delimiter = ',')]
    #[serde(skip)]
    pub archive: Vec<String>,
    /// Private addresses that the names in --archive may stand for, such as 10.20.0.0/16; repeat it for more
    #[arg(
        long = "archive-network",
        value_name = "CIDR",
        env = "SPINEFX_ARCHIVE_NETWORK",
        value_delimiter = ','
    )]
    #[serde(skip)]
    pub archive_network: Vec<IpNet>,
    /// Web pages that may call from another origin, such as `https://viewer.example`, or `*`; repeat it for more
    #[arg(long = "cors-origin", value_name = "ORIGIN", env = "SPINEFX_CORS_ORIGIN", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors_origins: Vec<String>,
    /// Whether grpcurl and others may ask for the protocol [default: true]
    #[arg(long, value_name = "BOOL", env = "SPINEFX_REFLECTION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reflection: Option<bool>,
    /// What to log, as tracing's EnvFilter has it [default: info]
    #[arg(long, value_name = "FILTER", env = "SPINEFX_LOG")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How to log: text or json [default: text]
    #[arg(long, value_name = "FORMAT", env = "SPINEFX_LOG_FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

impl ServeArgs {
    /// The archives given by flags.
    pub(super) fn archives(&self) -> impl Iterator<Item = ArchiveSettings> {
        let networks = &self.archive_network;
        self.archive.iter().map(|root| ArchiveSettings {
            root: root.clone(),
            networks: networks.clone(),
            ..ArchiveSettings::default()
        })
    }
}
