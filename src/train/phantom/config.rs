//! What to make: the file that `spinefx phantom` leaves in every set and takes for the next one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::fracture::FractureKind;
use super::ranges::{Range, Ranges, range};

/// Name of the configuration in a set's folder.
pub const CONFIG_FILE: &str = "phantom.json";

/// Voxels that a phantom may have, mm.
const SPACING_MM: Range = range(0.3, 10.0);
/// Edges that its field may have, mm: from less than a vertebra to a whole body across.
const FIELD_MM: Range = range(20.0, 600.0);
/// No blur is wider, mm.
const WIDEST_BLUR_MM: f32 = 10.0;

/// What to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhantomConfig {
    /// Seed of the set.
    pub seed: u64,
    /// Voxel spacing; drawn for each phantom where none is given.
    pub spacing_mm: Option<[f64; 3]>,
    /// Edge of the cube; a block drawn for each phantom where none is given.
    pub field_mm: Option<f64>,
    /// Share of phantoms with a fracture.
    pub prevalence: f64,
    /// Kinds of fracture to draw from, by their natural weights; all where empty.
    pub kinds: Vec<FractureKind>,
    /// Most fractured levels of a phantom; [`second`](super::ranges::FractureRanges) is the chance of
    /// each one after the first.
    pub most_fractures: usize,
    /// What everything else is drawn from.
    pub ranges: Ranges,
}

impl Default for PhantomConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            spacing_mm: None,
            field_mm: None,
            prevalence: 0.65,
            kinds: Vec::new(),
            most_fractures: 2,
            ranges: Ranges::default(),
        }
    }
}

/// Why a configuration is of no use.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no configuration.
    #[error("{path} is no configuration of phantoms: {source}")]
    Json {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A value is out of its bounds.
    #[error("{what} must be {bounds}, not {found}")]
    Bounds {
        /// The value's name in the file.
        what: String,
        /// What it may be.
        bounds: String,
        /// What it is.
        found: String,
    },
}

impl PhantomConfig {
    /// Reads a configuration; what the file leaves out has its default.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        serde_json::from_str(&text).map_err(|source| ConfigError::Json { path: path.to_owned(), source })
    }

    /// Names the first value that no phantom could be made from.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("prevalence", self.prevalence, range(0.0, 1.0))?;
        within("most_fractures", self.most_fractures as f64, range(1.0, 26.0))?;
        for mm in self.spacing_mm.into_iter().flatten() {
            within("spacing_mm", mm, SPACING_MM)?;
        }
        if let Some(mm) = self.field_mm {
            within("field_mm", mm, FIELD_MM)?;
        }
        ordered("ranges", &serde_json::to_value(&self.ranges).unwrap_or_default())?;
        let of = &self.ranges.acquisition;
        let blur = range(0.0, WIDEST_BLUR_MM);
        let drawn = [
            ("pixel_mm", of.pixel_mm, SPACING_MM),
            ("slice_mm", of.slice_mm, SPACING_MM),
            ("across_mm", of.across_mm, FIELD_MM),
            ("field_mm", of.field_mm, FIELD_MM),
            ("psf_mm", of.psf_mm, blur),
            ("profile_mm", of.profile_mm, blur),
        ];
        for (name, drawn, bounds) in drawn {
            for value in [drawn.lo, drawn.hi] {
                within(&format!("ranges.acquisition.{name}"), f64::from(value), bounds)?;
            }
        }
        Ok(())
    }
}

fn within(what: &str, value: f64, bounds: Range) -> Result<(), ConfigError> {
    if (f64::from(bounds.lo)..=f64::from(bounds.hi)).contains(&value) {
        return Ok(());
    }
    let bounds = format!("{} to {}", bounds.lo, bounds.hi);
    Err(ConfigError::Bounds { what: what.to_owned(), bounds, found: value.to_string() })
}

/// Whether no range below `value` ends before it begins.
fn ordered(name: &str, value: &Value) -> Result<(), ConfigError> {
    let Value::Object(fields) = value else { return Ok(()) };
    match (fields.get("lo").and_then(Value::as_f64), fields.get("hi").and_then(Value::as_f64)) {
        (Some(lo), Some(hi)) if lo > hi => Err(ConfigError::Bounds {
            what: name.to_owned(),
            bounds: "a range whose lo is not above its hi".to_owned(),
            found: format!("{lo} to {hi}"),
        }),
        _ => fields.iter().try_for_each(|(field, value)| ordered(&format!("{name}.{field}"), value)),
    }
}
