//! Grafting: a known fracture made in a real CT whose vertebrae are labelled.
//!
//! A compression moves one endplate towards the other by an inverse warp, image and labels together,
//! and makes the bone denser by what it lost in height; the disc takes up the room, the neighbours stay.
//! A linear fracture blends a thin plane into the body. The look of real bone, noise and surroundings is
//! kept, which no phantom has. A graft is still no patient's fracture: never call figures on it clinical.

use super::graft_frame::{Frame, frame};
use super::phantom::FractureKind;
use super::phantom::fracture::{Damage, Plane, draw_damage, draw_plane};
use super::phantom::probe::LINEAR_MARGIN_MM;
use super::phantom::random::{Key, NoiseBlock, Purpose, Stream};
use super::phantom::ranges::FractureRanges;
use super::phantom::shape::{Vec3, mix, slab, smooth_step, superellipse};
use crate::itk::ItkError;
use crate::volume::{Grid, Volume};
use thiserror::Error;

/// Kinds that can be grafted; a burst needs fragments that no warp makes.
pub const KINDS: [FractureKind; 4] =
    [FractureKind::Wedge, FractureKind::Biconcave, FractureKind::Crush, FractureKind::Linear];
/// Compression makes cancellous bone at most this much denser.
const DENSEST: f32 = 1.8;
/// Density beyond which bone is compact and cannot be packed further.
const COMPACT_HU: f32 = 300.0;
/// How far beside the body its surroundings move along.
const FADE_MM: f32 = 9.0;
/// Behind the body lie canal and pedicles, which stay.
const FADE_BACK_MM: f32 = 4.0;

/// What to make, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct GraftOptions {
    /// Label of the vertebra to break.
    pub label: u8,
    /// Kind of fracture.
    pub kind: FractureKind,
    /// Everything that is drawn.
    pub seed: u64,
    /// What it is drawn from.
    pub ranges: FractureRanges,
}

/// A CT with its grafted fracture.
#[derive(Debug, Clone, PartialEq)]
pub struct Graft {
    /// HU.
    pub ct: Volume<i16>,
    /// 1 where fractured.
    pub fracture: Volume<u8>,
}

/// Why no fracture could be grafted.
#[derive(Debug, Error)]
pub enum GraftError {
    /// The labels lie elsewhere than the CT.
    #[error("the vertebra labels' grid ({labels:?} voxels) is not the CT's ({ct:?})")]
    OtherGrid {
        /// Voxels of the CT.
        ct: [usize; 3],
        /// Voxels of the labelmap.
        labels: [usize; 3],
    },
    /// The label is missing, too small for a vertebral body, or cut off by the field's edge.
    #[error("label {label}: {reason}")]
    NoWholeBody {
        /// The label.
        label: u8,
        /// What is wrong.
        reason: &'static str,
    },
    /// A kind that cannot be grafted.
    #[error("a {kind:?} fracture cannot be grafted; wedge, biconcave, crush and linear can")]
    Kind {
        /// The kind.
        kind: FractureKind,
    },
    /// ITK failed.
    #[error(transparent)]
    Itk(#[from] ItkError),
}

/// Makes one fracture in the vertebra `options.label` of `labels` (0 elsewhere; other labels are its
/// neighbours).
pub fn graft(ct: &Volume<i16>, labels: &Volume<u8>, options: &GraftOptions) -> Result<Graft, GraftError> {
    if !ct.grid().same_place(labels.grid(), 0.01) {
        return Err(GraftError::OtherGrid { ct: ct.grid().size(), labels: labels.grid().size() });
    }
    if !KINDS.contains(&options.kind) {
        return Err(GraftError::Kind { kind: options.kind });
    }
    let (frame, body) = frame(labels, options.label)?;
    let key = Key { seed: options.seed, index: options.label.into() };
    let mut stream = key.stream(Purpose::Fracture, 0);
    let break_ = Break::draw(&mut stream, &frame, options);
    let scene = Scene { ct, body: &body, frame: &frame, noise: NoiseBlock::new(key) };
    let mut made = Graft { ct: ct.clone(), fracture: Volume::filled(ct.grid().clone(), 0) };
    let strength = scene.noise_hu();
    let mut grain = key.stream(Purpose::Noise, 0);
    scene.each_near(|index, p| {
        let spot = match &break_ {
            Break::Compression(damage) => scene.compressed(damage, p),
            Break::Line(plane) => scene.parted(plane, index, p),
        };
        let at = ct.grid().offset(index);
        let hu = spot.hu + spot.moved * strength * grain.normal();
        made.ct.voxels_mut()[at] = hu.round().clamp(-1024.0, 3071.0) as i16;
        made.fracture.voxels_mut()[at] = u8::from(spot.broken);
    });
    Ok(made)
}

/// What was drawn.
enum Break {
    Compression(Damage),
    Line(Plane),
}

impl Break {
    fn draw(stream: &mut Stream, frame: &Frame, options: &GraftOptions) -> Self {
        if options.kind == FractureKind::Linear {
            let [a, b] = frame.half;
            let point = [0.3 * a, 0.3 * b, 0.2 * frame.height()].map(|limit| stream.around(limit));
            let about = if stream.chance(0.6) { [0.1, stream.around(0.5), 1.0] } else { [0.2, 1.0, 0.3] };
            let mut plane = draw_plane(stream, point, about, &options.ranges);
            plane.point[2] += frame.middle();
            return Self::Line(plane);
        }
        // The lower plate keeps its place: moving both would leave nothing to measure from.
        Self::Compression(Damage { upper_share: 1.0, ..draw_damage(stream, options.kind, &options.ranges) })
    }
}

/// A voxel as grafted.
struct Spot {
    hu: f32,
    /// 0 where the CT is as it was, 1 where it was interpolated and lost noise.
    moved: f32,
    broken: bool,
}

struct Scene<'a> {
    ct: &'a Volume<i16>,
    body: &'a Volume<u8>,
    frame: &'a Frame,
    noise: NoiseBlock,
}

impl Scene<'_> {
    /// Calls `f` with every voxel near the body and its place in the body's frame.
    fn each_near(&self, mut f: impl FnMut([usize; 3], Vec3)) {
        let grid = self.ct.grid();
        let reach = self.frame.reach_mm();
        let centre = grid.index_of(self.frame.centre_lps);
        let span = |axis: usize| {
            let vox = reach / grid.spacing_mm()[axis];
            let last = grid.size()[axis] as f64 - 1.0;
            let [low, high] = [centre[axis] - vox, centre[axis] + vox].map(|v| v.clamp(0.0, last) as usize);
            low..=high
        };
        for k in span(2) {
            for j in span(1) {
                for i in span(0) {
                    let p = self.frame.local(grid.position_lps([i as f64, j as f64, k as f64]));
                    f([i, j, k], p);
                }
            }
        }
    }

    fn compressed(&self, damage: &Damage, p: Vec3) -> Spot {
        let [a, b] = self.frame.half;
        let (u, v) = (p[0] / a, p[1] / b);
        let beside = superellipse(p[0], p[1], [a, b]);
        let fade = if p[1] > 0.6 * b { FADE_BACK_MM } else { FADE_MM };
        let weight = smooth_step(fade, 0.5, beside);
        let front = ((1.0 - v) / 2.0).clamp(0.0, 1.1);
        let share = damage.local_loss(front, (u * u + v * v).min(1.0), u.clamp(-1.0, 1.0));
        let rough = damage.rough_mm * self.noise.at(p, 2.2);
        let drop = (weight * (share * self.frame.height() + rough)).max(0.0);
        let (z, squeeze) = self.frame.before(p[2], drop);
        let source = [p[0], p[1], z];
        let broken = weight > 0.0 && self.at(self.body, source) >= 0.5;
        let mut hu = self.at(self.ct, source);
        if broken {
            let packed = (squeeze.min(DENSEST) - 1.0) * hu.clamp(0.0, COMPACT_HU);
            let under = self.frame.upper - drop - p[2];
            let [band, depth, sigma] = damage.band;
            let impacted = smooth_step(1.0, 1.12, squeeze) * (-((under - depth) / sigma).powi(2) / 2.0).exp();
            hu += packed + 0.6 * band * impacted;
        }
        let moved = f32::from(u8::from(drop > 0.05 && (z - p[2]).abs() > 0.05));
        Spot { hu, moved, broken }
    }

    fn parted(&self, plane: &Plane, index: [usize; 3], p: Vec3) -> Spot {
        let hu = f32::from(self.ct.at(index));
        if self.body.at(index) == 0 {
            return Spot { hu, moved: 0.0, broken: false };
        }
        let d = plane.distance(p) + plane.rough_mm * self.noise.at(p, 3.0);
        let width = self.ct.grid().voxel_mm3().cbrt() as f32;
        let share = slab(d, plane.gap_mm, width.max(0.8));
        let broken = d.abs() <= plane.gap_mm / 2.0 + LINEAR_MARGIN_MM;
        Spot { hu: mix(hu, plane.gap_hu, share), moved: share, broken }
    }

    /// Trilinear value at a place in the body's frame.
    fn at<T: Copy + Into<f32>>(&self, volume: &Volume<T>, p: Vec3) -> f32 {
        interpolate(volume, volume.grid().index_of(self.frame.global(p)))
    }

    /// Noise in the body: from the differences between neighbours, which texture hardly reaches.
    fn noise_hu(&self) -> f32 {
        let row = self.ct.grid().size()[0];
        let inside = self.body.voxels();
        let pairs = (1..inside.len()).filter(|n| n % row != 0 && inside[*n] + inside[n - 1] == 2);
        let hu = self.ct.voxels();
        let mut steps: Vec<u16> = pairs.map(|n| hu[n].abs_diff(hu[n - 1])).collect();
        steps.sort_unstable();
        // Median of |difference| of two normals is 0.954 deviations; interpolation takes about half.
        steps.get(steps.len() / 2).map_or(0.0, |median| 0.5 * f32::from(*median) / 0.954)
    }
}

/// Trilinear interpolation at a continuous voxel index; the border repeats.
fn interpolate<T: Copy + Into<f32>>(volume: &Volume<T>, at: [f64; 3]) -> f32 {
    let grid: &Grid = volume.grid();
    let mut low = [[0_usize; 2]; 3];
    let mut part = [0.0_f32; 3];
    for axis in 0..3 {
        let last = grid.size()[axis] - 1;
        let place = at[axis].clamp(0.0, last as f64);
        low[axis] = [place as usize, (place as usize + 1).min(last)];
        part[axis] = place.fract() as f32;
    }
    let value = |i: usize, j: usize, k: usize| volume.at([low[0][i], low[1][j], low[2][k]]).into();
    let row = |j: usize, k: usize| mix(value(0, j, k), value(1, j, k), part[0]);
    let plane = |k: usize| mix(row(0, k), row(1, k), part[1]);
    mix(plane(0), plane(1), part[2])
}
