//! Samples the scene slice by slice. Every slice depends on its own position alone, so the order and
//! number of threads change nothing.

use rayon::prelude::*;

use super::anatomy::Spine;
use super::probe::{Bone, Probe};
use super::random::NoiseBlock;
use super::shape::{Vec3, mix};
use super::skeleton::{Layer, Skeleton};
use super::tissue::{Section, Tissue};
use super::vertebra::Vertebra;
use crate::volume::Grid;

/// Everything there is to sample.
pub struct Scene {
    /// Bones.
    pub spine: Spine,
    /// Bones beside the spine.
    pub skeleton: Skeleton,
    /// The rest.
    pub tissue: Tissue,
    /// Noise block.
    pub noise: NoiseBlock,
}

/// Densities and labels on a grid, before the scanner.
pub struct Raster {
    /// Ideal densities.
    pub hu: Vec<f32>,
    /// Level ids.
    pub vertebrae: Vec<u8>,
    /// Fracture labels.
    pub fracture: Vec<u8>,
    /// Gaps.
    pub gap: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
struct Point {
    hu: f32,
    level: u8,
    fracture: bool,
    gap: bool,
}

/// Samples a scene at the voxels of an axis-aligned grid. Slices much thicker than their pixels are
/// averaged from several planes; labels need half of them.
pub fn render(scene: &Scene, grid: &Grid) -> Raster {
    let [nx, ny, nz] = grid.size();
    let plane = nx * ny;
    let mut raster = Raster {
        hu: vec![0.0; plane * nz],
        vertebrae: vec![0; plane * nz],
        fracture: vec![0; plane * nz],
        gap: vec![0; plane * nz],
    };
    let slices = raster
        .hu
        .par_chunks_mut(plane)
        .zip(raster.vertebrae.par_chunks_mut(plane))
        .zip(raster.fracture.par_chunks_mut(plane))
        .zip(raster.gap.par_chunks_mut(plane));
    slices.enumerate().for_each(|(k, (((hu, vertebrae), fracture), gap))| {
        let votes = render_slice(scene, grid, k);
        for (n, vote) in votes.iter().enumerate() {
            hu[n] = vote.hu;
            vertebrae[n] = vote.level;
            fracture[n] = u8::from(vote.fracture);
            gap[n] = u8::from(vote.gap);
        }
    });
    raster
}

fn render_slice(scene: &Scene, grid: &Grid, k: usize) -> Vec<Point> {
    let [sx, sy, sz] = grid.spacing_mm();
    let planes = (sz / (1.6 * sx.max(sy))).ceil().max(1.0) as usize;
    let step = sz / planes as f64;
    let middle = grid.position_lps([0.0, 0.0, k as f64])[2];
    let width_mm = ((sx + sy + step) / 3.0) as f32;
    let mut layers = (0..planes).map(|n| {
        let z = middle + step * (n as f64 - (planes - 1) as f64 / 2.0);
        render_plane(scene, grid, z as f32, width_mm)
    });
    if planes == 1 {
        return layers.next().unwrap_or_default();
    }
    average(&layers.collect::<Vec<_>>())
}

fn average(layers: &[Vec<Point>]) -> Vec<Point> {
    let count = layers.len();
    (0..layers[0].len())
        .map(|n| {
            let at = || layers.iter().map(move |layer| layer[n]);
            let half = |votes: usize| 2 * votes >= count;
            let bone = half(at().filter(|p| p.level > 0).count());
            let level = at().map(|p| p.level).max().unwrap_or(0);
            Point {
                hu: at().map(|p| p.hu).sum::<f32>() / count as f32,
                level: if bone { level } else { 0 },
                fracture: bone && half(at().filter(|p| p.fracture).count()),
                gap: bone && half(at().filter(|p| p.gap).count()),
            }
        })
        .collect()
}

/// One plane of points.
fn render_plane(scene: &Scene, grid: &Grid, z: f32, width_mm: f32) -> Vec<Point> {
    let section = Section::at(&scene.spine.vertebrae, z);
    let probe = Probe { noise: &scene.noise, width_mm };
    let near: Vec<&Vertebra> = scene.spine.vertebrae.iter().filter(|v| meets(v, z)).collect();
    let beside = scene.skeleton.at_height(z);
    let met = Met { near: &near, beside: &beside, probe: &probe };
    let [nx, ny, _] = grid.size();
    let mut points = Vec::with_capacity(nx * ny);
    for j in 0..ny {
        for i in 0..nx {
            let [x, y, _] = grid.position_lps([i as f64, j as f64, 0.0]);
            let p = [x as f32, y as f32, z];
            points.push(sample(scene, &section, &met, p));
        }
    }
    points
}

/// Whether any part of a vertebra can be at a height.
fn meets(vertebra: &Vertebra, z: f32) -> bool {
    let (low, high) = vertebra.arch.bounds();
    let reach = vertebra.body.reach_mm();
    let corners = (0..8).map(|c| [0, 1, 2].map(|n| if (c >> n) & 1 == 0 { low[n] } else { high[n] }));
    let heights: Vec<f32> = corners.map(|corner| vertebra.pose.global(corner)[2]).collect();
    let middle = vertebra.pose.centre[2];
    let lowest = heights.iter().copied().fold(middle - reach, f32::min);
    let highest = heights.iter().copied().fold(middle + reach, f32::max);
    (lowest..=highest).contains(&z)
}

/// What a plane meets.
struct Met<'a> {
    near: &'a [&'a Vertebra],
    beside: &'a Layer<'a>,
    probe: &'a Probe<'a>,
}

fn sample(scene: &Scene, section: &Section, met: &Met, p: Vec3) -> Point {
    let soft = scene.tissue.at(p, section, &scene.noise);
    let mut point = Point { hu: soft, ..Point::default() };
    for pair in met.near.windows(2) {
        if pair[0].pose.local(p)[2] > 0.0 && pair[1].pose.local(p)[2] < 0.0 {
            let (hu, share) = scene.tissue.disc(p, section, (pair[0], pair[1]));
            point.hu = mix(point.hu, hu, share);
        }
    }
    // Under the vertebrae: a rib's head lies in a joint and never hides the spine.
    point.hu = met.beside.over(point.hu, p, met.probe.width_mm, &scene.noise);
    let mut deepest = f32::INFINITY;
    for vertebra in met.near {
        let Some(Bone { d, cover, hu, fracture, gap }) = met.probe.at(vertebra, p) else { continue };
        point.hu = mix(point.hu, hu, cover);
        if d <= 0.0 && d < deepest {
            deepest = d;
            point = Point { level: vertebra.level.id, fracture, gap, ..point };
        }
    }
    point
}
