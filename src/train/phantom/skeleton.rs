//! Bones and dense things beside the spine: ribs, sternum, shoulders, pelvis, contrast, metal.
//!
//! They are no anatomy atlas. They are there because a network that has never seen them takes a
//! shoulder for a broken vertebra.

use super::anatomy::Spine;
use super::random::{Key, NoiseBlock, Purpose, Stream};
use super::ranges::{ConfounderRanges, Ranges};
use super::shape::{Strut, Vec3, add, coverage, mix};
use super::thorax::Thorax;
use super::vertebra::{Vertebra, aged};

/// Titanium and steel reach the top of every CT's scale.
const METAL_HU: f32 = 6000.0;

/// A strut with a shell.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tube {
    strut: Strut,
    shell_mm: f32,
    shell_hu: f32,
    core_hu: f32,
}

/// All dense things beside the spine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Skeleton {
    tubes: Vec<Tube>,
}

/// What a plane meets of it.
pub struct Layer<'a>(Vec<&'a Tube>);

impl Skeleton {
    /// Draws what belongs to the levels of a spine.
    pub fn draw(key: Key, spine: &Spine, thorax: &Thorax, ranges: &Ranges) -> Self {
        let mut stream = key.stream(Purpose::Skeleton, 0);
        let stream = &mut stream;
        let mut maker = Maker {
            shell_mm: 0.7 + 1.3 * stream.unit(),
            shell_hu: spine.patient.cortex_hu * (0.8 + 0.4 * stream.unit()),
            core_hu: spine.patient.cancellous_hu * (0.5 + 1.1 * stream.unit()),
            tubes: Vec::new(),
        };
        for vertebra in spine.vertebrae.iter().filter(|v| (8..=19).contains(&v.level.id)) {
            maker.ribs(stream, vertebra, thorax);
        }
        let chest = spine.vertebrae.iter().find(|v| (9..=14).contains(&v.level.id));
        if let Some(vertebra) = chest {
            maker.sternum(stream, vertebra, thorax);
            maker.shoulders(stream, vertebra);
        }
        if let Some(sacrum) = spine.vertebrae.iter().find(|v| v.level.id >= 25) {
            maker.pelvis(stream, sacrum);
        }
        maker.strays(stream, spine.vertebrae[spine.vertebrae.len() / 2].pose.centre);
        let old = spine.patient.oldness;
        maker.metal(stream, &spine.vertebrae, &ranges.confounder, old);
        Self { tubes: maker.tubes }
    }

    /// What lies at a height.
    pub fn at_height(&self, z: f32) -> Layer<'_> {
        let meets = |t: &&Tube| {
            let reach = t.strut.half_height + t.strut.radius[0].max(t.strut.radius[1]) + 1.5;
            let (low, high) = (t.strut.a[2].min(t.strut.b[2]), t.strut.a[2].max(t.strut.b[2]));
            (low - reach..=high + reach).contains(&z)
        };
        Layer(self.tubes.iter().filter(meets).collect())
    }
}

impl Layer<'_> {
    /// Puts the layer's things into a density.
    pub fn over(&self, mut hu: f32, p: Vec3, width_mm: f32, noise: &NoiseBlock) -> f32 {
        for tube in &self.0 {
            let reach = tube.strut.radius[0].max(tube.strut.radius[1]) + 1.5;
            let (a, b) = (tube.strut.a, tube.strut.b);
            let outside = |n: usize| p[n] < a[n].min(b[n]) - reach || p[n] > a[n].max(b[n]) + reach;
            if outside(0) || outside(1) {
                continue;
            }
            let d = tube.strut.distance(p) + 0.5 * noise.at(p, 4.0);
            let cover = coverage(d, width_mm);
            if cover > 0.0 {
                let inner = (coverage(d + tube.shell_mm, width_mm) / cover).min(1.0);
                let core = tube.core_hu * (1.0 + 0.2 * noise.at(p, 0.9));
                hu = mix(hu, mix(tube.shell_hu, core, inner), cover);
            }
        }
        hu
    }
}

/// Collects tubes of one patient's bone.
struct Maker {
    shell_mm: f32,
    shell_hu: f32,
    core_hu: f32,
    tubes: Vec<Tube>,
}

impl Maker {
    fn bone(&mut self, a: Vec3, b: Vec3, half_height: f32, radius: f32) {
        let strut = Strut { a, b, half_height, radius: [radius; 2] };
        let shell_mm = self.shell_mm.min(0.7 * radius);
        self.tubes.push(Tube { strut, shell_mm, shell_hu: self.shell_hu, core_hu: self.core_hu });
    }

    /// Head at the body's back edge, tubercle at the transverse process, then round the wall.
    fn ribs(&mut self, stream: &mut Stream, vertebra: &Vertebra, thorax: &Thorax) {
        let level = f32::from(vertebra.level.id);
        let [a, b] = vertebra.body.half;
        let (radius, fall) = (2.6 + 1.2 * stream.unit(), 22.0 + 26.0 * stream.unit());
        let last = if vertebra.level.id > 17 { 0.9 } else { 2.5 };
        for side in [-1.0_f32, 1.0] {
            let local = |p: Vec3| vertebra.pose.global([side * p[0], p[1], p[2]]);
            let head = local([0.88 * a + radius, 0.75 * b + 1.0, 0.34 * vertebra.body.height]);
            let tubercle = local([a + 17.0, b + 14.0 + stream.around(2.0), 0.05 * vertebra.body.height]);
            let mut from = head;
            let mut turn = 0.42;
            let mut to = tubercle;
            while turn < last {
                self.bone(from, to, 1.8, radius);
                let [x, y] = thorax.wall(level, turn);
                from = to;
                to = local([x, y, -fall * (turn - 0.42).min(1.6) / 1.6]);
                turn += 0.22;
            }
        }
    }

    fn sternum(&mut self, stream: &mut Stream, vertebra: &Vertebra, thorax: &Thorax) {
        let [_, y] = thorax.wall(f32::from(vertebra.level.id), std::f32::consts::PI);
        let at = |x: f32| add(vertebra.pose.centre, [x, y, -20.0]);
        let half = 45.0 + 30.0 * stream.unit();
        self.bone(at(-13.0), at(13.0), half, 4.5);
    }

    /// Shoulder blades, collar bones and arms, raised or hanging.
    fn shoulders(&mut self, stream: &mut Stream, vertebra: &Vertebra) {
        let centre = vertebra.pose.centre;
        for side in [-1.0_f32, 1.0] {
            let out = 0.75 + 0.3 * stream.unit();
            let raised = stream.chance(0.5);
            let at = |x: f32, y: f32, z: f32| add(centre, [side * out * x, y, z]);
            let lift = if raised { 35.0 } else { 15.0 } + stream.around(30.0);
            let thin = 1.4 + 1.4 * stream.unit();
            self.bone(at(58.0, 52.0, lift - 30.0), at(112.0, 28.0, lift - 30.0), 42.0, thin);
            self.bone(at(66.0, 60.0, lift + 5.0), at(138.0, 30.0, lift + 24.0), 3.0, 4.5);
            let head = at(142.0, 8.0 + stream.around(14.0), lift + 12.0);
            self.bone(head, head, 0.0, 20.0 + 5.0 * stream.unit());
            let hand = if raised { at(150.0, -20.0, lift + 160.0) } else { at(165.0, 10.0, lift - 160.0) };
            self.bone(head, hand, 0.0, 10.0 + 3.0 * stream.unit());
            self.bone(
                at(18.0, -62.0, lift + 20.0),
                at(132.0, -8.0, lift + 38.0),
                0.0,
                5.0 + 2.0 * stream.unit(),
            );
        }
    }

    fn pelvis(&mut self, stream: &mut Stream, sacrum: &Vertebra) {
        let [a, b] = sacrum.body.half;
        for side in [-1.0_f32, 1.0] {
            let local = |p: Vec3| sacrum.pose.global([side * p[0], p[1], p[2]]);
            // The wing of the sacrum, the joint, and the blade of the ilium.
            self.bone(local([a - 2.0, 4.0, 0.0]), local([a + 24.0, b + 8.0, -6.0]), 9.0, 8.0);
            let joint = a + 36.0 + stream.around(3.0);
            let blade = 3.0 + 3.5 * stream.unit();
            self.bone(local([joint, b + 26.0, -8.0]), local([joint + 16.0, -8.0, 2.0]), 26.0, blade + 1.0);
            self.bone(local([joint + 16.0, -8.0, 2.0]), local([joint + 62.0, -62.0, 0.0]), 40.0, blade);
            let hip = local([joint + 38.0, -32.0, -95.0]);
            self.bone(hip, hip, 0.0, 22.0 + 4.0 * stream.unit());
        }
    }

    /// Contrast in bowel, calcified nodes and bones of no name, away from the spine.
    fn strays(&mut self, stream: &mut Stream, middle: Vec3) {
        let count = stream.below(6);
        for _ in 0..count {
            let side = stream.sign();
            let at =
                [side * (55.0 + 65.0 * stream.unit()), -75.0 + 110.0 * stream.unit(), stream.around(95.0)];
            let to = [0, 1, 2].map(|n| at[n] + stream.around(35.0));
            let radius = 2.5 + 15.0 * stream.unit() * stream.unit();
            let solid = stream.chance(0.4);
            let hu = 180.0 + 550.0 * stream.unit();
            let half_height = if stream.chance(0.3) { 25.0 * stream.unit() } else { 0.0 };
            self.bone(add(middle, at), add(middle, to), half_height, radius);
            if let (true, Some(tube)) = (solid, self.tubes.last_mut()) {
                (tube.shell_hu, tube.core_hu) = (hu, hu);
            }
        }
    }

    /// Screws through the pedicles of neighbouring levels, and rods between them.
    fn metal(&mut self, stream: &mut Stream, vertebrae: &[Vertebra], of: &ConfounderRanges, old: f32) {
        let operated = stream.chance(aged(of.metal, old));
        let first = stream.below(vertebrae.len().saturating_sub(2).max(1));
        let radius = 2.2 + 1.0 * stream.unit();
        if !operated {
            return;
        }
        for side in [-1.0_f32, 1.0] {
            let mut heads = Vec::new();
            for vertebra in vertebrae.iter().skip(first).take(2) {
                let [a, b] = vertebra.body.half;
                let h = vertebra.body.height;
                let local = |p: Vec3| vertebra.pose.global([side * p[0], p[1], p[2]]);
                let head = local([0.8 * a, b + 26.0, 0.2 * h]);
                self.solid(head, local([0.45 * a, -0.3 * b, 0.1 * h]), radius);
                heads.push(head);
            }
            if let [low, high] = heads[..] {
                self.solid(low, high, 2.8);
            }
        }
    }

    fn solid(&mut self, a: Vec3, b: Vec3, radius: f32) {
        self.bone(a, b, 0.0, radius);
        if let Some(tube) = self.tubes.last_mut() {
            (tube.shell_hu, tube.core_hu) = (METAL_HU, METAL_HU);
        }
    }
}
