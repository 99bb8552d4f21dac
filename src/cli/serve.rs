//! `spinefx serve`: the server.

use super::{EXIT_USAGE, sentence};
use crate::infer::DeviceChoice;
use crate::pipeline::Store;
use crate::service::config::LogFormat;
use crate::service::{self, ServeArgs, ServeConfig, ServeError};
use anyhow::Context;
use clap::Args;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Answer segmentation requests over gRPC.
///
/// Every setting is a flag, an environment variable (SPINEFX_…) or a line of the TOML file given with
/// --config; flags win over variables, variables over the file. SIGTERM stops it cleanly: no new
/// requests, those at work may end.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: ServeArgs,
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(args: &Serve) -> ExitCode {
    let prepared = ServeConfig::load(&args.settings).map_err(anyhow::Error::from).and_then(|config| {
        start_log(&config)?;
        let place = config.device.parse().context("device")?;
        Ok((config, DeviceChoice { place, ..DeviceChoice::default() }))
    });
    let (config, device) = match prepared {
        Ok(prepared) => prepared,
        Err(e) => return failed(&e, ExitCode::from(EXIT_USAGE)),
    };
    match serve(config, device) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let usage = matches!(e.downcast_ref(), Some(ServeError::Config(_)));
            failed(&e, if usage { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE })
        }
    }
}

fn failed(e: &anyhow::Error, code: ExitCode) -> ExitCode {
    eprintln!("spinefx: {}", sentence(e));
    code
}

fn serve(config: ServeConfig, device: DeviceChoice) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        let models = config.models.clone();
        let load = move |_worker| Ok(Store::open(models.as_deref(), &device)?);
        Ok(service::serve(config, load, stop).await?)
    })
}

/// Logs to standard error, so that standard output stays free for answers.
fn start_log(config: &ServeConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("log is {:?}", config.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
