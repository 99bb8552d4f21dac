//! The chest: its wall, on which the ribs run, and the lungs within.

use super::random::{NoiseBlock, Stream};
use super::ranges::ChestRanges;
use super::shape::{Vec3, coverage, ellipse, mix, smooth_step};

/// Thickness of the wall between the ribs' middle and the lung.
const WALL_MM: f32 = 7.0;
/// How far the back of the wall lies behind the middle of the vertebral bodies.
const BEHIND_MM: f32 = 24.0;

/// Size of a patient's chest and what the lungs hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Thorax {
    half_width_mm: f32,
    half_depth_mm: f32,
    lung_hu: f32,
    /// Level at whose height the dome of the diaphragm lies, counted like vertebra ids.
    dome: f32,
}

impl Thorax {
    /// Draws a chest.
    pub fn draw(stream: &mut Stream, ranges: &ChestRanges) -> Self {
        Self {
            half_width_mm: stream.within(ranges.half_width_mm),
            half_depth_mm: stream.within(ranges.half_depth_mm),
            lung_hu: stream.within(ranges.lung_hu),
            dome: 16.8 + stream.around(0.8),
        }
    }

    /// Half width and half depth of the wall at a level: it narrows towards the neck.
    pub fn half_mm(&self, level: f32) -> [f32; 2] {
        let share = smooth_step(5.5, 13.0, level);
        [self.half_width_mm * mix(0.42, 1.0, share), self.half_depth_mm * mix(0.5, 1.0, share)]
    }

    /// A point of the wall, seen from the middle of the vertebral body at that level: `turn` runs from
    /// 0 (back) to π (front).
    pub fn wall(&self, level: f32, turn: f32) -> [f32; 2] {
        let [width, depth] = self.half_mm(level);
        [width * turn.sin(), BEHIND_MM - depth + depth * turn.cos()]
    }

    /// Density and share of lung at a point given relative to the middle of the vertebral body.
    pub fn lung(&self, [x, y]: [f32; 2], level: f32, shifted: Vec3, noise: &NoiseBlock) -> (f32, f32) {
        let [width, depth] = self.half_mm(level);
        let inside = ellipse(x, y + depth - BEHIND_MM, [width - WALL_MM, depth - WALL_MM]);
        // Heart and great vessels in front of the spine, muscles beside it.
        let middle = ellipse(x - 8.0, y + 52.0, [38.0, 46.0]).min(ellipse(x, y - 8.0, [27.0, 26.0]));
        let floor = mix(self.dome, 19.4, smooth_step(-55.0, 15.0, y));
        let above = smooth_step(floor + 0.15, floor - 0.15, level) * smooth_step(6.6, 7.4, level);
        let share = coverage(inside.max(-middle), 1.5) * above;
        let vessel = smooth_step(1.5, 1.9, noise.at(shifted, 3.1));
        (mix(self.lung_hu + 12.0 * noise.at(shifted, 6.0), 35.0, vessel), share)
    }
}
