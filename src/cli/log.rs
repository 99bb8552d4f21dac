//! The log of programs that run on and on.

use crate::service::config::LogFormat;
use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// Logs to standard error, so that standard output stays free for answers.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let parsed = EnvFilter::try_new(filter).with_context(|| format!("log is {filter:?}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
