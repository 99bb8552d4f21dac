//! `spinefx graft`: known fractures in a real CT.

use super::show;
use crate::itk::{self, Interpolation};
use crate::monitor::Monitor;
use crate::train::dataset::MAXIMUM_VOXELS;
use crate::train::graft::{self, GraftError, GraftOptions, KINDS};
use crate::train::phantom::{FractureKind, IndexRow, Ranges, write_index};
use crate::volume::Volume;
use anyhow::Context;
use clap::Args;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Make known fractures in a real CT whose vertebrae are labelled.
///
/// Every whole vertebra of the labelmap gets one fracture of each kind, each in its own copy of the CT.
/// The output is a set like `spinefx phantom` makes, for `spinefx train` and `spinefx evaluate`. Leave
/// out vertebrae that are broken already or hold metal. A graft is no patient's fracture: it tests how a
/// model does on real bone and real surroundings, not how it does on patients.
#[derive(Debug, Args)]
pub struct Graft {
    /// CT: NIfTI, NRRD or MetaImage
    #[arg(long, value_name = "FILE")]
    ct: PathBuf,
    /// Vertebra labels, one value each; brought onto the CT's grid where they lie on another
    #[arg(long, value_name = "FILE")]
    vertebrae: PathBuf,
    /// Labels to use [default: all]
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<u8>,
    /// Labels that are broken already, hold metal or are no vertebra
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    exclude: Vec<u8>,
    /// Grafts of each kind and vertebra
    #[arg(long, default_value_t = 1)]
    each: u64,
    /// Also list the CT as it is, with an empty mask: only where you know that nothing is broken
    #[arg(long)]
    healthy: bool,
    /// Everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the set
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Grafts, writes the set and prints what is in it.
pub fn run(args: &Graft) -> anyhow::Result<()> {
    let monitor = Monitor::default();
    let read =
        |path: &Path| itk::read_volume(path, MAXIMUM_VOXELS).with_context(|| path.display().to_string());
    let ct = read(&args.ct)?;
    let mut labels = read(&args.vertebrae)?.map(|v| u8::try_from(*v).unwrap_or(0));
    if !labels.grid().same_place(ct.grid(), 0.01) {
        labels = itk::resample(&labels, ct.grid(), Interpolation::Nearest, 0, &monitor)?;
    }
    let present: BTreeSet<u8> = labels.voxels().iter().copied().filter(|v| *v > 0).collect();
    let wanted = |v: &u8| (args.labels.is_empty() || args.labels.contains(v)) && !args.exclude.contains(v);
    let chosen: Vec<u8> = present.iter().copied().filter(wanted).collect();
    anyhow::ensure!(
        !chosen.is_empty(),
        "{}: holds none of the labels; it has {present:?}",
        args.vertebrae.display()
    );
    let set = Set { args, ct: &ct, labels: &labels };
    let mut rows = Vec::new();
    if args.healthy {
        let mask = Volume::filled(ct.grid().clone(), 0);
        rows.push(set.write("healthy".into(), None, (&ct, &mask))?);
    }
    let bar = show::bar(chosen.len() * KINDS.len() * args.each as usize, "graft");
    let mut left_out = Vec::new();
    for label in chosen {
        match set.grafts(label, &bar) {
            Ok(made) => rows.extend(made),
            Err(e) if e.downcast_ref::<GraftError>().is_some() => left_out.push(e.to_string()),
            Err(e) => return Err(e),
        }
    }
    bar.finish_and_clear();
    for reason in &left_out {
        println!("left out: {reason}");
    }
    anyhow::ensure!(!rows.is_empty(), "no vertebra could be used");
    write_index(&args.output, &rows)?;
    println!("{} volumes in {}", rows.len(), args.output.display());
    Ok(())
}

struct Set<'a> {
    args: &'a Graft,
    ct: &'a Volume<i16>,
    labels: &'a Volume<u8>,
}

impl Set<'_> {
    fn grafts(&self, label: u8, bar: &indicatif::ProgressBar) -> anyhow::Result<Vec<IndexRow>> {
        let mut rows = Vec::new();
        for n in 0..self.args.each {
            for (place, kind) in (0_u64..).zip(KINDS) {
                let seed = self.args.seed + (n * KINDS.len() as u64 + place) * 1000;
                let options = GraftOptions { label, kind, seed, ranges: Ranges::default().fracture };
                let made = graft::graft(self.ct, self.labels, &options)?;
                let id = format!("graft-{label}-{}-{n}", kind.name());
                rows.push(self.write(id, Some(kind), (&made.ct, &made.fracture))?);
                bar.inc(1);
            }
        }
        Ok(rows)
    }

    fn write(
        &self,
        id: String,
        kind: Option<FractureKind>,
        (ct, mask): (&Volume<i16>, &Volume<u8>),
    ) -> anyhow::Result<IndexRow> {
        let folder = self.args.output.join(&id);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        itk::write_volume(ct, &folder.join("ct.nii.gz"))?;
        itk::write_volume(mask, &folder.join("fracture.nii.gz"))?;
        itk::write_volume(self.labels, &folder.join("vertebrae.nii.gz"))?;
        Ok(IndexRow {
            ct: format!("{id}/ct.nii.gz"),
            mask: format!("{id}/fracture.nii.gz"),
            kinds: kind.map_or(String::new(), |k| k.name().to_owned()),
            id,
        })
    }
}
