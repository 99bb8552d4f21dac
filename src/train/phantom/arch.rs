//! The posterior elements: pedicles, articular processes, laminae, spinous and transverse processes.

use super::fracture::Site;
use super::random::{NoiseBlock, Stream};
use super::shape::{Strut, Vec3, smooth_min};

/// What the posterior elements are fitted to, in the body's coordinates.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Half width and half depth of the body.
    pub half: [f32; 2],
    /// Height of the body, as compressed.
    pub height: f32,
    /// Height of the middle of what is left of it over the body's origin.
    pub lift: f32,
    /// Height of the disc above.
    pub disc: f32,
    /// 0 for T9 and above, 1 for L3 and below: how lumbar the shape is.
    pub lumbar: f32,
    /// Size of the facet joints over that of healthy ones.
    pub swelling: f32,
}

/// Posterior elements of one vertebra. The paired struts are given for the left and mirrored.
#[derive(Debug, Clone, PartialEq)]
pub struct Arch {
    struts: [(Part, Strut); 7],
    widening_mm: f32,
    noise_shift: Vec3,
    low: Vec3,
    high: Vec3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Pedicle,
    Superior,
    Pars,
    Inferior,
    Lamina,
    Transverse,
    Spinous,
}

/// Distance by which the surface waves.
const WAVE_MM: f32 = 0.7;

impl Arch {
    /// Draws the posterior elements that fit a body.
    pub fn draw(stream: &mut Stream, frame: &Frame, widening_mm: f32) -> Self {
        let Frame { half: [a, b], height: h, disc, lumbar, swelling, .. } = *frame;
        let mut vary = |value: f32, share: f32| value * (1.0 + stream.around(share));
        let pedicle = vary(3.4 + 0.9 * lumbar, 0.12);
        let span = vary(a * 0.69, 0.04);
        let root = [span, b - 3.5, 0.20 * h];
        let corner = [span + 1.0, b + 11.0, 0.17 * h];
        let facet = vary(0.80 * a, 0.03);
        let above = h / 2.0 + disc * 0.5;
        let superior = [facet + 1.0, b + 12.8, above + 2.5];
        let isthmus = [span - 0.5, b + 16.0, -0.16 * h];
        let inferior = [facet - 5.0, b + 18.0, -h / 2.0 - disc * 0.62];
        let roof = [0.0, b + 24.0, -0.18 * h];
        let back = vary(23.0 + 3.0 * lumbar, 0.12);
        let drop = vary(14.0 - 10.0 * lumbar, 0.25);
        let tip = [0.0, roof[1] + back, roof[2] - drop];
        let wing = vary(a * 0.82, 0.15) * (0.45 + 0.55 * lumbar);
        let wing_tip = [span + 4.0 + wing, b + 14.0 + 6.0 * (1.0 - lumbar), 0.17 * h + 1.0];
        let strut = |a, b, half_height, radius| Strut { a, b, half_height, radius };
        let struts = [
            (Part::Pedicle, strut(root, corner, 0.12 * h, [pedicle, pedicle])),
            (Part::Superior, strut(corner, superior, 1.0, [4.6, 3.3 * swelling])),
            (Part::Pars, strut(corner, isthmus, 1.5, [4.6, 3.6])),
            (Part::Inferior, strut(isthmus, inferior, 1.5, [3.7, 3.3 * swelling])),
            (Part::Lamina, strut(isthmus, roof, 0.20 * h, [3.2, 2.9])),
            (Part::Transverse, strut([span + 3.0, b + 12.0, 0.15 * h], wing_tip, 2.0, [3.6, 2.8])),
            (Part::Spinous, strut(roof, tip, 0.12 * h + 4.0 * lumbar, [2.7, 3.3])),
        ];
        let struts = struts.map(|(part, strut)| (part, strut.lifted(frame.lift)));
        let noise_shift = [stream.around(30.0), stream.around(30.0), stream.around(30.0)];
        let (low, high) = bounds(&struts);
        Self { struts, widening_mm, noise_shift, low, high }
    }

    /// Least and greatest corner of the box around everything, both sides.
    pub fn bounds(&self) -> (Vec3, Vec3) {
        (
            [-self.high[0] - self.widening_mm, self.low[1], self.low[2]],
            [self.high[0] + self.widening_mm, self.high[1], self.high[2]],
        )
    }

    /// Signed distance.
    pub fn distance(&self, p: Vec3, noise: &NoiseBlock) -> f32 {
        let shifted = [0, 1, 2].map(|n| p[n] + self.noise_shift[n]);
        let wave = WAVE_MM * noise.at(shifted, 4.0);
        let away = p[0].abs();
        let widened = (away - self.widening_mm / 2.0 * (away / 10.0).min(1.0)).max(0.0);
        let half = [widened, p[1] + 0.5 * wave, p[2] + wave];
        let (_, first) = self.struts[0];
        let joined = self.struts[1..]
            .iter()
            .fold(first.distance(half), |d, (_, strut)| smooth_min(d, strut.distance(half), 3.0));
        joined + 0.3 * wave
    }

    /// Where a fracture of a part would cross it on the left, and the direction of the part there.
    pub fn crossing(&self, site: Site) -> (Vec3, Vec3) {
        let (part, share) = match site {
            Site::Pedicle | Site::Body => (Part::Pedicle, 0.62),
            Site::Pars => (Part::Inferior, 0.12),
            Site::Lamina => (Part::Lamina, 0.5),
            Site::SpinousProcess => (Part::Spinous, 0.45),
            Site::TransverseProcess => (Part::Transverse, 0.45),
        };
        let strut = self.struts.iter().find(|(p, _)| *p == part).map_or(self.struts[0].1, |(_, s)| *s);
        let along = [0, 1, 2].map(|n| strut.b[n] - strut.a[n]);
        (strut.at(share), along)
    }
}

fn bounds(struts: &[(Part, Strut)]) -> (Vec3, Vec3) {
    let mut low = [f32::INFINITY; 3];
    let mut high = [f32::NEG_INFINITY; 3];
    for (_, strut) in struts {
        for end in [strut.a, strut.b] {
            for axis in 0..3 {
                let up = if axis == 2 { strut.half_height } else { 0.0 };
                let margin = strut.radius[0].max(strut.radius[1]) + up + 3.0;
                low[axis] = low[axis].min(end[axis] - margin);
                high[axis] = high[axis].max(end[axis] + margin);
            }
        }
    }
    (low, high)
}
