//! Flags that describe the model: the paper's, a config.json's, or single values over either.

use crate::infer::{Architecture, ModelConfig};
use crate::plane::Plane;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Flags about network and preparation.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model (default: the paper's, as docs/training.md lists it)")]
pub struct Model {
    /// A model's config.json to start from; flags below change single values of it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of the model [default: the output folder's]
    #[arg(long)]
    name: Option<String>,
    /// Network [default: msff]
    #[arg(long, value_name = "KIND")]
    architecture: Option<String>,
    /// Channels of the network's first stage [default: 64]
    #[arg(long, value_name = "N")]
    width: Option<i64>,
    /// Slices on either side that msff reads with each slice [default: 0]
    #[arg(long, value_name = "N")]
    neighbours: Option<i64>,
    /// Slices the network sees [default: sagittal]
    #[arg(long)]
    plane: Option<Slicing>,
    /// Spacing along L, P, S that CTs are resampled to; one value for all three [default: 0.8]
    #[arg(long, value_name = "MM", value_delimiter = ',', num_args = 1..=3)]
    spacing: Vec<f64>,
    /// Side of the square tiles, a multiple of 16 [default: 256]
    #[arg(long, value_name = "PIXELS")]
    tile: Option<usize>,
    /// HU that become −1 and 1 [default: -200,1300]
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', allow_hyphen_values = true)]
    window: Vec<f64>,
    /// From this HU on, a voxel may be bone [default: 200]
    #[arg(long, value_name = "HU")]
    bone: Option<f64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Slicing {
    Axial,
    Sagittal,
    Coronal,
}

impl Model {
    /// The configuration that the flags mean, for a model in `output`.
    pub fn config(&self, output: &Path) -> anyhow::Result<ModelConfig> {
        let mut config = match &self.config {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                ModelConfig::from_json(&text)?
            }
            None => ModelConfig::untrained("model", named("msff", None)?),
        };
        if self.config.is_none() || self.name.is_some() {
            config.name = self.name.clone().map_or_else(|| named_like(output), Ok)?;
        }
        match (&self.architecture, self.width) {
            (Some(kind), width) => config.architecture = named(kind, width)?,
            (None, Some(width)) => config.architecture = at_width(&config.architecture, width)?,
            (None, None) => {}
        }
        if let Some(neighbours) = self.neighbours {
            let Architecture::Msff(msff) = &mut config.architecture else {
                anyhow::bail!("--neighbours: {} reads single slices", config.architecture.kind());
            };
            msff.neighbours = neighbours;
        }
        self.geometry(&mut config)?;
        match self.window[..] {
            [] => {}
            [low, high] => config.window_hu = [low, high],
            _ => anyhow::bail!("--window takes two values"),
        }
        config.bone_hu = self.bone.unwrap_or(config.bone_hu);
        config.check()?;
        Ok(config)
    }

    fn geometry(&self, config: &mut ModelConfig) -> anyhow::Result<()> {
        match self.plane {
            Some(Slicing::Axial) => config.plane = Plane::Axial,
            Some(Slicing::Sagittal) => config.plane = Plane::Sagittal,
            Some(Slicing::Coronal) => config.plane = Plane::Coronal,
            None => {}
        }
        match self.spacing[..] {
            [] => {}
            [all] => config.spacing_mm = [all; 3],
            [l, p, s] => config.spacing_mm = [l, p, s],
            _ => anyhow::bail!("--spacing takes one value or three"),
        }
        if let Some(side) = self.tile {
            config.tile_vox = [side; 2];
        }
        Ok(())
    }
}

/// A network as published, or at another width.
fn named(kind: &str, width: Option<i64>) -> anyhow::Result<Architecture> {
    Architecture::named(kind, width).with_context(|| {
        format!(
            "--architecture {kind}: there is no such network; there are {}",
            Architecture::names().join(", ")
        )
    })
}

/// The same network, all its other choices kept, at another width.
fn at_width(architecture: &Architecture, width: i64) -> anyhow::Result<Architecture> {
    let mut described = serde_json::to_value(architecture)?;
    described["width"] = width.into();
    Ok(serde_json::from_value(described)?)
}

/// `OUT/My Model` → `my-model`.
fn named_like(output: &Path) -> anyhow::Result<String> {
    let folder = std::path::absolute(output)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain =
        |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).take(64).collect();
    let name = name.trim_start_matches('.').to_owned();
    anyhow::ensure!(!name.is_empty(), "{}: no name for the model; give --name", output.display());
    Ok(name)
}
