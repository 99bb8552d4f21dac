//! `spinefx phantom`: synthetic spine CTs with known fractures.

use super::show;
use crate::train::phantom::{self, Format, FractureKind, PhantomConfig, PhantomOptions, Truth};
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Generate synthetic spine CTs with known fractures.
///
/// Each phantom gets a folder with its CT, fracture mask, vertebra labels and truth.json; index.csv
/// lists the set for `spinefx train` and `spinefx evaluate`. One seed always gives the same voxels.
///
/// phantom.json in the set's folder holds all that the set was drawn from: anatomy, degeneration,
/// fractures, scanner. Edit a copy and give it to --config for spines of another kind.
#[derive(Debug, Args)]
pub struct Phantom {
    /// Configuration to begin with, such as a set's phantom.json; the options below override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seed of the set [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// How many phantoms
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Index of the first one
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Folder of the set
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Spacing along L, P, S in mm; one value for all three [default: drawn per phantom]
    #[arg(long, value_name = "MM", value_delimiter = ',', num_args = 1..=3)]
    spacing: Vec<f64>,
    /// Share of phantoms with a fracture, 0 to 1 [default: 0.65]
    #[arg(long)]
    prevalence: Option<f64>,
    /// Kinds of fracture: wedge, biconcave, crush, burst, linear [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Files to write: nifti, dicom
    #[arg(long, value_delimiter = ',', default_value = "nifti")]
    format: Vec<File>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    Nifti,
    Dicom,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Wedge,
    Biconcave,
    Crush,
    Burst,
    Linear,
}

impl From<Kind> for FractureKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Wedge => Self::Wedge,
            Kind::Biconcave => Self::Biconcave,
            Kind::Crush => Self::Crush,
            Kind::Burst => Self::Burst,
            Kind::Linear => Self::Linear,
        }
    }
}

impl From<File> for Format {
    fn from(file: File) -> Self {
        match file {
            File::Nifti => Self::Nifti,
            File::Dicom => Self::Dicom,
        }
    }
}

/// The configuration with the options that were given.
fn config(args: &Phantom) -> anyhow::Result<PhantomConfig> {
    let mut config = match &args.config {
        Some(path) => PhantomConfig::read(path)?,
        None => PhantomConfig { seed: 1, ..PhantomConfig::default() },
    };
    config.seed = args.seed.unwrap_or(config.seed);
    config.prevalence = args.prevalence.unwrap_or(config.prevalence);
    match args.spacing[..] {
        [] => {}
        [all] => config.spacing_mm = Some([all; 3]),
        [l, p, s] => config.spacing_mm = Some([l, p, s]),
        _ => anyhow::bail!("--spacing takes one value or three"),
    }
    if !args.kinds.is_empty() {
        config.kinds = args.kinds.iter().copied().map(FractureKind::from).collect();
    }
    Ok(config)
}

/// Generates a set and prints what is in it.
pub fn run(args: &Phantom) -> anyhow::Result<()> {
    let config = config(args)?;
    let options = PhantomOptions {
        config,
        first: args.first,
        count: args.count,
        out: args.output.clone(),
        formats: args.format.iter().copied().map(Format::from).collect(),
    };
    let bar = show::bar(args.count as usize, "phantom");
    let rows = phantom::run(&options, |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let mut table =
        show::table(&["phantom", "level", "kind", "site", "volume cm³", "centroid L, P, S mm"], 4);
    for row in &rows {
        let path = args.output.join(&row.id).join("truth.json");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let truth: Truth = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let before = table.row_count();
        for level in &truth.levels {
            let Some(fracture) = &level.fracture else { continue };
            let [l, p, s] = fracture.centroid_lps;
            table.add_row([
                row.id.clone(),
                level.name.clone(),
                fracture.kind.name().to_owned(),
                format!("{:?}", fracture.site).to_lowercase(),
                format!("{:.2}", fracture.volume_mm3 / 1000.0),
                format!("{l:.1}, {p:.1}, {s:.1}"),
            ]);
        }
        if table.row_count() == before {
            table.add_row([&row.id, "-", "none"]);
        }
    }
    println!("{table}");
    println!("{} phantoms in {}", rows.len(), args.output.display());
    Ok(())
}
