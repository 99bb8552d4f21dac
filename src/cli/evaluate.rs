//! `spinefx evaluate`: a model's masks beside the truth.

use super::compute::Compute;
use super::show;
use crate::evaluate::case::{self, Part};
use crate::evaluate::output::Output;
use crate::evaluate::{self, Case, EvaluateError, EvaluateOptions, Report, rows};
use crate::infer::{CONFIG_FILE, Model};
use crate::monitor::Monitor;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Compare a model's masks with the truth of a set, volume by volume, on the CT's own grid.
///
/// Every volume goes the way of a request. Written are metrics.json, metrics.csv (a line per volume),
/// slices.csv (a line per slice), report.html (one page with pictures) and pictures/. What each figure
/// means is in docs/evaluation.md. Evaluate only on patients that training never saw:
///
///   spinefx evaluate --model my-model/ --data set/ --split my-model/split.json -o figures/
///
///   spinefx evaluate --healthy --data CT/ -o figures/
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Evaluate {
    /// A model's name (see `spinefx models`), or a folder with config.json and weights.safetensors
    #[arg(long, value_name = "NAME_OR_DIR", default_value = "msff-lite")]
    model: String,
    /// Folder with further models, one sub-folder each
    #[arg(long, value_name = "DIR", env = "SPINEFX_MODELS")]
    models: Option<PathBuf>,
    /// Folder of the set, as `spinefx train` reads it; with --healthy also one CT: a DICOM folder or
    /// .zip, or an image file
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Labels (or segment numbers) that mean fracture [default: 1, and nothing but 0 and 1 is accepted]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    label: Vec<i16>,
    /// The spines of --data have no fracture: every voxel found is false, and masks are not looked at
    #[arg(long, conflicts_with_all = ["test_part_of", "split", "label"])]
    healthy: bool,
    /// Only the test part of the split that `train --seed SEED` made of the same folder
    #[arg(long, value_name = "SEED", conflicts_with = "split")]
    test_part_of: Option<u64>,
    /// Only a part of the split that training wrote
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// Which part of --split
    #[arg(long, default_value = "test", requires = "split")]
    part: PartName,
    /// Share of a fracture that the mask must cover for it to count as found; 0 asks for one voxel
    #[arg(long, value_name = "0..1", default_value_t = EvaluateOptions::default().lesion_overlap)]
    lesion_overlap: f64,
    /// Probability from which a voxel is fracture, 0 to 1 [default: the model's]
    #[arg(long, value_name = "P")]
    threshold: Option<f32>,
    /// Smallest finding in mm³ [default: the model's]
    #[arg(long, value_name = "MM3")]
    minimum_component: Option<f64>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PartName {
    Train,
    Validation,
    Test,
}

/// Evaluates, prints a summary and writes the results.
pub fn run(args: &Evaluate) -> anyhow::Result<()> {
    anyhow::ensure!((0.0..=1.0).contains(&args.lesion_overlap), "--lesion-overlap must be 0 to 1");
    anyhow::ensure!(args.threshold.is_none_or(|t| t > 0.0 && t < 1.0), "--threshold must be between 0 and 1");
    let model = model(args)?;
    let cases = cases(args)?;
    let options = EvaluateOptions {
        lesion_overlap: args.lesion_overlap,
        threshold: args.threshold,
        minimum_component_mm3: args.minimum_component,
    };
    let output = Output::create(&args.output)?;
    let bar = show::bar(cases.len(), "evaluate");
    let mut written = Ok(());
    let report = evaluate::run(&model, &cases, &options, &Monitor::default(), &mut |done, _, pictures| {
        if written.is_ok() {
            written = output.pictures(done, &pictures);
        }
        bar.set_position(done as u64);
    })?;
    written?;
    output.finish(&report)?;
    bar.finish_and_clear();
    print(&report);
    println!("{}", args.output.join("report.html").display());
    Ok(())
}

/// A folder with a configuration, or else a name.
fn model(args: &Evaluate) -> anyhow::Result<Model> {
    let choice = args.compute.choice();
    let named = args.models.iter().map(|models| models.join(&args.model));
    for folder in std::iter::once(PathBuf::from(&args.model)).chain(named) {
        if folder.join(CONFIG_FILE).is_file() {
            return Model::load(&folder, &choice).with_context(|| folder.display().to_string());
        }
    }
    let embedded = Model::embedded(&choice)?;
    anyhow::ensure!(
        embedded.config().name == args.model,
        "--model {}: neither a folder with {CONFIG_FILE}, nor {}, nor in --models",
        args.model,
        embedded.config().name
    );
    Ok(embedded)
}

fn cases(args: &Evaluate) -> Result<Vec<Case>, EvaluateError> {
    if args.healthy {
        return case::healthy(&args.data);
    }
    let part = match (&args.split, args.test_part_of) {
        (Some(split), _) => Part::Listed { split: split.clone(), part: args.part.name().to_owned() },
        (None, Some(seed)) => Part::TestOf(seed),
        (None, None) => Part::All,
    };
    let mut cases = case::of_set(&args.data, &part)?;
    for case in &mut cases {
        case.labels.clone_from(&args.label);
    }
    Ok(cases)
}

impl PartName {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

fn print(report: &Report) {
    let mut table = show::table(&[&report.conditions.model, "value", "95 % interval", "over"], 1);
    for row in rows::all(report) {
        table.add_row([row.name, row.value, row.interval, row.over]);
    }
    println!("{table}");
    println!("{}", report.conditions.conventions);
}
