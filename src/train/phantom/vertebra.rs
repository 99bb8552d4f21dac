//! One vertebra: body, posterior elements, densities and its fracture, placed in the patient.

use super::arch::{Arch, Frame};
use super::body::{Body, Osteophyte, Schmorl};
use super::degeneration::Degeneration;
use super::fracture::{Fracture, FractureKind, Site, draw_damage, draw_plane};
use super::random::Stream;
use super::ranges::Ranges;
use super::shape::{Vec3, add, cross, dot, scale, sub, unit};

/// What the vertebrae of a patient share.
#[derive(Debug, Clone, PartialEq)]
pub struct Patient {
    /// Age in years.
    pub age: f32,
    /// 0 for the youngest, 1 for the oldest.
    pub oldness: f32,
    /// Half width, half depth and height of L3.
    pub lumbar_size: Vec3,
    /// Height of a lumbar disc.
    pub disc_mm: f32,
    /// Mean density of cancellous bone.
    pub cancellous_hu: f32,
    /// Intrinsic density of cortical bone.
    pub cortex_hu: f32,
}

/// A level to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// VerSe's number: T1 = 8, T12 = 19, L1 = 20, L5 = 24, S1 = 26.
    pub id: u8,
    /// Kind and site of its fracture.
    pub fracture: Option<(FractureKind, Site)>,
}

impl Level {
    /// "T12", "L1", …
    pub fn name(&self) -> String {
        match self.id {
            1..=7 => format!("C{}", self.id),
            8..=19 => format!("T{}", self.id - 7),
            20..=25 => format!("L{}", self.id - 19),
            _ => "S1".to_owned(),
        }
    }

    /// Levels above L3; 0 at L3 and below.
    pub fn above_l3(&self) -> f32 {
        f32::from(22_u8.saturating_sub(self.id))
    }
}

/// Position and axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Middle of the undamaged body, LPS.
    pub centre: Vec3,
    /// Unit vectors to the left, back and top of the vertebra.
    pub axes: [Vec3; 3],
}

impl Pose {
    /// A pose whose long axis leans by `lean` (mm per mm to the left and to the back) and is turned.
    pub fn leaning(centre: Vec3, lean: [f32; 2], turn: f32) -> Self {
        let up = unit([lean[0], lean[1], 1.0]);
        let (s, c) = turn.sin_cos();
        let wish = [c, s, 0.0];
        let left = unit(sub(wish, scale(up, dot(wish, up))));
        Self { centre, axes: [left, cross(up, left), up] }
    }

    /// Patient → vertebra.
    pub fn local(&self, p: Vec3) -> Vec3 {
        let from = sub(p, self.centre);
        self.axes.map(|axis| dot(axis, from))
    }

    /// Vertebra → patient.
    pub fn global(&self, p: Vec3) -> Vec3 {
        (0..3).fold(self.centre, |sum, n| add(sum, scale(self.axes[n], p[n])))
    }
}

/// A vertebra ready to be sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertebra {
    /// Level.
    pub level: Level,
    /// Place.
    pub pose: Pose,
    /// Body.
    pub body: Body,
    /// Posterior elements.
    pub arch: Arch,
    /// Fracture.
    pub fracture: Option<Fracture>,
    /// What has aged or grown otherwise.
    pub degeneration: Degeneration,
    /// Height of the disc above.
    pub disc_mm: f32,
    /// The disc above holds gas.
    pub vacuum: bool,
    /// Density of cancellous bone.
    pub cancellous_hu: f32,
    /// Intrinsic density of cortical bone.
    pub cortex_hu: f32,
    /// Thickness of the cortex of the body and of the posterior elements.
    pub shell_mm: [f32; 2],
    /// Relative strength of the texture.
    pub texture: f32,
    /// How much the trabecular pattern is drawn out upwards.
    pub grain: f32,
}

impl Vertebra {
    /// Draws everything about a level but its place.
    pub fn draw(stream: &mut Stream, patient: &Patient, level: Level, ranges: &Ranges) -> Self {
        let proportion = 1.0 - 0.027 * level.above_l3();
        let size = patient.lumbar_size.map(|v| v * proportion * stream.within(ranges.vertebra.scatter));
        let disc_share = (1.0 - 0.085 * level.above_l3()).max(0.45);
        let narrow = stream.chance(aged(ranges.confounder.narrow_disc, patient.oldness));
        let left = if narrow { 0.25 + 0.4 * stream.unit() } else { 1.0 + stream.around(0.1) };
        let disc_mm = patient.disc_mm * disc_share * left;
        let damage_kind = level.fracture.map_or(FractureKind::Linear, |(kind, _)| kind);
        let damage = draw_damage(stream, damage_kind, &ranges.fracture);
        let mut body = draw_body(stream, size, ranges);
        draw_confounders(stream, &mut body, patient, ranges);
        let vacuum = stream.chance(aged(ranges.confounder.vacuum, patient.oldness));
        if level.fracture.is_some() {
            body.schmorl = None;
        }
        body.damage = (damage_kind != FractureKind::Linear).then_some(damage);
        let lumbar = (1.0 - level.above_l3() / 5.0).clamp(0.0, 1.0);
        // The posterior elements sink with the body, so that pedicles and joints still meet.
        let [up, down] = body.rests();
        let lift = (up - down) / 2.0;
        let swollen = stream.chance(aged(ranges.confounder.arthrosis, patient.oldness));
        let swelling = 1.0 + if swollen { 0.7 * stream.unit() } else { 0.0 };
        let frame = Frame { half: body.half, height: up + down, lift, disc: disc_mm, lumbar, swelling };
        let widening = body.damage.map_or(0.0, |d| d.widening_mm);
        let arch = Arch::draw(stream, &frame, widening);
        let fracture = draw_fracture(stream, &level, (&body, &arch), ranges);
        let degeneration = Degeneration::draw(stream, size, patient.oldness, &ranges.confounder);
        Self {
            level,
            pose: Pose::leaning([0.0; 3], [0.0; 2], 0.0),
            fracture,
            degeneration,
            disc_mm,
            vacuum,
            cancellous_hu: patient.cancellous_hu * (1.0 + stream.around(0.08)),
            cortex_hu: patient.cortex_hu * (1.0 + stream.around(0.06)),
            shell_mm: [
                stream.within(ranges.vertebra.shell_mm) * (1.0 - 0.2 * patient.oldness),
                stream.within(ranges.vertebra.arch_cortex_mm) * (1.0 - 0.2 * patient.oldness),
            ],
            texture: stream.within(ranges.vertebra.texture),
            grain: 1.2 + 1.3 * patient.oldness,
            body,
            arch,
        }
    }

    /// Angle (mm per mm, forward) by which a wedge bends the spine above it.
    pub fn kyphosis(&self) -> f32 {
        let Some(damage) = self.body.damage else { return 0.0 };
        let share = match damage.kind {
            FractureKind::Wedge => 0.45,
            FractureKind::Burst | FractureKind::Crush => 0.12,
            _ => 0.0,
        };
        share * damage.loss * self.body.height / (2.0 * self.body.half[1])
    }
}

/// The chance at an age: `lo` for the young, `hi` for the old.
pub fn aged(chance: super::ranges::Range, oldness: f32) -> f32 {
    chance.lo + (chance.hi - chance.lo) * oldness
}

fn draw_body(stream: &mut Stream, size: Vec3, ranges: &Ranges) -> Body {
    let of = &ranges.vertebra;
    Body {
        half: [size[0], size[1]],
        height: size[2],
        concavity: [stream.within(of.concavity), stream.within(of.concavity)],
        wedging: stream.within(of.wedging),
        waist_mm: stream.within(of.waist) * size[1],
        hollow_mm: 1.2 + 1.5 * stream.unit(),
        schmorl: None,
        osteophytes: Vec::new(),
        basivertebral_hu: 0.0,
        damage: None,
        noise_shift: [stream.around(30.0), stream.around(30.0), stream.around(30.0)],
    }
}

fn draw_confounders(stream: &mut Stream, body: &mut Body, patient: &Patient, ranges: &Ranges) {
    let of = &ranges.confounder;
    let node = Schmorl {
        centre: [stream.around(0.4) * body.half[0], stream.around(0.4) * body.half[1]],
        radius_mm: 4.0 + 3.5 * stream.unit(),
        depth_mm: 2.5 + 3.0 * stream.unit(),
        upper: stream.chance(0.5),
    };
    body.schmorl = stream.chance(aged(of.schmorl, patient.oldness)).then_some(node);
    let spurred = stream.chance(aged(of.osteophyte, patient.oldness));
    for upper in [true, false] {
        let angle = stream.around(1.3);
        let reach_mm = 2.0 + 6.0 * stream.unit();
        if spurred {
            body.osteophytes.push(Osteophyte { towards: [angle.sin(), -angle.cos()], reach_mm, upper });
        }
    }
    let vein = 30.0 + 80.0 * stream.unit();
    body.basivertebral_hu = if stream.chance(of.basivertebral.lo) { vein } else { 0.0 };
}

fn draw_fracture(
    stream: &mut Stream,
    level: &Level,
    (body, arch): (&Body, &Arch),
    ranges: &Ranges,
) -> Option<Fracture> {
    let (kind, site) = level.fracture?;
    let mut planes = Vec::new();
    match (kind, site) {
        (FractureKind::Burst, _) => {
            for _ in 0..=stream.below(3) {
                let about = [stream.around(1.0), stream.around(1.0), stream.around(0.4)];
                let point = [stream.around(0.35) * body.half[0], stream.around(0.3) * body.half[1], 0.0];
                let mut plane = draw_plane(stream, point, about, &ranges.fracture);
                plane.gap_mm *= 0.7;
                plane.shift = [0.0; 3];
                planes.push(plane);
            }
        }
        (FractureKind::Linear, Site::Body) => {
            let about = match stream.weighted(&[0.5, 0.2, 0.3]) {
                0 => [stream.around(0.3), stream.around(0.6), 1.0],
                1 => [1.0, stream.around(0.3), stream.around(0.4)],
                _ => [stream.around(0.3), 1.0, stream.around(0.8)],
            };
            let point =
                [0.3 * body.half[0], 0.35 * body.half[1], 0.22 * body.height].map(|r| stream.around(r));
            planes.push(draw_plane(stream, point, about, &ranges.fracture));
        }
        (FractureKind::Linear, site) => planes.push(draw_arch_plane(stream, site, arch, ranges)),
        _ => {}
    }
    Some(Fracture { kind, site, damage: body.damage, planes })
}

fn draw_arch_plane(stream: &mut Stream, site: Site, arch: &Arch, ranges: &Ranges) -> super::fracture::Plane {
    let side = stream.sign();
    let (mut point, along) = arch.crossing(site);
    point[0] *= side;
    let mut plane = draw_plane(stream, point, unit([side * along[0], along[1], along[2]]), &ranges.fracture);
    plane.gap_mm = plane.gap_mm.max(1.0);
    let process = matches!(site, Site::SpinousProcess | Site::TransverseProcess);
    plane.reach_mm = if process { 34.0 } else { 13.0 };
    if !process {
        plane.shift = [0.0; 3];
    }
    plane
}
