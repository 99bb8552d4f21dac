//! The operations ITK does for spinefx: orient, resample, smooth, components, image files.
//!
//! ITK works in LPS millimetres too, so a [`Grid`] crosses over number by number. No C++ exception
//! and no C++ type leaves this folder; `ffi.rs` is the only place of the package with `unsafe`.

mod components;
mod ffi;
mod header;
mod image_file;
mod pixel;
mod rotation;

use crate::monitor::{Cancelled, Monitor};
use crate::volume::{Grid, GridError, Volume};
use std::path::{Path, PathBuf};
use thiserror::Error;

pub use components::{Component, connected_components};
pub use image_file::{
    FileFormat, read_labelmap, read_mask, read_volume, read_volume_bytes, write_volume, write_volume_bytes,
};
pub use pixel::Pixel;

/// Why an ITK operation gave nothing.
#[derive(Debug, Error)]
pub enum ItkError {
    /// ITK refused or broke off.
    #[error("ITK could not {operation}: {reason}")]
    Failed {
        /// What was asked, as a verb.
        operation: &'static str,
        /// ITK's own words.
        reason: String,
    },
    /// The request was cancelled while ITK worked.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The numbers make no grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A block reaches beyond the volume.
    #[error("a block of {size:?} from {start:?} does not fit into a volume of {whole:?}")]
    OutsideVolume {
        /// First voxel of the block.
        start: [usize; 3],
        /// Voxels of the block.
        size: [usize; 3],
        /// Voxels of the volume.
        whole: [usize; 3],
    },
    /// The voxels do not fit into memory.
    #[error("no memory for a volume of {size:?}")]
    Memory {
        /// Voxels along i, j, k.
        size: [usize; 3],
    },
    /// The file is of a kind that spinefx does not read or write.
    #[error("{}: {reason}", path.display())]
    UnsupportedFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// The file is damaged or contradicts itself.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The header claims more voxels than allowed.
    #[error("{}: the header claims {voxels} voxels, more than the {limit} allowed", path.display())]
    TooManyVoxels {
        /// The file.
        path: PathBuf,
        /// Product of the size in the header.
        voxels: u64,
        /// The limit given.
        limit: u64,
    },
    /// The header claims more voxels than the file can hold.
    #[error("{}: the header claims {claimed} bytes of voxels, the file has {found} bytes", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Bytes of voxels that the header promises.
        claimed: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The file's geometry makes no grid.
    #[error("{}: {source}", path.display())]
    FileGrid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GridError,
    },
    /// The file could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ItkError {
    /// The same error about another file: the one the user knows instead of a copy of it.
    fn about(mut self, file: &Path) -> Self {
        match &mut self {
            Self::UnsupportedFile { path, .. }
            | Self::BadFile { path, .. }
            | Self::TooManyVoxels { path, .. }
            | Self::TooShort { path, .. }
            | Self::FileGrid { path, .. }
            | Self::Io { path, .. } => file.clone_into(path),
            Self::Failed { .. }
            | Self::Cancelled(_)
            | Self::Grid(_)
            | Self::OutsideVolume { .. }
            | Self::Memory { .. } => {}
        }
        self
    }
}

/// How a value between voxel centres is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// The value of the nearest voxel: for masks and labels.
    Nearest,
    /// From the eight voxels around, rounded half up for integers: for HU and probabilities.
    Linear,
}

/// Samples `volume` at every voxel centre of `grid`, with all threads that ITK has.
///
/// Within half a voxel around the outermost centres the border value holds; beyond, `outside` does.
/// Nothing is smoothed: see [`smooth_for`] before making voxels coarser.
pub fn resample<T: Pixel>(
    volume: &Volume<T>,
    grid: &Grid,
    how: Interpolation,
    outside: T,
    monitor: &Monitor,
) -> Result<Volume<T>, ItkError> {
    let voxels = ffi::resample(volume, grid, how == Interpolation::Linear, outside, monitor)?;
    Ok(Volume::new(grid.clone(), voxels)?)
}

/// Reorders and reverses the axes so that i runs to the Left, j to Posterior and k to Superior, as
/// nearly as the direction allows. Every voxel keeps its value and its place.
pub fn orient<T: Pixel>(volume: &Volume<T>) -> Result<Volume<T>, ItkError> {
    let direction = volume.grid().direction();
    let order = nearest_order(&direction);
    let flip: [bool; 3] = std::array::from_fn(|axis| direction[axis][order[axis]] < 0.0);
    if order == [0, 1, 2] && flip == [false; 3] {
        return Ok(volume.clone());
    }
    let (grid, voxels) = ffi::permute(volume, order, flip)?;
    Ok(Volume::new(grid, voxels)?)
}

/// Which axis of the volume should become i, j and k: the assignment whose axes point most along L, P
/// and S, in sum. Choosing axis by axis instead may leave a poor one for the last.
fn nearest_order(direction: &[[f64; 3]; 3]) -> [usize; 3] {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let along = |order: &[usize; 3]| -> f64 { (0..3).map(|row| direction[row][order[row]].abs()).sum() };
    ORDERS
        .into_iter()
        .reduce(|best, order| if along(&order) > along(&best) { order } else { best })
        .unwrap_or([0, 1, 2])
}

/// Smooths along the axes that a resampling to `target_spacing_mm` would make coarser, so that fine
/// detail does not alias. The Gaussian brings the point spread from the old to the new voxel width:
/// σ² = (target² − spacing²) / (8 ln 2) (Cardoso et al., "Scale factor point spread function
/// matching", MICCAI 2015).
///
/// `target_spacing_mm` is along this volume's own axes. An axis of fewer than four voxels stays as it
/// is: ITK's recursive filter needs four.
pub fn smooth_for<T: Pixel>(
    volume: &Volume<T>,
    target_spacing_mm: [f64; 3],
    monitor: &Monitor,
) -> Result<Volume<T>, ItkError> {
    let (size, spacing_mm) = (volume.grid().size(), volume.grid().spacing_mm());
    let sigma_mm: [f64; 3] = std::array::from_fn(|a| {
        let gain = target_spacing_mm[a].powi(2) - spacing_mm[a].powi(2);
        if gain > 0.0 && size[a] >= 4 { (gain / (8.0 * std::f64::consts::LN_2)).sqrt() } else { 0.0 }
    });
    monitor.check()?;
    if sigma_mm == [0.0; 3] {
        return Ok(volume.clone());
    }
    let voxels = ffi::smooth(volume, sigma_mm, monitor)?;
    Ok(Volume::new(volume.grid().clone(), voxels)?)
}

/// The block of `size` voxels that begins at voxel `start`, at its place in space.
pub fn crop<T: Pixel>(
    volume: &Volume<T>,
    start: [usize; 3],
    size: [usize; 3],
) -> Result<Volume<T>, ItkError> {
    let grid = volume.grid();
    let whole = grid.size();
    if (0..3).any(|a| start[a].checked_add(size[a]).is_none_or(|end| end > whole[a])) {
        return Err(ItkError::OutsideVolume { start, size, whole });
    }
    let origin_lps = grid.position_lps(start.map(|v| v as f64));
    let block = Grid::new(size, grid.spacing_mm(), origin_lps, grid.direction())?;
    let mut voxels = Vec::with_capacity(block.len());
    for k in start[2]..start[2] + size[2] {
        for j in start[1]..start[1] + size[1] {
            let row = grid.offset([start[0], j, k]);
            voxels.extend_from_slice(&volume.voxels()[row..row + size[0]]);
        }
    }
    Ok(Volume::new(block, voxels)?)
}
