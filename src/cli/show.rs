//! Progress bars and tables, alike for every command.

use crate::monitor::{Monitor, Stage};
use crate::postprocess::Finding;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar that counts `total` units; silent where standard error is no terminal.
pub fn bar(total: usize, what: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix:>10} {bar:40.cyan} {pos}/{len} {msg} [{elapsed}<{eta}]")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total as u64).with_style(style).with_prefix(what)
}

/// A bar that shows one stage of a request at a time.
pub fn stage_bar() -> ProgressBar {
    let bar = bar(1, "");
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Moves a stage bar.
pub fn show_stage(bar: &ProgressBar, stage: &str, done: u64, total: u64) {
    bar.set_prefix(stage.to_owned());
    bar.set_length(total.max(1));
    bar.set_position(done);
}

/// A monitor that moves a stage bar.
pub fn monitor(bar: &ProgressBar) -> Monitor {
    let bar = bar.clone();
    Monitor::new(move |p| show_stage(&bar, p.stage.name(), p.done as u64, p.total as u64))
}

/// A table with right-aligned figures; the first `words` columns are text.
pub fn table(header: &[&str], words: usize) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header.to_vec());
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Findings as a table; LPS millimetres.
pub fn findings(findings: &[Finding]) -> Table {
    let header = ["finding", "volume cm³", "centroid L, P, S mm", "slice", "p mean", "p max"];
    let mut table = table(&header, 0);
    for f in findings {
        let [l, p, s] = f.centroid_lps;
        table.add_row([
            f.id.to_string(),
            format!("{:.2}", f.volume_mm3 / 1000.0),
            format!("{l:.1}, {p:.1}, {s:.1}"),
            f.slice.to_string(),
            format!("{:.2}", f.mean_probability),
            format!("{:.2}", f.max_probability),
        ]);
    }
    table
}

/// `decode 1.2 s · infer 30.1 s`.
pub fn timings(timings: &[(Stage, Duration)]) -> String {
    let part = |(stage, took): &(Stage, Duration)| format!("{} {:.1} s", stage.name(), took.as_secs_f64());
    timings.iter().map(part).collect::<Vec<_>>().join(" · ")
}
