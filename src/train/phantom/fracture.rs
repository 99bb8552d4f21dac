//! The five kinds of fracture and the draws that make each of them.

use serde::{Deserialize, Serialize};

use super::random::Stream;
use super::ranges::FractureRanges;
use super::shape::{Vec3, cross, dot, scale, sub, unit};

/// Kinds of fracture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FractureKind {
    /// The front of the body is lower.
    Wedge,
    /// The middle of the body is lower.
    Biconcave,
    /// The whole body is lower.
    Crush,
    /// Crushed, with lucent planes and a fragment driven into the canal.
    Burst,
    /// A plane with a gap; the body keeps its height.
    Linear,
}

impl FractureKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Wedge, Self::Biconcave, Self::Crush, Self::Burst, Self::Linear];

    /// Lower-case name, as in an index.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wedge => "wedge",
            Self::Biconcave => "biconcave",
            Self::Crush => "crush",
            Self::Burst => "burst",
            Self::Linear => "linear",
        }
    }
}

/// The part that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// Vertebral body.
    Body,
    /// Pedicle.
    Pedicle,
    /// Pars interarticularis.
    Pars,
    /// Lamina.
    Lamina,
    /// Spinous process.
    SpinousProcess,
    /// Transverse process.
    TransverseProcess,
}

/// A fracture plane in a vertebra's coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// A point on it.
    pub point: Vec3,
    /// Unit normal.
    pub normal: Vec3,
    /// Width of the gap.
    pub gap_mm: f32,
    /// Density in the gap.
    pub gap_hu: f32,
    /// Unevenness.
    pub rough_mm: f32,
    /// It ends this far from its point.
    pub reach_mm: f32,
    /// Displacement of what lies on the normal's side.
    pub shift: Vec3,
}

impl Plane {
    /// Signed distance without the unevenness; infinite beyond its reach.
    pub fn distance(&self, p: Vec3) -> f32 {
        let from = sub(p, self.point);
        if dot(from, from) > self.reach_mm * self.reach_mm { f32::INFINITY } else { dot(from, self.normal) }
    }
}

/// Fragment driven backwards in a burst fracture: the upper back of the body, moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fragment {
    /// How far.
    pub backwards_mm: f32,
    /// Half of its width as a share of the body's half width.
    pub half_width: f32,
    /// Its lower end as a share of the body's height, −0.5 to 0.5.
    pub lower_end: f32,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Damage {
    /// Wedge, biconcave, crush or burst.
    pub kind: FractureKind,
    /// Loss of height of the damaged part, 0–1.
    pub loss: f32,
    /// Share of it that the upper plate takes.
    pub upper_share: f32,
    /// Steepness of the depression.
    pub power: f32,
    /// Asymmetry left to right.
    pub lateral: f32,
    /// Widening.
    pub bulge_mm: f32,
    /// Roughness of the plates.
    pub rough_mm: f32,
    /// Step in the front wall.
    pub step_mm: f32,
    /// Extra density, depth and sigma of the impacted band.
    pub band: [f32; 3],
    /// Retropulsed fragment.
    pub fragment: Option<Fragment>,
    /// Widening between the pedicles.
    pub widening_mm: f32,
}

impl Damage {
    /// Share of the height lost where `front` runs 0 (back) to 1 (front), `radius2` 0 (middle) to 1
    /// (rim) and `side` −1 to 1.
    pub fn local_loss(&self, front: f32, radius2: f32, side: f32) -> f32 {
        let shape = match self.kind {
            FractureKind::Wedge => front.max(0.0).powf(self.power),
            FractureKind::Biconcave => 0.12 + 0.88 * (1.0 - radius2).max(0.0).powf(0.8 * self.power),
            FractureKind::Crush => 0.92 + 0.12 * front,
            FractureKind::Burst => 0.72 + 0.3 * front,
            FractureKind::Linear => 0.0,
        };
        (self.loss * shape * (1.0 + self.lateral * side)).clamp(0.0, 0.68)
    }

    /// Share of the height lost on the middle of the rim, which sets how the neighbours close up.
    pub fn settled_loss(&self) -> f32 {
        match self.kind {
            FractureKind::Wedge => 0.45 * self.loss,
            FractureKind::Biconcave => 0.15 * self.loss,
            FractureKind::Crush => 0.95 * self.loss,
            FractureKind::Burst => 0.85 * self.loss,
            FractureKind::Linear => 0.0,
        }
    }
}

/// A fracture as drawn, before any voxel exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Fracture {
    /// Kind.
    pub kind: FractureKind,
    /// Broken part.
    pub site: Site,
    /// Compression of the body.
    pub damage: Option<Damage>,
    /// Planes: those of a burst, or the one of a linear fracture.
    pub planes: Vec<Plane>,
}

/// Weights of wedge, biconcave, crush, burst, linear in the body, linear in the posterior elements.
pub const KIND_WEIGHTS: [f32; 6] = [0.28, 0.18, 0.12, 0.17, 0.10, 0.15];

/// Draws the kind and the site; only of `kinds` where any are named.
pub fn draw_kind(stream: &mut Stream, kinds: &[FractureKind]) -> (FractureKind, Site) {
    let mut weights = KIND_WEIGHTS;
    for (n, weight) in weights.iter_mut().enumerate() {
        let kind = FractureKind::ALL[n.min(4)];
        *weight *= f32::from(u8::from(kinds.is_empty() || kinds.contains(&kind)));
    }
    let place = stream.weighted(&weights);
    let arch = [Site::Pedicle, Site::Pars, Site::Lamina, Site::SpinousProcess, Site::TransverseProcess]
        [stream.below(5)];
    match place {
        0..=3 => (FractureKind::ALL[place], Site::Body),
        4 => (FractureKind::Linear, Site::Body),
        _ => (FractureKind::Linear, arch),
    }
}

/// Draws a compression. Every kind makes the same draws in the same order.
pub fn draw_damage(stream: &mut Stream, kind: FractureKind, ranges: &FractureRanges) -> Damage {
    let loss = stream.within(ranges.loss);
    let main = stream.within(ranges.main_plate);
    let below = stream.chance(0.2);
    let even = 0.5 + stream.around(0.15);
    let power = 0.8 + 0.6 * stream.unit();
    let lateral = stream.around(0.18);
    let bulge = stream.within(ranges.bulge_mm);
    let rough_mm = stream.within(ranges.rough_mm);
    let step = stream.within(ranges.step_mm);
    let band = [ranges.band_hu, ranges.band_depth_mm, ranges.band_sigma_mm].map(|r| stream.within(r));
    let fragment = Fragment {
        backwards_mm: stream.within(ranges.retropulsion_mm),
        half_width: 0.45 + 0.25 * stream.unit(),
        lower_end: -0.15 + 0.3 * stream.unit(),
    };
    let widening = stream.within(ranges.widening_mm);
    let burst = kind == FractureKind::Burst;
    let flattened = matches!(kind, FractureKind::Crush | FractureKind::Burst);
    let one_sided = if below { 1.0 - main } else { main };
    Damage {
        kind,
        loss,
        upper_share: if matches!(kind, FractureKind::Wedge | FractureKind::Burst) { one_sided } else { even },
        power,
        lateral,
        bulge_mm: if flattened { bulge } else { 0.35 * bulge },
        rough_mm,
        step_mm: if kind == FractureKind::Biconcave { 0.3 * step } else { step },
        band,
        fragment: burst.then_some(fragment),
        widening_mm: if burst { widening } else { 0.0 },
    }
}

/// Draws a plane through `point`, roughly perpendicular to `about`.
pub fn draw_plane(stream: &mut Stream, point: Vec3, about: Vec3, ranges: &FractureRanges) -> Plane {
    let tilt = [stream.around(0.3), stream.around(0.3), stream.around(0.3)];
    let normal = unit([about[0] + tilt[0], about[1] + tilt[1], about[2] + tilt[2]]);
    let gap_mm = stream.within(ranges.gap_mm);
    let gap_hu = stream.within(ranges.gap_hu);
    let shift_mm = stream.within(ranges.shift_mm);
    let any = [stream.around(1.0), stream.around(1.0), stream.around(1.0)];
    let rough_mm = 0.3 + 0.6 * stream.unit();
    let shift = scale(unit(cross(normal, any)), shift_mm);
    Plane { point, normal, gap_mm, gap_hu, rough_mm, reach_mm: 60.0, shift }
}

/// Genant's grade of a compression by its loss of height; 0 below 20 %.
pub fn genant_grade(loss: f32) -> u8 {
    match loss {
        l if l < 0.20 => 0,
        l if l < 0.25 => 1,
        l if l < 0.40 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::phantom::random::{Key, Purpose};

    #[test]
    fn the_loss_is_where_the_kind_says() {
        let mut stream = Key { seed: 1, index: 1 }.stream(Purpose::Fracture, 0);
        let mut of =
            |kind| Damage { lateral: 0.0, ..draw_damage(&mut stream, kind, &FractureRanges::default()) };
        let wedge = of(FractureKind::Wedge);
        assert!(wedge.local_loss(1.0, 1.0, 0.0) >= 0.2 && wedge.local_loss(0.0, 1.0, 0.0) < 0.01);
        let biconcave = of(FractureKind::Biconcave);
        assert!(biconcave.local_loss(0.5, 0.0, 0.0) > 3.0 * biconcave.local_loss(0.5, 1.0, 0.0));
        let crush = of(FractureKind::Crush);
        assert!(crush.local_loss(0.0, 1.0, 0.0) > 0.85 * crush.loss);
        assert!(of(FractureKind::Burst).fragment.is_some() && crush.fragment.is_none());
    }

    #[test]
    fn grades_follow_genant() {
        let grades: Vec<u8> = [0.1, 0.22, 0.3, 0.5].into_iter().map(genant_grade).collect();
        assert_eq!(grades, [0, 1, 2, 3]);
    }
}
