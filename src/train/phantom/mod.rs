//! The synthetic spine: CT volumes with known fractures, made from nothing but a seed.
//!
//! A phantom is a scene of signed-distance shapes (spine, soft tissue) sampled on a grid and sent
//! through a simple scanner. The same configuration and index always give the same voxels, whatever
//! the number of threads: every random number comes from a stream keyed by what it is for.
//!
//! Phantoms train and test the network; figures measured on them say nothing about patients.

pub mod anatomy;
pub mod arch;
pub mod body;
pub mod config;
pub mod degeneration;
pub mod export;
pub mod fracture;
pub mod probe;
pub mod random;
pub mod ranges;
pub mod raster;
pub mod shape;
pub mod skeleton;
pub mod thorax;
pub mod tissue;
pub mod truth;
pub mod vertebra;

mod acquisition;

pub use config::{CONFIG_FILE, ConfigError, PhantomConfig};
pub use export::{ExportError, Format, IndexRow, PhantomOptions, run, write_index};
pub use fracture::{FractureKind, Site};
pub use ranges::Ranges;
pub use truth::{FractureTruth, LevelTruth, Truth};

pub use acquisition::Scanner;
use random::{Key, NoiseBlock, Purpose};
use raster::Scene;

use crate::volume::{Grid, GridError, Volume};

/// One synthetic CT with its truth; all volumes share one grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Phantom {
    /// HU.
    pub ct: Volume<i16>,
    /// 1 where fractured.
    pub fracture: Volume<u8>,
    /// 1 in fracture gaps.
    pub gap: Volume<u8>,
    /// Level ids.
    pub vertebrae: Volume<u8>,
    /// Levels and fractures.
    pub truth: Truth,
}

/// Makes phantom `index` of a set. Fails where field and spacing make no grid.
pub fn generate(config: &PhantomConfig, index: u64) -> Result<Phantom, GridError> {
    let key = Key { seed: config.seed, index };
    let scanner = Scanner::draw(key, &config.ranges.acquisition, config.spacing_mm);
    let field_mm = field_mm(key, config);
    let grid = block(field_mm, scanner.spacing_mm)?;
    let spine = anatomy::Spine::draw(key, config, field_mm[2] as f32);
    let thorax = thorax::Thorax::draw(&mut key.stream(Purpose::Chest, 0), &config.ranges.chest);
    let skeleton = skeleton::Skeleton::draw(key, &spine, &thorax, &config.ranges);
    let tissue = tissue::Tissue::draw(key, &spine.patient, thorax, &config.ranges);
    let scene = Scene { spine, skeleton, tissue, noise: NoiseBlock::new(key) };
    let raster = raster::render(&scene, &grid);
    let ct = Volume::new(grid.clone(), scanner.scan(key, &grid, raster.hu))?;
    let vertebrae = Volume::new(grid.clone(), raster.vertebrae)?;
    let fracture = Volume::new(grid.clone(), raster.fracture)?;
    let gap = Volume::new(grid, raster.gap)?;
    let levels = truth::measure(&scene.spine.vertebrae, &vertebrae, &fracture);
    let truth = Truth { seed: config.seed, index, levels };
    Ok(Phantom { ct, fracture, gap, vertebrae, truth })
}

/// Edges of the field: square across, and its own length along the patient.
fn field_mm(key: Key, config: &PhantomConfig) -> [f64; 3] {
    let mut stream = key.stream(Purpose::Field, 0);
    let of = &config.ranges.acquisition;
    let [across, along] = [of.across_mm, of.field_mm].map(|range| f64::from(stream.within(range)));
    config.field_mm.map_or([across, across, along], |all| [all; 3])
}

/// A block around the patient's middle.
fn block(field_mm: [f64; 3], spacing_mm: [f64; 3]) -> Result<Grid, GridError> {
    let size = [0, 1, 2].map(|n| (field_mm[n] / spacing_mm[n]).round() as usize);
    let origin = [0, 1, 2].map(|n| -spacing_mm[n] * (size[n].max(1) - 1) as f64 / 2.0);
    Grid::axis_aligned(size, spacing_mm, origin)
}
