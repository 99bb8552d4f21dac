//! `spinefx segment`: one CT in, mask, SEG, findings and pictures out.

use super::compute::Compute;
use super::mask::Mask;
use super::{show, truth};
use crate::dicom;
use crate::itk::{self, FileFormat};
use crate::monitor::Stage;
use crate::pipeline::{self, Artifact, Input, Options, Output, Store};
use crate::postprocess::Finding;
use crate::service::client;
use anyhow::Context;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Segment one CT and write mask.nii.gz, mask.nrrd, mask.seg.dcm, findings.json and pictures.
///
/// With --server the CT goes to a running `spinefx serve`; without, the work is done here.
#[derive(Debug, Args)]
pub struct Segment {
    /// DICOM folder or .zip, or a .nii, .nii.gz, .nrrd or .mha file in HU
    input: PathBuf,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// A running server, as http://host:port
    #[arg(long, value_name = "URL", env = "SPINEFX_SERVER")]
    server: Option<String>,
    /// Bearer token for the server
    #[arg(long, value_name = "TOKEN", env = "SPINEFX_TOKEN", hide_env_values = true, requires = "server")]
    token: Option<String>,
    /// Model by name (see `spinefx models`)
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Folder with further models, one sub-folder each (without --server)
    #[arg(long, value_name = "DIR", env = "SPINEFX_MODELS")]
    models: Option<PathBuf>,
    #[command(flatten)]
    mask: Mask,
    /// Series to take when the folder holds several
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    /// A mask of the true fractures to print beside the findings
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Labels of --truth that are fractures [default: all but 0]
    #[arg(long, value_name = "N,N", value_delimiter = ',', requires = "truth")]
    truth_labels: Vec<i16>,
    #[command(flatten)]
    compute: Compute,
}

/// What came back, from here or from a server.
struct Answer {
    findings: Vec<Finding>,
    artifacts: Vec<Artifact>,
    timings: Vec<(Stage, Duration)>,
    notes: Vec<String>,
}

/// Segments, writes the results and prints the findings.
pub fn run(args: &Segment) -> anyhow::Result<()> {
    let answer = match &args.server {
        Some(server) => remote(args, server)?,
        None => local(args)?,
    };
    std::fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    for artifact in &answer.artifacts {
        write(&args.output, artifact)?;
    }
    for note in &answer.notes {
        println!("note: {note}");
    }
    if answer.findings.is_empty() {
        println!("no finding");
    } else {
        println!("{}", show::findings(&answer.findings));
    }
    if let Some(truth) = &args.truth {
        let mask = itk::read_mask(&args.output.join("mask.nii.gz"), u64::MAX)?;
        truth::compare(truth, &args.truth_labels, &mask)?;
    }
    println!("{}", show::timings(&answer.timings));
    println!("{} files in {}", answer.artifacts.len(), args.output.display());
    println!("Research only: not for diagnosis.");
    Ok(())
}

fn options(args: &Segment) -> Options {
    Options {
        series_uid: args.series.clone(),
        outputs: BTreeSet::from([
            Output::Nifti,
            Output::Nrrd,
            Output::DicomSeg,
            Output::Overlays,
            Output::FindingsJson,
        ]),
        ..args.mask.options()
    }
}

fn local(args: &Segment) -> anyhow::Result<Answer> {
    let options = options(args);
    let store = Store::open(args.models.as_deref(), &args.compute.choice())?;
    let model = store.model(args.model.as_deref().unwrap_or_default())?;
    let bar = show::stage_bar();
    let monitor = show::monitor(&bar);
    let input = match FileFormat::from_path(&args.input) {
        Some(format) => Input::File { format, bytes: read(&args.input)? },
        None => Input::Series(Box::new(dicom::read_path(&args.input, options.read_options(), &monitor)?)),
    };
    let made = pipeline::segment(model, input, &options, &monitor);
    bar.finish_and_clear();
    let made = made?;
    Ok(Answer {
        findings: made.findings,
        artifacts: made.artifacts,
        timings: made.timings,
        notes: made.notes,
    })
}

fn remote(args: &Segment, server: &str) -> anyhow::Result<Answer> {
    let upload = match FileFormat::from_path(&args.input) {
        Some(format) => client::Upload::File { format, bytes: read(&args.input)? },
        None => client::Upload::instances(dicom::instances_of_path(&args.input, &dicom::Limits::default())?),
    };
    let request = client::Request {
        server: server.to_owned(),
        token: args.token.clone(),
        model: args.model.clone().unwrap_or_default(),
        options: options(args),
    };
    let bar = show::stage_bar();
    let runtime = tokio::runtime::Runtime::new()?;
    let answer = runtime.block_on(client::segment(request, upload, |p| {
        show::show_stage(&bar, &p.stage, p.done, p.total);
    }));
    bar.finish_and_clear();
    let answer = answer?;
    Ok(Answer {
        findings: answer.findings,
        artifacts: answer.artifacts,
        timings: answer.timings,
        notes: answer.notes,
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// Writes a result under its own name. The name comes from a server, so it may hold no folder.
fn write(dir: &Path, artifact: &Artifact) -> anyhow::Result<()> {
    let name = Path::new(&artifact.name);
    let plain = name.file_name() == Some(name.as_os_str());
    anyhow::ensure!(
        plain,
        "the server sent an output named {:?}, which is no plain file name",
        artifact.name
    );
    let path = dir.join(name);
    std::fs::write(&path, &artifact.bytes).with_context(|| path.display().to_string())
}
