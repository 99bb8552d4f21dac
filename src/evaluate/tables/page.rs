//! The table as a page: the paper's figures beside ours, with intervals, pictures and the command.

use super::budget::{Budget, SET_SEED};
use super::run::TablesError;
use super::variant::{Outcome, Places, Variant};
use super::{Row, Table, plot};
use crate::evaluate::Overlap;
use crate::evaluate::bootstrap::{self, Estimate};
use crate::network::PROPOSED;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;
use std::collections::BTreeMap;

/// The page's layout.
const TEMPLATE: &str = include_str!("page.md");

/// One row's figures.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The row's name.
    pub name: String,
    /// The paper's DSC, %.
    pub paper_dsc: f64,
    /// The paper's IoU, %.
    pub paper_iou: f64,
    /// The IoU that the paper's DSC means, %.
    pub implied_iou: f64,
    /// Ours, all test voxels of all seeds pooled, 0 to 1.
    pub dsc: Option<Estimate>,
    /// Ours, likewise.
    pub iou: Option<Estimate>,
    /// Ours, averaged over fracture and background, pooled.
    pub iou_2class: Option<Estimate>,
    /// Our DSC minus that of the paper's network, over the same patients in every draw; none for that
    /// network itself.
    pub dsc_difference: Option<Estimate>,
    /// Pooled DSC of each seed alone.
    pub seeds: Vec<Option<f64>>,
    /// Losses it learnt from.
    pub losses: String,
    /// Trainable values.
    pub parameters: usize,
    /// Mean wall time of a training.
    pub train_seconds: f64,
    /// Start of the names of its pictures' files.
    pub slug: String,
}

/// Figures of every row. Outcomes of one row stand together, as [`super::run::run`] gives them.
pub fn lines(table: Table, budget: &Budget, outcomes: &[Outcome]) -> Vec<Line> {
    let rows = table.rows(budget);
    let of = |name: &str| outcomes.iter().filter(|o| o.name == name).collect::<Vec<_>>();
    let proposed = by_patient(&of(PROPOSED));
    rows.iter().map(|row| line(table, budget, row, &of(row.name), &proposed)).collect()
}

/// What was found in each patient.
type Patients<'a> = BTreeMap<&'a str, Overlap>;

/// A patient may be in the test part of several seeds; drawn, all of that counts together.
fn by_patient<'a>(outcomes: &[&'a Outcome]) -> Patients<'a> {
    let mut patients = Patients::new();
    for volume in outcomes.iter().flat_map(|o| &o.volumes) {
        *patients.entry(&volume.id).or_default() += volume.overlap;
    }
    patients
}

/// Pooled DSC minus the other network's. Both are of the same patients in every draw, so that what makes
/// a spine hard for either of them cancels out.
fn difference(own: &Patients, other: &Patients) -> Option<Estimate> {
    let pairs: Vec<[Overlap; 2]> = own.iter().filter_map(|(id, o)| Some([*o, *other.get(id)?])).collect();
    bootstrap::estimate(&pairs, |drawn| {
        let dsc = |n: usize| drawn.iter().map(|pair| pair[n]).sum::<Overlap>().dsc();
        Some(dsc(0)? - dsc(1)?)
    })
}

fn line(table: Table, budget: &Budget, row: &Row, outcomes: &[&Outcome], proposed: &Patients) -> Line {
    let own = by_patient(outcomes);
    let patients: Vec<Overlap> = own.values().copied().collect();
    let pooled = |figure: fn(&Overlap) -> Option<f64>| {
        bootstrap::estimate(&patients, |drawn| figure(&drawn.iter().copied().copied().sum()))
    };
    let dsc = row.paper_dsc / 100.0;
    Line {
        name: row.name.to_owned(),
        paper_dsc: row.paper_dsc,
        paper_iou: row.paper_iou,
        implied_iou: 100.0 * dsc / (2.0 - dsc),
        dsc: pooled(Overlap::dsc),
        iou: pooled(Overlap::iou),
        iou_2class: pooled(Overlap::iou_2class),
        dsc_difference: (row.name != PROPOSED).then(|| difference(&own, proposed)).flatten(),
        seeds: outcomes.iter().map(|o| o.volumes.iter().map(|v| v.overlap).sum::<Overlap>().dsc()).collect(),
        losses: outcomes.first().map_or_else(String::new, |o| o.losses.clone()),
        parameters: outcomes.first().map_or(0, |o| o.parameters),
        train_seconds: bootstrap::mean(outcomes.iter().map(|o| o.train_seconds)).unwrap_or(0.0),
        slug: Variant { table, row, seed: 0, budget }.slug(),
    }
}

/// How the page came about.
#[derive(Debug, Clone, Serialize)]
pub struct Origin {
    /// The command line.
    pub command: String,
    /// `smoke`, `small` or `full`.
    pub budget: &'static str,
}

/// Every machine, and how many of the trainings ran on it: kept ones may be of an earlier run elsewhere.
fn machines(outcomes: &[Outcome]) -> BTreeMap<&str, usize> {
    outcomes.iter().map(|o| o.machine.as_str()).fold(BTreeMap::new(), |mut counts, machine| {
        *counts.entry(machine).or_default() += 1;
        counts
    })
}

/// Writes `<table>.md` with its plot, and returns what it says.
pub fn write(
    table: Table,
    budget: &Budget,
    outcomes: &[Outcome],
    origin: &Origin,
    places: &Places,
) -> Result<String, TablesError> {
    let lines = lines(table, budget, outcomes);
    let picture = places.kept.join("plot.svg");
    plot::draw(&picture, table, &lines).map_err(|reason| TablesError::write(&picture, reason))?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template("page.md", TEMPLATE)?;
    let folder = places.kept.file_name().map(|name| name.to_string_lossy().into_owned());
    let seconds: f64 = outcomes.iter().map(|o| o.train_seconds + o.evaluate_seconds).sum();
    let text = environment.get_template("page.md")?.render(context! {
        title => table.title(),
        lines => Serde(&lines),
        budget => Serde(budget),
        origin => Serde(origin),
        machines => Serde(machines(outcomes)),
        folder,
        set_seed => SET_SEED,
        minutes => seconds / 60.0,
        tests => outcomes.first().map_or(0, |o| o.volumes.len()),
        version => env!("CARGO_PKG_VERSION"),
    })?;
    let path = places.out.join(table.name()).with_extension("md");
    std::fs::write(&path, &text).map_err(|e| TablesError::write(&path, e))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::variant::VolumeOutcome;
    use super::*;

    /// Two seeds of every row; the second has one test patient in common with the first.
    fn outcomes(table: Table, budget: &Budget) -> Vec<Outcome> {
        let volume = |id: &str, both: u64| VolumeOutcome {
            id: id.to_owned(),
            overlap: Overlap { both, found: 100, truth: 100, all: 10_000 },
        };
        let outcome = |row: &Row, seed: u64, volumes| Outcome {
            name: row.name.to_owned(),
            seed,
            budget: *budget,
            architecture: row.architecture.clone(),
            losses: format!("losses of {}", row.name),
            parameters: 12_345,
            machine: format!("machine {seed}"),
            epochs: 3,
            train_seconds: 10.0,
            evaluate_seconds: 2.0,
            volumes,
        };
        let of = |(n, row): (usize, &Row)| {
            let n = n as u64;
            let first = vec![volume("a", 50 + n), volume("b", 70 + n)];
            [outcome(row, 0, first), outcome(row, 1, vec![volume("b", 80 + n), volume("c", 60 + n)])]
        };
        table.rows(budget).iter().enumerate().flat_map(of).collect()
    }

    #[test]
    fn every_row_says_what_its_trainings_reached() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().to_owned();
        let places = Places { set: out.clone(), work: out.clone(), kept: out.clone(), out: out.clone() };
        let origin = Origin { command: "spinefx".into(), budget: "small" };
        for table in [Table::Table1, Table::Table2] {
            let budget = Budget::SMALL;
            let page = write(table, &budget, &outcomes(table, &budget), &origin, &places).unwrap();
            assert_eq!(std::fs::read_to_string(out.join(table.name()).with_extension("md")).unwrap(), page);
            assert!(
                page.contains("- **Machine**: machine 0 (7 trainings); machine 1 (7 trainings). Training")
            );
            let rows = table.rows(&budget);
            let own = rows.iter().position(|row| row.name == PROPOSED).unwrap();
            let own = (260 + 4 * own) as f64 / 4.0;
            // One network finds n voxels more than another in every volume: no draw changes that.
            let differs = |name: &str, by: f64| match name {
                PROPOSED => "| – |".to_owned(),
                _ => format!("| {by:.2} ({by:.2} to {by:.2}) |"),
            };
            for (n, row) in rows.iter().enumerate() {
                let line = page.lines().find(|l| l.starts_with(&format!("| {} |", row.name))).unwrap();
                // 4 × 100 voxels found of as many; 50 + 70 + 80 + 60 + 4 n of them right.
                let dsc = (260 + 4 * n) as f64 / 4.0;
                let iou = 100.0 * dsc / (200.0 - dsc);
                for wanted in [
                    format!("| {:.2} | {:.2} |", row.paper_dsc, row.paper_iou),
                    format!("| {dsc:.2} ("),
                    differs(row.name, dsc - own),
                    format!("| {iou:.2} ("),
                    format!(
                        "| {:.2}, {:.2} | losses of {} | 12345 | 10 |",
                        60.0 + n as f64,
                        70.0 + n as f64,
                        row.name
                    ),
                ] {
                    assert!(line.contains(&wanted), "{wanted}: {line}");
                }
            }
        }
    }
}
