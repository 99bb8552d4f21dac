//! `spinefx watch`: segments whatever new CT arrives in an archive.

use super::compute::Compute;
use super::mask::Mask;
use crate::dicom::web::{ArchiveSettings, Archives, IpNet};
use crate::pipeline::Store;
use crate::service::config::LogFormat;
use crate::watch::{Journal, Pattern, Rule, Watch, WatchOptions};
use crate::worker::Worker;
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Follow a DICOMweb archive: segment every new CT series and store its DICOM SEG beside it.
///
/// Series that are there at the first start are left alone unless --existing is given. What was done is
/// kept in the journal: started again, the watch goes on where it was, and no series is done twice. One
/// that grew afterwards is done again.
#[derive(Debug, Args)]
pub struct WatchCommand {
    /// DICOMweb service, such as http://localhost:8042/dicom-web
    #[arg(long, value_name = "URL", env = "SPINEFX_ARCHIVE")]
    archive: String,
    /// Private addresses that the archive's name may stand for, such as 10.20.0.0/16; repeat it for more
    #[arg(
        long = "archive-network",
        value_name = "CIDR",
        env = "SPINEFX_ARCHIVE_NETWORK",
        value_delimiter = ','
    )]
    networks: Vec<IpNet>,
    /// File with the archive's bearer token
    #[arg(long, value_name = "FILE", conflicts_with = "basic_file")]
    bearer_file: Option<PathBuf>,
    /// File with user:password for the archive
    #[arg(long, value_name = "FILE")]
    basic_file: Option<PathBuf>,
    /// Certificate authority of the archive (PEM), beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// File that remembers what was done; made when it is not there
    #[arg(long, value_name = "FILE", default_value = "spinefx-watch.jsonl")]
    journal: PathBuf,
    /// Only series whose attribute looks like this, such as BodyPartExamined=*SPINE*; repeat it, all must fit
    #[arg(long = "match", value_name = "KEYWORD=PATTERN")]
    take: Vec<Pattern>,
    /// No series whose attribute looks like this, such as SeriesDescription=*lung*
    #[arg(long, value_name = "KEYWORD=PATTERN")]
    skip: Vec<Pattern>,
    /// Fewest instances of a series
    #[arg(long, value_name = "N", default_value_t = 20)]
    min_instances: u64,
    /// Sent to the archive with every query, such as StudyDate=20260101-, so that it names fewer series
    #[arg(long, value_name = "KEYWORD=VALUE", value_parser = query)]
    query: Vec<(String, String)>,
    /// Seconds between two looks at the archive
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    every: f64,
    /// Seconds for which a series must not have grown
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    settle: f64,
    /// How often a series is tried when the archive or this machine fails
    #[arg(long, value_name = "N", default_value_t = 10)]
    attempts: u32,
    /// Seconds until a series that failed is tried again; twice as many after each further failure
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    retry: f64,
    /// Also segment what is there at the first start
    #[arg(long)]
    existing: bool,
    /// End when nothing is left to do
    #[arg(long)]
    once: bool,
    /// Model by name (see `spinefx models`) [default: the first]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Folder with further models, one sub-folder each
    #[arg(long, value_name = "DIR", env = "SPINEFX_MODELS")]
    models: Option<PathBuf>,
    #[command(flatten)]
    mask: Mask,
    /// What to log, as tracing's EnvFilter has it
    #[arg(long, value_name = "FILTER", default_value = "info", env = "SPINEFX_LOG")]
    log: String,
    /// How to log
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, env = "SPINEFX_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(flatten)]
    compute: Compute,
}

fn query(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(keyword, _)| !keyword.is_empty());
    pair.map(|(k, v)| (k.to_owned(), v.to_owned())).ok_or_else(|| "write KEYWORD=VALUE".to_owned())
}

/// Watches until SIGTERM or Ctrl-C.
pub fn run(args: &WatchCommand) -> anyhow::Result<()> {
    super::log::start(&args.log, args.log_format)?;
    let journal = Journal::open(&args.journal)?;
    let archives = Archives::new(&[args.settings()])?;
    let archive = archives.open(&args.archive, None)?;
    let (models, choice) = (args.models.clone(), args.compute.choice());
    let worker = Worker::start(1, 0, move |_| Ok(Store::open(models.as_deref(), &choice)?))?;
    let model = args.model_of(&worker)?;
    let options = args.options(model)?;
    let watch = Watch { archive, worker: &worker, journal, options };
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(async {
        let stop = super::stop::signals()?;
        tokio::select! {
            ended = watch.run() => Ok(ended?),
            () = stop => Ok(()),
        }
    });
    worker.stop();
    ended
}

impl WatchCommand {
    fn settings(&self) -> ArchiveSettings {
        ArchiveSettings {
            root: self.archive.clone(),
            networks: self.networks.clone(),
            bearer_file: self.bearer_file.clone(),
            basic_file: self.basic_file.clone(),
            ca_file: self.ca_file.clone(),
        }
    }

    /// A model that is not there is found before the first series, not at it.
    fn model_of(&self, worker: &Worker) -> anyhow::Result<String> {
        let names: Vec<_> = worker.models().iter().map(|model| model.name.as_str()).collect();
        let wanted = self.model.as_deref().unwrap_or(names[0]);
        anyhow::ensure!(
            names.contains(&wanted),
            "there is no model {wanted:?}; there are: {}",
            names.join(", ")
        );
        Ok(wanted.to_owned())
    }

    fn options(&self, model: String) -> anyhow::Result<WatchOptions> {
        let seconds =
            |name: &str, s: f64| Duration::try_from_secs_f64(s).with_context(|| format!("--{name} {s}"));
        anyhow::ensure!(self.attempts > 0, "--attempts is 0: nothing would be tried");
        Ok(WatchOptions {
            every: seconds("every", self.every)?,
            settle: seconds("settle", self.settle)?,
            query: self.query.clone(),
            rule: Rule { take: self.take.clone(), skip: self.skip.clone(), instances: self.min_instances },
            existing: self.existing,
            once: self.once,
            attempts: self.attempts,
            retry: seconds("retry", self.retry)?,
            model,
            options: self.mask.options(),
        })
    }
}
