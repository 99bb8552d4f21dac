//! Everything around the bones: discs, canal, muscles, fat, vessels, organs, bowel, skin and air.

use super::random::{Key, NoiseBlock, Purpose, Stream};
use super::ranges::Ranges;
use super::shape::{Vec3, coverage, ellipse, mix, smooth_step, superellipse};
use super::thorax::Thorax;
use super::vertebra::{Patient, Vertebra, aged};

const AIR_HU: f32 = -1000.0;
const GAS_HU: f32 = -900.0;
const SKIN_HU: f32 = 20.0;
const SKIN_MM: f32 = 1.8;

/// Densities and sizes of a patient's soft tissue.
#[derive(Debug, Clone, PartialEq)]
pub struct Tissue {
    muscle_hu: f32,
    fat_hu: f32,
    disc_hu: f32,
    sac_hu: f32,
    blood_hu: f32,
    organ_hu: f32,
    subcutaneous_mm: f32,
    /// Share of fat in the muscles of the back.
    infiltration: f32,
    aorta: Vessel,
    cava: Vessel,
    calcified: bool,
    liver: f32,
    kidneys: [Vec3; 2],
    noise_shift: Vec3,
    thorax: Thorax,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Vessel {
    left: f32,
    ahead: f32,
    radius: f32,
}

/// The spine's cross-section in one slice.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    z: f32,
    centre: [f32; 2],
    half: [f32; 2],
    level: f32,
}

impl Section {
    /// The course of the vertebrae (from below up) at a height.
    pub fn at(vertebrae: &[Vertebra], z: f32) -> Self {
        let place = vertebrae.partition_point(|v| v.pose.centre[2] < z);
        let upper = &vertebrae[place.min(vertebrae.len() - 1)];
        let lower = &vertebrae[place.saturating_sub(1)];
        let span = upper.pose.centre[2] - lower.pose.centre[2];
        let t = if span > 0.0 { (z - lower.pose.centre[2]) / span } else { 0.0 };
        let between = |of: fn(&Vertebra) -> f32| mix(of(lower), of(upper), t);
        Self {
            z,
            centre: [between(|v| v.pose.centre[0]), between(|v| v.pose.centre[1])],
            half: [between(|v| v.body.half[0]), between(|v| v.body.half[1])],
            level: between(|v| f32::from(v.level.id)),
        }
    }
}

impl Tissue {
    /// Draws the soft tissue of a patient.
    pub fn draw(key: Key, patient: &Patient, thorax: Thorax, ranges: &Ranges) -> Self {
        let mut stream = key.stream(Purpose::Tissue, 0);
        let of = &ranges.tissue;
        let plain = stream.within(of.blood_hu);
        let enhanced = stream.within(of.enhanced_hu);
        let contrast = stream.chance(0.35);
        let kidney = |side: f32, stream: &mut Stream| {
            [side * (60.0 + stream.around(6.0)), 8.0 + stream.around(8.0), 15.0 + stream.around(25.0)]
        };
        Self {
            muscle_hu: stream.within(of.muscle_hu) - 8.0 * patient.oldness,
            fat_hu: stream.within(of.fat_hu),
            disc_hu: stream.within(of.disc_hu),
            sac_hu: stream.within(of.sac_hu),
            blood_hu: if contrast { enhanced } else { plain },
            organ_hu: stream.within(of.organ_hu) + if contrast { 50.0 } else { 0.0 },
            subcutaneous_mm: stream.within(of.subcutaneous_mm),
            infiltration: 0.1 + 0.7 * patient.oldness * stream.unit(),
            aorta: Vessel { left: 7.0 + stream.around(6.0), ahead: 13.0, radius: 9.5 + 3.0 * stream.unit() },
            cava: Vessel { left: -16.0 + stream.around(4.0), ahead: 11.0, radius: 9.0 + 2.5 * stream.unit() },
            calcified: stream.chance(aged(ranges.confounder.calcified_aorta, patient.oldness)),
            liver: stream.around(12.0),
            kidneys: [kidney(-1.0, &mut stream), kidney(1.0, &mut stream)],
            noise_shift: [stream.around(500.0), stream.around(500.0), stream.around(500.0)],
            thorax,
        }
    }

    /// Density at an LPS position, without bones and discs.
    pub fn at(&self, p: Vec3, section: &Section, noise: &NoiseBlock) -> f32 {
        let (x, y) = (p[0] - section.centre[0], p[1] - section.centre[1]);
        let back = section.half[1] + 57.0 + self.subcutaneous_mm - x * x / 420.0;
        let skin = y - back;
        if skin > 1.0 {
            return AIR_HU;
        }
        let shifted = [0, 1, 2].map(|n| p[n] + self.noise_shift[n]);
        let wave = noise.at(shifted, 9.0);
        let mut hu = self.fat_hu + 5.0 * wave;
        if y < section.half[1] + 45.0 {
            hu = self.abdomen(hu, [x, y], shifted, noise);
        }
        if section.level < 19.6 {
            let (lung, share) = self.thorax.lung([x, y], section.level, shifted, noise);
            hu = mix(hu, lung, share);
        }
        hu = self.muscles(hu, [x, y], section, (wave, noise.at(shifted, 2.2)));
        hu = self.vessels(hu, [x, y], section, (wave, noise.at(shifted, 2.6)));
        hu = self.canal(hu, [x, y], section);
        let skin_share = coverage(-skin - SKIN_MM, 1.0);
        mix(mix(hu, SKIN_HU, skin_share), AIR_HU, 1.0 - coverage(skin, 1.0))
    }

    /// Bowel, liver and kidneys.
    fn abdomen(&self, fat: f32, [x, y]: [f32; 2], shifted: Vec3, noise: &NoiseBlock) -> f32 {
        let z = shifted[2] - self.noise_shift[2];
        let loops = noise.at(shifted, 13.0) + 0.35 * noise.at(shifted, 5.0);
        let soft = smooth_step(0.0, 0.12, loops) * smooth_step(-22.0, -30.0, y);
        let mut hu = mix(fat, self.organ_hu.min(60.0) - 8.0, soft);
        let gas = smooth_step(1.35, 1.45, loops) * smooth_step(-42.0, -48.0, y);
        hu = mix(hu, GAS_HU, gas);
        let liver = ellipse(x + 85.0 + self.liver, y + 45.0, [58.0, 62.0]) + (z + 40.0).min(0.0).abs();
        hu = mix(hu, self.organ_hu + 12.0, coverage(liver, 1.5));
        for at in &self.kidneys {
            let taper = (1.0 - ((z - at[2]) / 52.0).powi(2)).max(0.0).sqrt();
            let d = ellipse(x - at[0], y - at[1], [24.0 * taper + 0.01, 29.0 * taper + 0.01]);
            let hilum = at[0].signum() * (x - at[0]);
            let sinus = ellipse(hilum + 14.0, y - at[1] + 4.0, [15.0 * taper + 0.01, 8.0]);
            let sinus = coverage(sinus + 2.5 * noise.at(shifted, 3.5), 3.0) * smooth_step(0.4, 0.7, taper);
            let share = if taper > 0.05 { coverage(d + 0.8 * noise.at(shifted, 6.0), 1.5) } else { 0.0 };
            hu = mix(hu, mix(self.organ_hu, fat, 0.85 * sinus), share);
        }
        hu
    }

    /// Psoas, quadratus lumborum, the muscles of the back, and what lies between the processes.
    fn muscles(&self, under: f32, [x, y]: [f32; 2], section: &Section, noise: (f32, f32)) -> f32 {
        let (wave, streak) = noise;
        let [a, b] = section.half;
        let side = x.abs();
        let lumbar = smooth_step(18.0, 23.0, section.level);
        let psoas =
            ellipse(side - a - 3.0 - 8.0 * lumbar, y - 3.0, [5.0 + 12.0 * lumbar, 8.0 + 14.0 * lumbar]);
        let square = ellipse(side - a - 28.0, y - b - 8.0, [6.0 + 12.0 * lumbar, 9.0]);
        let long = ellipse(side - 32.0, y - b - 34.0, [31.0, 19.0]);
        let deep = ellipse(side - 10.0, y - b - 33.0, [16.0, 20.0]);
        let d = psoas.min(square).min(long).min(deep) + 1.3 * wave;
        let streaks = smooth_step(1.2 - 1.4 * self.infiltration, 2.0, streak + 0.6 * wave);
        let lean = self.muscle_hu + 4.0 * streak;
        let fatty = if y > b { 0.75 * streaks } else { 0.2 * streaks };
        // The side wall of the trunk bends in towards the back and meets the muscles there.
        let bend = 0.012 * (y - b).max(0.0).powi(2);
        let wall = coverage((side + bend - 92.0).abs() - 8.0 + 2.0 * wave, 1.5) * smooth_step(62.0, 58.0, y);
        let share = coverage(d, 1.5).max(0.9 * wall);
        mix(under, mix(lean, self.fat_hu, fatty), share)
    }

    fn vessels(&self, under: f32, [x, y]: [f32; 2], section: &Section, noise: (f32, f32)) -> f32 {
        let (wave, patch) = noise;
        let mut hu = under;
        let tube = |vessel: &Vessel| {
            let meander = 2.0 * (section.z / 37.0).sin();
            let ahead = section.half[1] + vessel.ahead;
            ellipse(x - vessel.left - meander, y + ahead, [vessel.radius, vessel.radius * 0.94])
        };
        let prevertebral = superellipse(x, y, [section.half[0] + 2.5, section.half[1] + 3.0]);
        hu = mix(hu, self.fat_hu + 10.0, coverage(prevertebral, 2.0));
        let (aorta, cava) = (tube(&self.aorta), tube(&self.cava));
        hu = mix(hu, self.fat_hu, coverage(aorta.min(cava) - 2.5, 2.0));
        hu = mix(hu, self.blood_hu * 0.9, coverage(cava + 0.8 * wave, 1.0));
        hu = mix(hu, self.blood_hu, coverage(aorta, 1.0));
        if self.calcified {
            let plaque = smooth_step(0.9, 1.3, patch + 0.5 * wave) * coverage((aorta + 0.6).abs() - 0.7, 1.0);
            hu = mix(hu, 650.0, plaque);
        }
        hu
    }

    /// Epidural fat with the thecal sac in it, and fat in the foramina.
    fn canal(&self, under: f32, [x, y]: [f32; 2], section: &Section) -> f32 {
        let [a, b] = section.half;
        let behind = y - b - 9.0;
        let room = ellipse(x, behind - 1.0, [13.5, 10.5]);
        let foramen = ellipse(x.abs() - 0.72 * a, behind + 1.0, [8.0, 7.0]);
        let mut hu = mix(under, self.fat_hu + 15.0, coverage(room.min(foramen), 1.0));
        hu = mix(hu, self.sac_hu, coverage(ellipse(x, behind, [9.5, 7.4]), 1.0));
        let cord = smooth_step(20.5, 19.5, section.level) * coverage(ellipse(x, behind, [5.0, 3.8]), 1.0);
        mix(hu, self.sac_hu + 18.0, cord)
    }

    /// Disc between two vertebrae at a position: its density and how much of the voxel it fills.
    pub fn disc(&self, p: Vec3, section: &Section, (lower, upper): (&Vertebra, &Vertebra)) -> (f32, f32) {
        let (x, y) = (p[0] - section.centre[0], p[1] - section.centre[1]);
        let side = superellipse(x, y, [section.half[0] + 0.6, section.half[1] + 0.6]);
        if side > 1.0 {
            return (0.0, 0.0);
        }
        let above = lower.pose.local(p)[2] - rim(lower, 0);
        let below = -upper.pose.local(p)[2] - rim(upper, 1);
        let share = coverage(side.max(-above - 4.0).max(-below - 4.0), 1.0);
        let ring = smooth_step(-9.0, -2.0, side);
        let mut hu = self.disc_hu + 18.0 * ring;
        if lower.vacuum {
            let lens = ellipse(x - 0.4 * self.aorta.left, y + 2.0, [13.0, 8.0]);
            let thick = (0.25 * -lens).clamp(0.0, 1.1) + 0.25 * ((0.7 * x).sin() + (0.9 * y).sin());
            let middle = (above - below).abs() / 2.0 - thick;
            hu = mix(hu, -650.0, coverage(lens.max(middle), 1.0));
        }
        (hu, share)
    }
}

/// Height of a plate over the vertebra's middle from which on a disc can fill; a broken plate may be
/// anywhere.
fn rim(vertebra: &Vertebra, plate: usize) -> f32 {
    if vertebra.body.damage.is_some() { 0.0 } else { vertebra.body.rests()[plate] }
}
