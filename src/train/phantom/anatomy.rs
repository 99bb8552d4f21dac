//! The patient's spine: which levels there are, their course, and the fractures' distribution.

use super::PhantomConfig;
use super::fracture::{FractureKind, Site, draw_kind};
use super::random::{Key, Purpose, Stream};
use super::ranges::Ranges;
use super::shape::{Vec3, add, mix, scale};
use super::vertebra::{Level, Patient, Pose, Vertebra};

/// Levels that can be in the middle of the field: T3 to L3. Fractures gather about T12 and L1, and so do
/// the fields of view that are taken to see them.
const MIDDLE: [u8; 18] = [10, 11, 12, 13, 14, 15, 16, 17, 18, 18, 19, 19, 20, 20, 21, 21, 22, 22];
/// First sacral level: the spine ends there.
const SACRUM: u8 = 26;

/// The spine of one phantom, from below upwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Spine {
    /// The patient.
    pub patient: Patient,
    /// Vertebrae from the lowest up.
    pub vertebrae: Vec<Vertebra>,
}

impl Spine {
    /// Draws a spine that fills the field.
    pub fn draw(key: Key, config: &PhantomConfig, field_mm: f32) -> Self {
        let mut stream = key.stream(Purpose::Patient, 0);
        let patient = draw_patient(&mut stream, &config.ranges);
        let middle = MIDDLE[stream.below(MIDDLE.len())];
        let course = Course::draw(key, &mut stream, config, middle, field_mm);
        let levels = draw_levels(key, config, &patient, middle, field_mm);
        let mut vertebrae: Vec<Vertebra> = levels
            .into_iter()
            .map(|level| {
                let mut own = key.stream(Purpose::Vertebra, level.id.into());
                Vertebra::draw(&mut own, &patient, level, &config.ranges)
            })
            .collect();
        let start = vertebrae.iter().position(|v| v.level.id == middle).unwrap_or(0);
        place(&mut vertebrae, start, &course);
        Self { patient, vertebrae }
    }
}

fn draw_patient(stream: &mut Stream, ranges: &Ranges) -> Patient {
    let of = &ranges.patient;
    let age = stream.within(of.age);
    let oldness = ((age - 25.0) / 50.0).clamp(0.0, 1.0);
    let expected = mix(235.0, 80.0, oldness);
    Patient {
        age,
        oldness,
        lumbar_size: [of.half_width_mm, of.half_depth_mm, of.height_mm].map(|r| stream.within(r)),
        disc_mm: stream.within(of.disc_mm),
        cancellous_hu: expected + stream.within(of.density_offset_hu),
        cortex_hu: stream.within(of.cortex_hu),
    }
}

/// The levels that meet the field, and which of them are broken.
fn draw_levels(key: Key, config: &PhantomConfig, patient: &Patient, middle: u8, field_mm: f32) -> Vec<Level> {
    let pitch = (patient.lumbar_size[2] + patient.disc_mm)
        * mix(0.66, 1.0, (f32::from(middle) - 8.0).max(0.0) / 14.0);
    let reach = field_mm / 2.0;
    // Tilt and compression bring levels closer to the middle, so two more than fit are made.
    let count = (reach / pitch).ceil() as u8 + 2;
    let lowest = (middle + count).min(SACRUM);
    let mut levels: Vec<Level> = (middle.saturating_sub(count).max(1)..=lowest)
        .rev()
        .filter(|id| *id != SACRUM - 1)
        .map(|id| Level { id, fracture: None })
        .collect();
    let whole = |level: &Level| {
        let away = (f32::from(level.id) - f32::from(middle)).abs() * pitch;
        away == 0.0 || (away < reach - 0.75 * pitch && level.id < SACRUM - 1)
    };
    let mut eligible: Vec<usize> = (0..levels.len()).filter(|n| whole(&levels[*n])).collect();
    for (kind, site) in draw_fractures(key, config) {
        if eligible.is_empty() {
            break;
        }
        let chosen =
            eligible.remove(key.stream(Purpose::Fracture, 1 + eligible.len() as u64).below(eligible.len()));
        levels[chosen].fracture = Some((kind, site));
    }
    levels
}

fn draw_fractures(key: Key, config: &PhantomConfig) -> Vec<(FractureKind, Site)> {
    let mut stream = key.stream(Purpose::Fracture, 0);
    if f64::from(stream.unit()) >= config.prevalence {
        return Vec::new();
    }
    let another = config.ranges.fracture.second.lo;
    let further = (1..config.most_fractures).take_while(|_| stream.chance(another)).count();
    (0..=further).map(|_| draw_kind(&mut stream, &config.kinds)).collect()
}

/// How the long axis leans along the field.
struct Course {
    field_mm: f32,
    /// Lordosis; negative: kyphosis.
    curve_mm: f32,
    scoliosis_mm: f32,
    phase: f32,
    lean: [f32; 2],
    turn: f32,
    middle: Vec3,
}

impl Course {
    fn draw(key: Key, stream: &mut Stream, config: &PhantomConfig, middle: u8, field_mm: f32) -> Self {
        let of = &config.ranges.patient;
        let lumbar = ((f32::from(middle) - 15.0) / 5.0).clamp(0.0, 1.0);
        let kyphosis = stream.within(of.kyphosis_mm);
        let mut place = key.stream(Purpose::Field, 1);
        let aside = place.chance(of.off_centre.lo);
        let beside = place.around(of.off_centre.hi);
        Self {
            field_mm,
            curve_mm: mix(-kyphosis, stream.within(of.lordosis_mm), lumbar),
            scoliosis_mm: stream.within(of.scoliosis_mm),
            phase: stream.around(std::f32::consts::PI),
            lean: [0.4 * stream.within(of.tilt_deg), stream.within(of.tilt_deg)]
                .map(|degrees| degrees.to_radians().tan()),
            turn: stream.within(config.ranges.vertebra.turn_deg).to_radians(),
            middle: [
                stream.around(8.0) + if aside { beside } else { 0.0 },
                -14.0 + stream.around(7.0),
                stream.around(12.0),
            ],
        }
    }

    /// Lean at a height: the derivative of the curve (forward convex in the lumbar part, backward in the chest).
    fn lean_at(&self, z: f32) -> [f32; 2] {
        let turn = std::f32::consts::PI / 205.0_f32.max(self.field_mm);
        let back = self.curve_mm * turn * (turn * z).sin();
        let left = self.scoliosis_mm * 2.0 * turn * (2.0 * turn * z + self.phase).cos();
        [self.lean[0] + left, self.lean[1] + back]
    }
}

/// Stacks the vertebrae up and down from `start`, so that discs keep their height where a neighbour
/// lost some.
fn place(vertebrae: &mut [Vertebra], start: usize, course: &Course) {
    for upwards in [true, false] {
        let sign = if upwards { 1.0 } else { -1.0 };
        let mut centre = course.middle;
        let mut bend = 0.0;
        let mut n = start;
        loop {
            let mut lean = course.lean_at(centre[2]);
            lean[1] -= bend;
            vertebrae[n].pose = Pose::leaning(centre, lean, course.turn);
            let next = if upwards { n + 1 } else { n.wrapping_sub(1) };
            if next >= vertebrae.len() {
                break;
            }
            let own = vertebrae[n].body.rests()[usize::from(!upwards)];
            let other = vertebrae[next].body.rests()[usize::from(upwards)];
            let disc = vertebrae[if upwards { n } else { next }].disc_mm;
            bend += sign * vertebrae[if upwards { n } else { next }].kyphosis();
            let up = vertebrae[n].pose.axes[2];
            let step = scale(up, sign * (own + disc / 2.0));
            let mut next_lean = course.lean_at(centre[2] + step[2]);
            next_lean[1] -= bend;
            let next_up = Pose::leaning(centre, next_lean, course.turn).axes[2];
            centre = add(add(centre, step), scale(next_up, sign * (other + disc / 2.0)));
            n = next;
        }
    }
}
