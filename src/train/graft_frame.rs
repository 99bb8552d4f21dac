//! Where a vertebra's body lies and how it is turned, from labels alone.

use super::graft::GraftError;
use super::phantom::shape::{Vec3, cross, dot, scale, sub, unit};
use crate::itk;
use crate::monitor::Monitor;
use crate::preprocess::dilate;
use crate::volume::Volume;

/// Processes and pedicles are thinner than twice this, bodies are not.
const CORE_MM: f64 = 4.5;
/// What is left of a body after the erosion is grown back by a little more.
const REGROW_MM: f64 = 6.0;
/// The least body that is worth breaking: T1's is about 5,000 mm³.
const LEAST_BODY_MM3: f64 = 3000.0;
/// Least and greatest room for the upper plate to leave behind.
const ROOM_MM: [f32; 2] = [3.0, 14.0];

/// The body's own coordinates: x left, y back, z up, origin in its middle; mm.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Origin.
    pub centre_lps: [f64; 3],
    /// Unit vectors to the left, back and top.
    pub axes: [Vec3; 3],
    /// Half width and half depth.
    pub half: [f32; 2],
    /// Height of the upper plate.
    pub upper: f32,
    /// Height of the lower plate.
    pub lower: f32,
    /// Free room above the upper plate, up to the next vertebra.
    pub room: f32,
}

impl Frame {
    /// LPS → frame.
    pub fn local(&self, lps: [f64; 3]) -> Vec3 {
        let from = [0, 1, 2].map(|n| (lps[n] - self.centre_lps[n]) as f32);
        self.axes.map(|axis| dot(axis, from))
    }

    /// Frame → LPS.
    pub fn global(&self, p: Vec3) -> [f64; 3] {
        [0, 1, 2].map(|n| {
            let along: f32 = (0..3).map(|axis| self.axes[axis][n] * p[axis]).sum();
            self.centre_lps[n] + f64::from(along)
        })
    }

    /// Height of the body.
    pub fn height(&self) -> f32 {
        self.upper - self.lower
    }

    /// Height half-way between the plates.
    pub fn middle(&self) -> f32 {
        f32::midpoint(self.upper, self.lower)
    }

    /// Radius of a ball that holds everything a warp moves.
    pub fn reach_mm(&self) -> f64 {
        let flat = (self.half[0] + 12.0).hypot(self.half[1] + 12.0);
        f64::from(flat.hypot(self.upper.max(-self.lower) + self.room + 2.0))
    }

    /// Where matter at height `z` was before the upper plate sank by `drop`, and how much it is
    /// squeezed. The lower plate and what lies beyond the room above stay.
    pub fn before(&self, z: f32, drop: f32) -> (f32, f32) {
        let drop = drop.min(0.7 * self.height());
        let (sunk, top) = (self.upper - drop, self.upper + self.room);
        if z <= self.lower || z >= top {
            (z, 1.0)
        } else if z <= sunk {
            let squeeze = self.height() / (self.height() - drop);
            (self.lower + (z - self.lower) * squeeze, squeeze)
        } else {
            (self.upper + (z - sunk) * self.room / (self.room + drop), 1.0)
        }
    }
}

/// The frame of a vertebra's body, and the body as a mask on the labels' grid.
pub fn frame(labels: &Volume<u8>, label: u8) -> Result<(Frame, Volume<u8>), GraftError> {
    let refuse = |reason| GraftError::NoWholeBody { label, reason };
    let vertebra = labels.map(|v| u8::from(*v == label));
    let body = body_of(&vertebra)?.ok_or_else(|| refuse("no voxel, or nothing as thick as a body"))?;
    let grid = labels.grid();
    if body.voxels().iter().map(|v| f64::from(*v)).sum::<f64>() * grid.voxel_mm3() < LEAST_BODY_MM3 {
        return Err(refuse("smaller than a vertebral body"));
    }
    if touches_border(&vertebra) {
        return Err(refuse("cut off by the edge of the field"));
    }
    let inside = positions(&body);
    let centre_lps = mean(&inside);
    let arch = vertebra.voxels().iter().zip(body.voxels()).map(|(v, b)| v & (1 - b)).collect();
    let arch = Volume::new(grid.clone(), arch).map_err(itk::ItkError::from)?;
    let behind = positions(&arch);
    let back = if behind.is_empty() { [0.0, 1.0, 0.0] } else { to_f32(mean(&behind), centre_lps) };
    let mut frame =
        Frame { centre_lps, axes: upright(back), half: [0.0; 2], upper: 0.0, lower: 0.0, room: ROOM_MM[1] };
    measure(&mut frame, &inside);
    frame.room = room(&frame, labels, label);
    Ok((frame, body))
}

/// Axes with y to the back as given and z as near to the head as that allows.
fn upright(back: Vec3) -> [Vec3; 3] {
    // A spinous process hangs down; only the horizontal part of its direction says what is behind.
    let back = unit([back[0], back[1], 0.4 * back[2]]);
    let up = unit(sub([0.0, 0.0, 1.0], scale(back, back[2])));
    [cross(back, up), back, up]
}

/// The thick part of a vertebra.
fn body_of(vertebra: &Volume<u8>) -> Result<Option<Volume<u8>>, itk::ItkError> {
    let reach = |mm: f64| vertebra.grid().spacing_mm().map(|s| (mm / s).round().max(1.0) as usize);
    let outside = dilate(vertebra.map(|v| 1 - v), reach(CORE_MM));
    let (pieces, components) = itk::connected_components(&outside.map(|v| 1 - v), &Monitor::default())?;
    if components.is_empty() {
        return Ok(None);
    }
    let grown = dilate(pieces.map(|piece| u8::from(*piece == 1)), reach(REGROW_MM));
    let both = grown.voxels().iter().zip(vertebra.voxels()).map(|(g, v)| g & v).collect();
    Ok(Some(Volume::new(vertebra.grid().clone(), both)?))
}

fn touches_border(mask: &Volume<u8>) -> bool {
    let size = mask.grid().size();
    let set = mask.voxels().iter().enumerate().filter(|(_, v)| **v != 0);
    let mut places = set.map(|(n, _)| [n % size[0], n / size[0] % size[1], n / (size[0] * size[1])]);
    places.any(|at| (0..3).any(|axis| at[axis] == 0 || at[axis] + 1 == size[axis]))
}

fn positions(mask: &Volume<u8>) -> Vec<[f64; 3]> {
    let grid = mask.grid();
    let [nx, ny, _] = grid.size();
    let set = mask.voxels().iter().enumerate().filter(|(_, v)| **v != 0);
    set.map(|(n, _)| grid.position_lps([n % nx, n / nx % ny, n / (nx * ny)].map(|v| v as f64))).collect()
}

fn mean(points: &[[f64; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|n| points.iter().map(|p| p[n]).sum::<f64>() / points.len().max(1) as f64)
}

fn to_f32(a: [f64; 3], from: [f64; 3]) -> Vec3 {
    [0, 1, 2].map(|n| (a[n] - from[n]) as f32)
}

/// Half sizes and plates as quantiles, which spurs and stray voxels do not move.
fn measure(frame: &mut Frame, inside: &[[f64; 3]]) {
    let local: Vec<Vec3> = inside.iter().map(|p| frame.local(*p)).collect();
    let quantile = |axis: usize, share: f64| {
        let mut values: Vec<f32> = local.iter().map(|p| p[axis]).collect();
        values.sort_unstable_by(f32::total_cmp);
        values[((values.len() - 1) as f64 * share) as usize]
    };
    // Of a disc's points 2 % lie beyond 0.95 of its radius on either side.
    frame.half = [0, 1].map(|axis| (quantile(axis, 0.98) - quantile(axis, 0.02)) / 2.0 / 0.95);
    frame.upper = quantile(2, 0.97);
    frame.lower = quantile(2, 0.03);
}

/// How far above the upper plate the next labelled vertebra begins.
fn room(frame: &Frame, labels: &Volume<u8>, label: u8) -> f32 {
    let grid = labels.grid();
    let other = |z: f32| {
        let at = grid.index_of(frame.global([0.0, 0.0, z])).map(f64::round);
        let inside = (0..3).all(|n| at[n] >= 0.0 && at[n] < grid.size()[n] as f64);
        let value = if inside { labels.at(at.map(|v| v as usize)) } else { 0 };
        value != 0 && value != label
    };
    let steps = (0..28).map(|n| frame.upper + 0.5 * n as f32);
    let next = steps.map(|z| (z, other(z))).find(|(_, other)| *other);
    next.map_or(ROOM_MM[1], |(z, _)| z - frame.upper).clamp(ROOM_MM[0], ROOM_MM[1])
}
