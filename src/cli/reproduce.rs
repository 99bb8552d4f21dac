//! `spinefx reproduce`: the paper's tables beside ours.

use super::compute::Compute;
use super::{memory, show};
use crate::evaluate::tables::Table;
use crate::evaluate::tables::budget::Budget;
use crate::evaluate::tables::page::{self, Line, Origin};
use crate::evaluate::tables::run::{self, Progress};
use crate::evaluate::tables::variant::Places;
use crate::train::Event;
use clap::{Args, ValueEnum};
use indicatif::{MultiProgress, ProgressBar};
use std::path::PathBuf;

/// Train the paper's network, its ablations (table1) or the six other networks (table2), and print the
/// paper's figures beside ours.
///
/// All learn from the same synthetic spines with the same recipe, from several seeds. Written are
/// TABLE.md with a plot and pictures, and one JSON file per training: a training that is finished is not
/// repeated, so a stopped run goes on where it was. Whatever comes out is what is printed.
///
///   small  60 spines at 3 mm, networks of an eighth of the published widths, 3 seeds: 40 to 70
///          minutes for a table on 2 cores
///   full   150 spines at 0.8 mm, published widths, 150 epochs, 3 seeds: for a GPU, days
///   smoke  seconds a network: shows that everything runs, and nothing about the networks
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Reproduce {
    /// Which table of the paper
    table: Name,
    /// How much to train
    #[arg(long, default_value = "small")]
    budget: BudgetName,
    /// Trainings of each network [default: the budget's]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Folder for the table, its plot and pictures, and what every training reached
    #[arg(short, long, value_name = "DIR", default_value = "docs/results")]
    output: PathBuf,
    /// Folder for spines and trained weights
    #[arg(long, value_name = "DIR", default_value = "out/reproduce")]
    work: PathBuf,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Table1,
    Table2,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BudgetName {
    Smoke,
    Small,
    Full,
}

impl BudgetName {
    fn budget(self) -> (&'static str, Budget) {
        match self {
            Self::Smoke => ("smoke", Budget::SMOKE),
            Self::Small => ("small", Budget::SMALL),
            Self::Full => ("full", Budget::FULL),
        }
    }
}

/// Trains what is missing, prints the table and writes it.
pub fn run(args: &Reproduce) -> anyhow::Result<()> {
    memory::keep();
    anyhow::ensure!(args.seeds != Some(0), "--seeds must be at least 1");
    let table = match args.table {
        Name::Table1 => Table::Table1,
        Name::Table2 => Table::Table2,
    };
    let (name, mut budget) = args.budget.budget();
    budget.seeds = args.seeds.unwrap_or(budget.seeds);
    let work = args.work.join(name);
    let places = Places {
        set: work.join("spines"),
        work,
        kept: args.output.join(format!("{}-{name}", table.name())),
        out: args.output.clone(),
    };
    let choice = args.compute.choice();
    choice.set_threads();
    let device = choice.device()?;
    let left = run::estimate(table, &budget, &places, device)?;
    let minutes = (left.as_secs_f64() / 60.0).ceil();
    println!("{}: at most about {minutes:.0} minutes of training left", table.name());
    let bars = Bars::new();
    let outcomes = run::run(table, &budget, &places, &choice, &mut |event| bars.show(&event))?;
    bars.finish();
    let origin = Origin { command: command(args, name), budget: name };
    let lines = page::lines(table, &budget, &outcomes);
    page::write(table, &budget, &outcomes, &origin, &places)?;
    print(&lines);
    println!("{}", args.output.join(table.name()).with_extension("md").display());
    Ok(())
}

/// The command again, without folders: those are this machine's own.
fn command(args: &Reproduce, budget: &str) -> String {
    let table = args.table.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
    let seeds = args.seeds.map_or_else(String::new, |n| format!(" --seeds {n}"));
    format!("spinefx reproduce {table} --budget {budget}{seeds}")
}

/// A bar for all variants and one for the current.
struct Bars {
    all: ProgressBar,
    one: ProgressBar,
}

impl Bars {
    fn new() -> Self {
        let bars = MultiProgress::new();
        Self { all: bars.add(show::bar(0, "variants")), one: bars.add(show::bar(0, "spines")) }
    }

    fn show(&self, event: &Progress) {
        match *event {
            Progress::Spine(done, total) => show::show_stage(&self.one, "spines", done, total),
            Progress::Variant { done, total, name, seed } => {
                self.all.set_length(total as u64);
                self.all.set_position(done as u64);
                self.all.set_message(format!("{name}, seed {seed}"));
            }
            Progress::Train(Event::Loaded(done, total)) => {
                show::show_stage(&self.one, "load", done as u64, total as u64);
            }
            Progress::Train(Event::Step(now)) => {
                show::show_stage(&self.one, "train", now.step as u64, now.steps as u64);
                self.one.set_message(format!("epoch {} loss {:.4}", now.epoch, now.loss));
            }
            Progress::Train(_) => {}
            Progress::Measured(done, total) => {
                show::show_stage(&self.one, "measure", done as u64, total as u64);
            }
        }
    }

    fn finish(&self) {
        self.one.finish_and_clear();
        self.all.finish_and_clear();
    }
}

fn print(lines: &[Line]) {
    let header =
        ["network", "paper DSC %", "paper IoU %", "our DSC %", "95 % interval", "our IoU %", "parameters"];
    let mut table = show::table(&header, 1);
    let percent = |value: f64| format!("{:.2}", value * 100.0);
    for line in lines {
        let interval = line.dsc.and_then(|e| e.interval);
        table.add_row([
            line.name.clone(),
            format!("{:.2}", line.paper_dsc),
            format!("{:.2}", line.paper_iou),
            line.dsc.map_or_else(|| "-".into(), |e| percent(e.value)),
            interval.map_or_else(String::new, |[low, high]| format!("{} to {}", percent(low), percent(high))),
            line.iou.map_or_else(|| "-".into(), |e| percent(e.value)),
            line.parameters.to_string(),
        ]);
    }
    println!("{table}");
    println!("The paper's figures are of real CTs, ours of synthetic spines: compare within a column only.");
}
