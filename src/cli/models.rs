//! `spinefx models`: what can be served.

use super::show;
use crate::infer::{DeviceChoice, Place};
use crate::pipeline::Store;
use clap::Args;
use std::path::PathBuf;

/// List the models that this program can serve.
#[derive(Debug, Args)]
pub struct Models {
    /// Folder with further models, one sub-folder each
    #[arg(long, value_name = "DIR", env = "SPINEFX_MODELS")]
    models: Option<PathBuf>,
}

/// Prints a table.
pub fn run(args: &Models) -> anyhow::Result<()> {
    let store =
        Store::open(args.models.as_deref(), &DeviceChoice { place: Place::Cpu, ..DeviceChoice::default() })?;
    let mut table = show::table(&["model", "version", "weights", "plane", "spacing mm", "about"], 6);
    for model in store.all() {
        let config = model.config();
        let default = if config.name == store.default_name() { " (default)" } else { "" };
        table.add_row([
            format!("{}{default}", config.name),
            config.version.clone(),
            model.weights_sha256()[..12].to_owned(),
            model.planes(),
            config.spacing_mm.map(|s| s.to_string()).join(" × "),
            config.description.clone(),
        ]);
    }
    println!("{table}");
    Ok(())
}
