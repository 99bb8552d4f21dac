//! Phantoms as files: one folder each, and an index of the set that the trainer reads.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{CONFIG_FILE, ConfigError, Phantom, PhantomConfig, generate};
use crate::dicom::{
    Algorithm, ReadError, ReadOptions, SegError, SyntheticPatient, WriteError, read_path, write_ct_series,
    write_segmentation,
};
use crate::itk::{ItkError, write_volume};
use crate::monitor::Monitor;
use crate::volume::GridError;

/// Name of the index in the set's folder.
pub const INDEX_FILE: &str = "index.csv";

/// Why a set could not be made.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Field and spacing make no grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// ITK did not write a volume.
    #[error(transparent)]
    Itk(#[from] ItkError),
    /// A folder or file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The series could not be written.
    #[error(transparent)]
    Dicom(#[from] WriteError),
    /// The series that was just written cannot be read, so that nothing can refer to it.
    #[error(transparent)]
    Series(#[from] ReadError),
    /// The truth could not be written as a segmentation.
    #[error(transparent)]
    Segmentation(#[from] SegError),
    /// The configuration or the truth could not be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// No phantom could be made from the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The index could not be written.
    #[error("cannot write {INDEX_FILE}: {0}")]
    Csv(#[from] csv::Error),
}

/// File formats of a phantom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `ct.nii.gz`, `fracture.nii.gz`, `gap.nii.gz`, `vertebrae.nii.gz`.
    Nifti,
    /// `dicom/`, a CT series, and `fracture.dcm`, a segmentation that refers to it.
    Dicom,
}

/// A set to make.
#[derive(Debug, Clone, PartialEq)]
pub struct PhantomOptions {
    /// What to make; holds the seed.
    pub config: PhantomConfig,
    /// Index of the first phantom.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Folder of the set.
    pub out: PathBuf,
    /// What to write beside `truth.json`.
    pub formats: Vec<Format>,
}

/// One line of the index. Paths are relative to the index's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRow {
    /// `phantom-<seed>-<index>`.
    pub id: String,
    /// CT.
    pub ct: String,
    /// Fracture mask.
    pub mask: String,
    /// Kinds of fracture, `wedge;linear`, in the order of the levels; empty for none.
    pub kinds: String,
}

/// Makes a set, its configuration and its index; calls `progress` with the number done after each phantom.
pub fn run(options: &PhantomOptions, mut progress: impl FnMut(u64)) -> Result<Vec<IndexRow>, ExportError> {
    options.config.check()?;
    create(&options.out)?;
    write_json(&options.config, &options.out.join(CONFIG_FILE))?;
    let mut rows = Vec::new();
    for done in 0..options.count {
        let phantom = generate(&options.config, options.first + done)?;
        export(&phantom, &options.out, &options.formats)?;
        rows.push(row(&phantom, &options.formats));
        progress(done + 1);
    }
    write_index(&options.out, &rows)?;
    Ok(rows)
}

/// Writes the index of a set into its folder.
pub fn write_index(dir: &Path, rows: &[IndexRow]) -> Result<(), ExportError> {
    let path = dir.join(INDEX_FILE);
    let mut writer = csv::Writer::from_path(&path)?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush().map_err(|source| ExportError::Write { path, source })
}

/// Writes one phantom into `<dir>/phantom-<seed>-<index>` and returns that folder.
pub fn export(phantom: &Phantom, dir: &Path, formats: &[Format]) -> Result<PathBuf, ExportError> {
    let folder = dir.join(name(phantom));
    create(&folder)?;
    for format in formats {
        match format {
            Format::Nifti => write_nifti(phantom, &folder)?,
            Format::Dicom => write_dicom(phantom, &folder)?,
        }
    }
    write_json(&phantom.truth, &folder.join("truth.json"))?;
    Ok(folder)
}

fn write_json(value: &impl Serialize, path: &Path) -> Result<(), ExportError> {
    let text = serde_json::to_string_pretty(value)?;
    fs::write(path, text).map_err(|source| ExportError::Write { path: path.to_owned(), source })
}

fn write_nifti(phantom: &Phantom, folder: &Path) -> Result<(), ExportError> {
    write_volume(&phantom.ct, &folder.join("ct.nii.gz"))?;
    write_volume(&phantom.fracture, &folder.join("fracture.nii.gz"))?;
    write_volume(&phantom.gap, &folder.join("gap.nii.gz"))?;
    write_volume(&phantom.vertebrae, &folder.join("vertebrae.nii.gz"))?;
    Ok(())
}

fn write_dicom(phantom: &Phantom, folder: &Path) -> Result<(), ExportError> {
    let patient = SyntheticPatient { number: phantom.truth.index as u32, seed: name(phantom) };
    let series = folder.join("dicom");
    write_ct_series(&phantom.ct, &patient, &series)?;
    let source = read_path(&series, ReadOptions::default(), &Monitor::default())?.source;
    let truth = Algorithm {
        name: "spinefx phantom".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        weights_sha256: String::new(),
    };
    let bytes = write_segmentation(&phantom.fracture, &source, &truth)?;
    let path = folder.join("fracture.dcm");
    fs::write(&path, bytes).map_err(|source| ExportError::Write { path, source })
}

fn name(phantom: &Phantom) -> String {
    format!("phantom-{}-{}", phantom.truth.seed, phantom.truth.index)
}

fn row(phantom: &Phantom, formats: &[Format]) -> IndexRow {
    let id = name(phantom);
    let (ct, mask) = if formats.contains(&Format::Nifti) {
        ("ct.nii.gz", "fracture.nii.gz")
    } else {
        ("dicom", "fracture.dcm")
    };
    let kinds: Vec<&str> = phantom.truth.fractures().map(|(_, f)| f.kind.name()).collect();
    IndexRow { ct: format!("{id}/{ct}"), mask: format!("{id}/{mask}"), kinds: kinds.join(";"), id }
}

fn create(path: &Path) -> Result<(), ExportError> {
    fs::create_dir_all(path).map_err(|source| ExportError::Write { path: path.to_owned(), source })
}
