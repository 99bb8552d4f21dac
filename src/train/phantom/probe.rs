//! What a vertebra is at a point: how much of the voxel it fills, its density and its labels.

use super::body::BodySample;
use super::fracture::{Plane, Site};
use super::random::NoiseBlock;
use super::shape::{Vec3, coverage, mix, slab, smooth_min, smooth_step, sub};
use super::vertebra::Vertebra;

/// A linear fracture is labelled this far beyond each side of its gap.
pub const LINEAR_MARGIN_MM: f32 = 2.0;
/// Compression makes cancellous bone at most this much denser.
const DENSEST: f32 = 1.8;
/// Cancellous bone of the posterior elements is denser than that of the body.
const ARCH_DENSITY: f32 = 1.25;

/// A vertebra at a point.
#[derive(Debug, Clone, Copy)]
pub struct Bone {
    /// Signed distance to its outline.
    pub d: f32,
    /// Share of the voxel that it fills.
    pub cover: f32,
    /// Density of that share.
    pub hu: f32,
    /// Labelled as fracture.
    pub fracture: bool,
    /// In a fracture gap.
    pub gap: bool,
}

/// The smooth noise and the voxel's width, which every probe needs.
#[derive(Clone, Copy)]
pub struct Probe<'a> {
    /// Noise block of the phantom.
    pub noise: &'a NoiseBlock,
    /// Width over which surfaces are averaged.
    pub width_mm: f32,
}

struct Outline {
    body: Option<BodySample>,
    d_body: f32,
    d: f32,
    local: Vec3,
}

impl Probe<'_> {
    /// The vertebra at an LPS position; none where it fills nothing of the voxel.
    pub fn at(&self, vertebra: &Vertebra, p: Vec3) -> Option<Bone> {
        let local = vertebra.pose.local(p);
        let outline = self.outline(vertebra, local)?;
        let cover = coverage(outline.d, self.width_mm);
        if cover <= 0.0 {
            return None;
        }
        let hu = self.density(vertebra, &outline, cover);
        let mut bone = Bone { d: outline.d, cover, hu, fracture: false, gap: false };
        self.mark(vertebra, &outline, &mut bone);
        Some(bone)
    }

    fn outline(&self, vertebra: &Vertebra, local: Vec3) -> Option<Outline> {
        let reach = vertebra.body.reach_mm();
        let near_body = local.iter().map(|v| v * v).sum::<f32>() < reach * reach;
        let (low, high) = vertebra.arch.bounds();
        let near_arch = (0..3).all(|n| local[n] > low[n] && local[n] < high[n]);
        if !near_body && !near_arch {
            return None;
        }
        let [in_body, in_arch] = self.before_shift(vertebra, local);
        let body = near_body.then(|| vertebra.body.sample(in_body, self.noise));
        let d_body = body.map_or(f32::INFINITY, |sample| sample.d);
        let d_arch = if near_arch { vertebra.arch.distance(in_arch, self.noise) } else { f32::INFINITY };
        let d = match (near_body, near_arch) {
            (true, true) => smooth_min(d_body, d_arch, 2.5),
            _ => d_body.min(d_arch),
        };
        Some(Outline { body, d_body, d, local })
    }

    /// Where the body's and the posterior elements' matter was before a linear fracture moved it.
    fn before_shift(&self, vertebra: &Vertebra, local: Vec3) -> [Vec3; 2] {
        let mut places = [local; 2];
        for (site, plane) in planes(vertebra) {
            if plane.shift != [0.0; 3] && self.along(plane, local).is_some_and(|d| d > 0.0) {
                places[usize::from(site != Site::Body)] = sub(local, plane.shift);
            }
        }
        places
    }

    /// Signed distance to the uneven plane; none beyond its reach.
    fn along(&self, plane: &Plane, local: Vec3) -> Option<f32> {
        let d = plane.distance(local);
        d.is_finite().then(|| d + plane.rough_mm * self.noise.at(local, 3.0))
    }

    fn density(&self, vertebra: &Vertebra, outline: &Outline, cover: f32) -> f32 {
        let in_body = outline.d_body < 0.0 && outline.body.is_some();
        let origin = outline.body.filter(|_| in_body).map_or(outline.local, |sample| sample.origin);
        let grain = [0, 1, 2].map(|n| origin[n] + vertebra.body.noise_shift[n]);
        let fine = self.noise.at([grain[0], grain[1], grain[2] / vertebra.grain], 0.75);
        let coarse = self.noise.at(grain, 3.5);
        let thickness = cortex_mm(vertebra, outline.body.filter(|_| in_body), coarse);
        let inner = coverage(outline.d + thickness, self.width_mm);
        let mut core = vertebra.cancellous_hu * (1.0 + vertebra.texture * fine + 0.07 * coarse);
        match outline.body.filter(|_| in_body) {
            Some(sample) => {
                core *= sample.squeeze.min(DENSEST);
                core += vertebra.body.impaction_hu(&sample) - vein_hu(vertebra, sample.origin);
                core = vertebra.degeneration.density(core, sample.origin, sample.under, self.noise);
            }
            None => core *= ARCH_DENSITY,
        }
        let cortex = vertebra.cortex_hu * (1.0 + 0.10 * coarse);
        mix(cortex, core, (inner / cover).min(1.0))
    }

    /// Puts gaps into the density and the labels onto the voxel.
    fn mark(&self, vertebra: &Vertebra, outline: &Outline, bone: &mut Bone) {
        let Some(fracture) = &vertebra.fracture else { return };
        let inside = outline.d <= 0.0;
        let in_body = outline.d_body <= 0.0;
        if fracture.damage.is_some() {
            bone.fracture = in_body;
        }
        for (site, plane) in planes(vertebra) {
            let Some(d) = self.along(plane, outline.local) else { continue };
            if (site == Site::Body) != in_body {
                continue;
            }
            let share = slab(d, plane.gap_mm, self.width_mm);
            bone.hu = mix(bone.hu, plane.gap_hu, share);
            bone.gap |= inside && share >= 0.5;
            if fracture.damage.is_none() {
                bone.fracture |= inside && d.abs() <= plane.gap_mm / 2.0 + LINEAR_MARGIN_MM;
            }
        }
    }
}

fn planes(vertebra: &Vertebra) -> impl Iterator<Item = (Site, &Plane)> {
    vertebra.fracture.iter().flat_map(|f| f.planes.iter().map(|plane| (f.site, plane)))
}

/// How much the basivertebral vein lowers the density: a cleft from the back wall at mid-height.
fn vein_hu(vertebra: &Vertebra, p: Vec3) -> f32 {
    let body = &vertebra.body;
    if body.basivertebral_hu == 0.0 || p[2].abs() > 6.0 {
        return 0.0;
    }
    let back = smooth_step(-0.1, 0.8, p[1] / body.half[1]);
    let wide = 0.12 * body.half[0] + 0.25 * (p[1] + 0.1 * body.half[1]).max(0.0);
    body.basivertebral_hu * back * (-(p[2] / 1.7).powi(2) - (p[0] / wide).powi(2)).exp()
}

/// Thickness of the cortex: endplates are thicker than the walls of a body, and none is even.
fn cortex_mm(vertebra: &Vertebra, body: Option<BodySample>, coarse: f32) -> f32 {
    let uneven = (1.0 + 0.35 * coarse).clamp(0.4, 1.8);
    let Some(sample) = body else { return vertebra.shell_mm[1] * uneven };
    let plate = sample.under[0].min(sample.under[1]);
    vertebra.shell_mm[0] * uneven * mix(1.25, 0.7, smooth_step(1.5, 3.5, plate))
}
