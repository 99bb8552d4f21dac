//! `spinefx serve`: the server.

use super::{EXIT_USAGE, sentence};
use crate::infer::DeviceChoice;
use crate::pipeline::Store;
use crate::service::{self, ServeArgs, ServeConfig, ServeError};
use anyhow::Context;
use clap::Args;
use std::process::ExitCode;

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
        super::log::start(&config.log, config.log_format)?;
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
            let usage = matches!(e.downcast_ref(), Some(ServeError::Config(_) | ServeError::Archives(_)));
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
        let stop = super::stop::signals()?;
        let models = config.models.clone();
        let load = move |_worker| Ok(Store::open(models.as_deref(), &device)?);
        Ok(service::serve(config, load, stop).await?)
    })
}
