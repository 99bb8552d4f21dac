//! The settings of `spinefx serve`: defaults < TOML file < environment < flags, checked before a port is
//! bound.

use super::args::ServeArgs;
use crate::dicom::web::ArchiveSettings;
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Exit code for a bad configuration (EX_USAGE of BSD's sysexits).
pub const EXIT_CONFIG: u8 = 64;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// All settings of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder with further models.
    pub models: Option<PathBuf>,
    /// auto, cpu or cuda:N.
    pub device: String,
    /// fp32 or bf16; the model's own when absent.
    pub precision: Option<String>,
    /// CPU threads of the network; every core when absent.
    pub threads: Option<usize>,
    /// Requests worked on at a time.
    pub workers: u32,
    /// Requests that may wait beyond these.
    pub queue_length: u32,
    /// What one request may bring.
    #[serde(flatten)]
    pub limits: Limits,
    /// Longest time for one request, waiting included.
    pub deadline_s: u32,
    /// Longest silence of an uploading client.
    pub upload_idle_s: u32,
    /// How long requests may go on after the server was told to stop.
    pub drain_s: u32,
    /// Certificate chain (PEM); turns TLS on.
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Authorities of clients (PEM); turns mutual TLS on.
    pub tls_client_ca: Option<PathBuf>,
    /// File with the bearer token that clients must send.
    pub token_file: Option<PathBuf>,
    /// The DICOMweb archives that the server may talk to, and no others.
    pub archives: Vec<ArchiveSettings>,
    /// Origins of web pages that may call: `https://viewer.example`, or `*`.
    pub cors_origins: Vec<String>,
    /// Server reflection, v1 and v1alpha.
    pub reflection: bool,
    /// EnvFilter.
    pub log: String,
    /// Of log lines.
    pub log_format: LogFormat,
}

/// What one request may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of one message.
    pub message_bytes: u64,
    /// Bytes of one payload, unpacked.
    pub upload_bytes: u64,
    /// Voxels of one volume.
    pub voxels: u64,
    /// DICOM instances.
    pub instances: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // 2^29 voxels are 2,048 slices of 512²; as int16 they are the payload's limit.
        Self { message_bytes: 4 << 20, upload_bytes: 1 << 30, voxels: 1 << 29, instances: 10_000 }
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            models: None,
            device: "auto".into(),
            precision: None,
            threads: None,
            workers: 1,
            queue_length: 8,
            limits: Limits::default(),
            deadline_s: 1800,
            upload_idle_s: 30,
            drain_s: 30,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            token_file: None,
            archives: Vec::new(),
            cors_origins: Vec::new(),
            reflection: true,
            log: "info".into(),
            log_format: LogFormat::Text,
        }
    }
}

/// Why the settings are no good.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file or value could not be parsed.
    #[error("{0}")]
    Parse(Box<figment::Error>),
    /// A value is outside its range.
    #[error("{setting} is {found}: it must be {low} to {high}")]
    Range {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        found: u64,
        /// Smallest allowed.
        low: u64,
        /// Largest allowed.
        high: u64,
    },
    /// Settings that need each other.
    #[error("{setting} needs {other}")]
    Needs {
        /// What is set.
        setting: &'static str,
        /// What is not.
        other: &'static str,
    },
    /// A file cannot be read.
    #[error("{setting} {path}: {source}")]
    File {
        /// Name of the setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The token cannot be sent in a header.
    #[error("token_file {path}: a token is 16 or more visible ASCII characters on one line")]
    Token {
        /// The file.
        path: PathBuf,
    },
    /// A web page's origin is not written as browsers write it.
    #[error("cors_origins: {found:?} is no origin; write scheme://host or scheme://host:port, or *")]
    Origin {
        /// As configured.
        found: String,
    },
    /// The certificate and its key are not good.
    #[error("TLS: {reason}")]
    Tls {
        /// The library's reason.
        reason: String,
    },
}

impl ConfigError {
    /// Exit code of the program.
    pub fn exit_code(&self) -> u8 {
        EXIT_CONFIG
    }
}

impl ServeConfig {
    /// Merges defaults, the file and the flags (or their environment variables), and checks the outcome.
    pub fn load(args: &ServeArgs) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = &args.config {
            readable("config", path)?;
            figment = figment.merge(Toml::file_exact(path));
        }
        let merged = figment.merge(Serialized::defaults(args)).extract::<Self>();
        let mut config = merged.map_err(|e| ConfigError::Parse(Box::new(e)))?;
        config.archives.extend(args.archives());
        config.check()?;
        Ok(config)
    }

    /// Refuses what cannot be served.
    pub fn check(&self) -> Result<(), ConfigError> {
        let range = |setting, found: u64, low, high| {
            if (low..=high).contains(&found) {
                Ok(())
            } else {
                Err(ConfigError::Range { setting, found, low, high })
            }
        };
        let day = 86_400;
        range("workers", self.workers.into(), 1, 64)?;
        range("queue_length", self.queue_length.into(), 0, 10_000)?;
        range("message_bytes", self.limits.message_bytes, 64 << 10, 1 << 30)?;
        range("upload_bytes", self.limits.upload_bytes, 1, 1 << 40)?;
        range("voxels", self.limits.voxels, 1, 1 << 40)?;
        range("instances", self.limits.instances, 1, 1_000_000)?;
        range("deadline_s", self.deadline_s.into(), 1, day)?;
        range("upload_idle_s", self.upload_idle_s.into(), 1, day)?;
        range("drain_s", self.drain_s.into(), 0, day)?;
        self.check_tls()?;
        self.token().map(|_| ())
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        let needs = |setting, other| Err(ConfigError::Needs { setting, other });
        match (&self.tls_cert, &self.tls_key, &self.tls_client_ca) {
            (Some(_), None, _) => needs("tls_cert", "tls_key"),
            (None, Some(_), _) => needs("tls_key", "tls_cert"),
            (None, None, Some(_)) => needs("tls_client_ca", "tls_cert"),
            (cert, key, ca) => {
                let files = [("tls_cert", cert), ("tls_key", key), ("tls_client_ca", ca)];
                files.iter().try_for_each(|(setting, path)| {
                    path.as_ref().map_or(Ok(()), |path| readable(setting, path).map(|_| ()))
                })
            }
        }
    }

    /// The token, read from its file.
    pub(super) fn token(&self) -> Result<Option<Secret>, ConfigError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let bytes = readable("token_file", path)?;
        let bad = || ConfigError::Token { path: path.clone() };
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        let token = text.trim();
        let good = token.len() >= 16 && token.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(Some(Secret(token.to_owned()))) } else { Err(bad()) }
    }
}

pub(super) fn readable(setting: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|source| ConfigError::File { setting, path: path.to_owned(), source })
}

/// Text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let (_folder, path) =
            file("listen = \"0.0.0.0:7000\"\nworkers = 3\nvoxels = 77\nlog_format = \"json\"");
        let args = ServeArgs { config: Some(path), workers: Some(5), ..ServeArgs::default() };
        let config = ServeConfig::load(&args).unwrap();
        assert_eq!(config.listen, "0.0.0.0:7000".parse().unwrap());
        assert_eq!((config.workers, config.limits.voxels, config.queue_length), (5, 77, 8));
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(ServeConfig::load(&ServeArgs::default()).unwrap(), ServeConfig::default());
    }

    #[test]
    fn bad_settings_are_named() {
        let load = |args: &ServeArgs| {
            let error = ServeConfig::load(args).unwrap_err();
            assert_eq!(error.exit_code(), 64);
            error.to_string()
        };
        for (text, says) in [
            ("wrokers = 3", "wrokers"),
            ("listen = \"nowhere\"", "listen"),
            ("workers = 0", "workers is 0"),
            ("tls_cert = \"x\"", "tls_key"),
            ("tls_cert = \"/no/x\"\ntls_key = \"/no/y\"", "/no/x"),
            ("= 1", "TOML"),
        ] {
            let (_folder, path) = file(text);
            let error = load(&ServeArgs { config: Some(path), ..ServeArgs::default() });
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = load(&ServeArgs { config: Some("/no/file".into()), ..ServeArgs::default() });
        assert!(error.contains("/no/file"), "{error}");
    }

    #[test]
    fn a_token_is_read_from_its_file_and_never_shown() {
        let (_folder, path) = file("0123456789abcdef\n");
        let config = ServeConfig { token_file: Some(path), ..ServeConfig::default() };
        config.check().unwrap();
        let token = config.token().unwrap().unwrap();
        assert_eq!(token.0, "0123456789abcdef");
        assert_eq!(format!("{token:?}"), "(secret)");

        let (_folder, path) = file("short");
        let config = ServeConfig { token_file: Some(path), ..ServeConfig::default() };
        assert!(matches!(config.check(), Err(ConfigError::Token { .. })));
    }
}
