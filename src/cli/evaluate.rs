//! `spinefx evaluate`: a model's masks beside the truth.

use super::compute::Compute;
use super::show;
use crate::evaluate::{self, Report};
use crate::infer::Model;
use crate::monitor::Monitor;
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;

/// Compare a model's masks with the truth of a set, volume by volume, on the CT's own grid.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// Folder with config.json and weights.safetensors [default: the built-in msff-lite]
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Folder with index.csv
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Only the test part of the split that `train --seed SEED` made of the same folder
    #[arg(long, value_name = "SEED")]
    test_part_of: Option<u64>,
    /// Folder for metrics.json
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    compute: Compute,
}

/// Evaluates, prints a summary and writes `metrics.json`.
pub fn run(args: &Evaluate) -> anyhow::Result<()> {
    let model = match &args.model {
        Some(dir) => Model::load(dir, &args.compute.choice())?,
        None => Model::embedded(&args.compute.choice())?,
    };
    let entries = evaluate::entries(&args.data, args.test_part_of)?;
    let bar = show::bar(entries.len(), "evaluate");
    let report =
        evaluate::run(&model, &entries, &Monitor::default(), &mut |done, _| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    std::fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    let path = args.output.join("metrics.json");
    let text = format!("{:#}\n", serde_json::to_value(&report)?);
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    print(&report);
    println!("{}", path.display());
    Ok(())
}

fn print(report: &Report) {
    let figure = |v: Option<f64>| v.map_or_else(|| "-".into(), |v| format!("{v:.3}"));
    let mut table = show::table(&[&report.model, "value"], 1);
    table.add_row(["volumes".into(), report.volumes.len().to_string()]);
    table.add_row(["pooled DSC".into(), figure(report.pooled_dsc)]);
    table.add_row(["pooled IoU".into(), figure(report.pooled_iou)]);
    table.add_row(["mean DSC, volumes with a fracture".into(), figure(report.mean_dsc_fractured)]);
    for (kind, dsc) in &report.dsc_by_kind {
        table.add_row([format!("pooled DSC, {kind} only"), figure(Some(*dsc))]);
    }
    table.add_row(["volumes without fracture".into(), report.healthy.to_string()]);
    table.add_row(["… without a finding".into(), report.healthy_clean.to_string()]);
    table.add_row(["… mean false-positive mm³".into(), format!("{:.0}", report.healthy_false_positive_mm3)]);
    println!("{table}");
}
