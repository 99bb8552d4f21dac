//! Findings beside a known truth, for demonstrations and checks.

use super::show;
use crate::evaluate::Overlap;
use crate::itk::{self, Component, Interpolation};
use crate::monitor::Monitor;
use crate::train::dataset::MAXIMUM_VOXELS;
use crate::volume::Volume;
use anyhow::Context;
use std::path::Path;

/// Reads a truth labelmap, keeps the wanted labels (all but 0 when none are named) and brings it onto
/// the mask's grid.
fn read(path: &Path, labels: &[i16], mask: &Volume<u8>, monitor: &Monitor) -> anyhow::Result<Volume<u8>> {
    let labelmap = itk::read_volume(path, MAXIMUM_VOXELS).with_context(|| path.display().to_string())?;
    let wanted = |v: &i16| if labels.is_empty() { *v != 0 } else { labels.contains(v) };
    let truth = labelmap.map(|v| u8::from(wanted(v)));
    if truth.grid().same_place(mask.grid(), 0.01) {
        return Ok(truth);
    }
    Ok(itk::resample(&truth, mask.grid(), Interpolation::Nearest, 0, monitor)?)
}

/// Prints each true region with what was found of it, and the overlap as a whole.
pub fn compare(path: &Path, labels: &[i16], mask: &Volume<u8>) -> anyhow::Result<()> {
    let monitor = Monitor::default();
    let truth = read(path, labels, mask, &monitor)?;
    let (regions, components) = itk::connected_components(&truth, &monitor)?;
    let header = ["true region", "volume cm³", "centroid L, P, S mm", "found of it"];
    let mut table = show::table(&header, 0);
    for component in &components {
        table.add_row(row(component, &regions, mask));
    }
    println!("{table}");
    let overlap = Overlap::of(mask.voxels(), truth.voxels());
    let cm3 = |voxels: u64| voxels as f64 * mask.grid().voxel_mm3() / 1000.0;
    match overlap.dsc() {
        Some(dsc) => println!(
            "DSC {dsc:.3} against the truth (mask {:.2} cm³, truth {:.2} cm³, in both {:.2} cm³)",
            cm3(overlap.found),
            cm3(overlap.truth),
            cm3(overlap.both)
        ),
        None => println!("no fracture in the truth, none found"),
    }
    Ok(())
}

fn row(component: &Component, regions: &Volume<u32>, mask: &Volume<u8>) -> [String; 4] {
    let pairs = regions.voxels().iter().zip(mask.voxels());
    let found = pairs.filter(|(label, m)| **label == component.label && **m != 0).count();
    let grid = mask.grid();
    let [l, p, s] = grid.position_lps(component.centroid_vox);
    [
        component.label.to_string(),
        format!("{:.2}", component.voxels as f64 * grid.voxel_mm3() / 1000.0),
        format!("{l:.1}, {p:.1}, {s:.1}"),
        format!("{:.0} %", found as f64 / component.voxels as f64 * 100.0),
    ]
}
