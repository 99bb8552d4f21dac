//! The vertebral body: its healthy outline and what compression makes of it.

use super::fracture::{Damage, FractureKind};
use super::random::NoiseBlock;
use super::shape::{Vec3, mix, smooth_max, smooth_step, superellipse};

/// Intrusion of disc through an endplate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schmorl {
    /// Place on the plate.
    pub centre: [f32; 2],
    /// Radius at its mouth.
    pub radius_mm: f32,
    /// Depth.
    pub depth_mm: f32,
    /// In the upper plate, else the lower.
    pub upper: bool,
}

/// Spur on the rim of an endplate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Osteophyte {
    /// Direction from the middle, unit vector.
    pub towards: [f32; 2],
    /// How far it sticks out.
    pub reach_mm: f32,
    /// On the upper rim, else the lower.
    pub upper: bool,
}

/// Shape of a body in its own coordinates: x left, y back, z up, origin in its middle.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Half width and half depth.
    pub half: [f32; 2],
    /// Height before any damage.
    pub height: f32,
    /// Concavity of the upper and of the lower plate, share of the height.
    pub concavity: [f32; 2],
    /// Natural wedging, share of the height.
    pub wedging: f32,
    /// Narrowing at mid-height.
    pub waist_mm: f32,
    /// Hollow of the back wall.
    pub hollow_mm: f32,
    /// Schmorl node.
    pub schmorl: Option<Schmorl>,
    /// Osteophytes.
    pub osteophytes: Vec<Osteophyte>,
    /// Depth of the basivertebral vein's mark in HU; 0 for none.
    pub basivertebral_hu: f32,
    /// Compression.
    pub damage: Option<Damage>,
    /// Displaces its noise from that of other vertebrae.
    pub noise_shift: Vec3,
}

/// What a body is at one point.
#[derive(Debug, Clone, Copy)]
pub struct BodySample {
    /// Signed distance to its outline.
    pub d: f32,
    /// Where this matter was before the compression.
    pub origin: Vec3,
    /// Old height over new height here, at least 1.
    pub squeeze: f32,
    /// Distance under the upper and under the lower plate.
    pub under: [f32; 2],
}

impl Body {
    /// Radius of a sphere around the body and its fragment.
    pub fn reach_mm(&self) -> f32 {
        let flat = (self.half[0] + 9.0).hypot(self.half[1] + 9.0);
        flat.hypot(self.height / 2.0 + 2.0)
    }

    /// Height from the origin up to the upper and down to the lower plate after the damage, on the
    /// rim, which is where discs and neighbours rest.
    pub fn rests(&self) -> [f32; 2] {
        let half = self.height / 2.0;
        let Some(damage) = self.damage else { return [half, half] };
        let loss = damage.settled_loss() * self.height;
        [half - loss * damage.upper_share, half - loss * (1.0 - damage.upper_share)]
    }

    /// The body at a point, with a retropulsed fragment.
    pub fn sample(&self, p: Vec3, noise: &NoiseBlock) -> BodySample {
        let main = self.intact(p, noise);
        let Some(fragment) = self.damage.and_then(|damage| damage.fragment) else { return main };
        let back = [p[0], p[1] - fragment.backwards_mm, p[2]];
        let wide = back[0].abs() - fragment.half_width * self.half[0];
        let low = fragment.lower_end * self.height - back[2] + 0.3 * back[1];
        let front = 0.3 * self.half[1] - back[1];
        let piece_box = smooth_max(smooth_max(wide, low, 2.0), front, 2.0);
        if piece_box > 3.0 {
            return main;
        }
        let piece = self.intact(back, noise);
        let d = smooth_max(piece.d, piece_box, 2.5);
        if d < main.d { BodySample { d, ..piece } } else { main }
    }

    fn intact(&self, p: Vec3, noise: &NoiseBlock) -> BodySample {
        let [x, y, z] = p;
        let [upper0, lower0, upper, lower] = self.plates(x, y, noise);
        let half = ((upper - lower) / 2.0).max(1.0);
        let level = ((z - f32::midpoint(upper, lower)) / half).clamp(-1.0, 1.0);
        let bay = (1.0 - (x / (0.8 * self.half[0])).powi(2)).max(0.0);
        let hollow = self.hollow_mm * bay * (y / self.half[1]).clamp(0.0, 1.0);
        let side = superellipse(x, y + hollow, self.half) - self.outward(p, level, [upper, lower], noise);
        let under = [upper - z, z - lower];
        let d = smooth_max(side, -under[0].min(under[1]), 2.2);
        let part = (z - lower) / (2.0 * half);
        BodySample {
            d,
            origin: [x, y, lower0 + part * (upper0 - lower0)],
            squeeze: ((upper0 - lower0) / (2.0 * half)).max(1.0),
            under,
        }
    }

    /// Heights of the plates at (x, y): upper and lower before, upper and lower after the damage.
    fn plates(&self, x: f32, y: f32, noise: &NoiseBlock) -> [f32; 4] {
        let (u, v) = (x / self.half[0], y / self.half[1]);
        let dome = (1.0 - u * u - v * v).max(0.0);
        let front = ((1.0 - v) / 2.0).clamp(0.0, 1.1);
        let wedge = self.wedging * front * self.height / 2.0;
        let mut plates = [0, 1].map(|n| self.height * (0.5 - self.concavity[n] * dome) - wedge);
        if let Some(node) = self.schmorl {
            let away = (x - node.centre[0]).hypot(y - node.centre[1]) / node.radius_mm;
            plates[usize::from(!node.upper)] -= node.depth_mm * (1.0 - smooth_step(0.25, 1.0, away));
        }
        let before = [plates[0], -plates[1]];
        let Some(damage) = self.damage else { return [before[0], before[1], before[0], before[1]] };
        let whole = before[0] - before[1];
        let loss = damage.local_loss(front, 1.0 - dome, u.clamp(-1.0, 1.0)) * whole;
        let rough = |n: f32, share: f32| {
            let at = [x + self.noise_shift[0], y + self.noise_shift[1], n + self.noise_shift[2]];
            damage.rough_mm * (0.3 + share) * noise.at(at, 2.2)
        };
        let (up, down) = (damage.upper_share, 1.0 - damage.upper_share);
        let after = [before[0] - loss * up - rough(0.0, up), before[1] + loss * down + rough(31.0, down)];
        [before[0], before[1], after[0], after[1].min(after[0] - 2.5)]
    }

    /// How far the side wall lies outside the plain outline at a relative height −1..1.
    fn outward(&self, p: Vec3, level: f32, plates: [f32; 2], noise: &NoiseBlock) -> f32 {
        let shifted = [0, 1, 2].map(|a| p[a] + self.noise_shift[a]);
        let middle = 1.0 - level * level;
        let mut out = -self.waist_mm * middle + 0.3 * noise.at(shifted, 5.0);
        for spur in &self.osteophytes {
            let radius = p[0].hypot(p[1]).max(1.0);
            let facing = (p[0] * spur.towards[0] + p[1] * spur.towards[1]) / radius;
            let away = if spur.upper { plates[0] - p[2] } else { p[2] - plates[1] };
            let rim = (-(away.max(0.0) / 2.6).powi(2)).exp();
            out += spur.reach_mm * rim * smooth_step(0.75, 0.98, facing);
        }
        if let Some(damage) = self.damage {
            let front = smooth_step(-0.1, -0.7, p[1] / self.half[1]);
            let broken = if damage.upper_share > 0.5 { plates[0] - p[2] } else { p[2] - plates[1] };
            let buckle = (-((broken - 4.0) / 2.0).powi(2)).exp();
            out += damage.bulge_mm * mix(0.4, 1.0, middle) + damage.step_mm * buckle * front;
            out += 0.5 * damage.rough_mm * noise.at(shifted, 2.0);
        }
        out
    }

    /// Density added by impaction at a sample.
    pub fn impaction_hu(&self, sample: &BodySample) -> f32 {
        let Some(damage) = self.damage else { return 0.0 };
        let [hu, depth, sigma] = damage.band;
        let band = |under: f32, share: f32| {
            hu * (1.5 * share).min(1.0) * (-((under - depth) / sigma).powi(2) / 2.0).exp()
        };
        let here = if damage.kind == FractureKind::Wedge {
            smooth_step(1.02, 1.25, sample.squeeze)
        } else {
            smooth_step(1.0, 1.1, sample.squeeze)
        };
        here * (band(sample.under[0], damage.upper_share) + band(sample.under[1], 1.0 - damage.upper_share))
    }
}
