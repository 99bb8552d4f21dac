//! Distances to simple shapes, in mm, negative inside, and how much of a voxel they fill.

/// A point or vector in mm.
pub type Vec3 = [f32; 3];

/// a + b.
pub fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// a − b.
pub fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// a · factor.
pub fn scale(a: Vec3, factor: f32) -> Vec3 {
    [a[0] * factor, a[1] * factor, a[2] * factor]
}

/// Scalar product.
pub fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
pub fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Length.
pub fn length(a: Vec3) -> f32 {
    dot(a, a).sqrt()
}

/// Unit vector; the zero vector stays zero.
pub fn unit(a: Vec3) -> Vec3 {
    scale(a, 1.0 / length(a).max(1e-9))
}

/// Share of a voxel `width_mm` wide that lies inside a surface at signed distance `d`: exact for a
/// plane parallel to the voxel's face, which is why surfaces need no supersampling.
pub fn coverage(d: f32, width_mm: f32) -> f32 {
    (0.5 - d / width_mm).clamp(0.0, 1.0)
}

/// Share of a voxel inside a slab `thick_mm` thick whose middle is at signed distance `d`.
pub fn slab(d: f32, thick_mm: f32, width_mm: f32) -> f32 {
    coverage(d - thick_mm / 2.0, width_mm) - coverage(d + thick_mm / 2.0, width_mm)
}

/// Union with a fillet of size `k`.
pub fn smooth_min(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0) / k;
    a.min(b) - h * h * k * 0.25
}

/// Intersection with a rounded edge of size `k`.
pub fn smooth_max(a: f32, b: f32, k: f32) -> f32 {
    -smooth_min(-a, -b, k)
}

/// 0 below `lo`, 1 above `hi`, smooth between.
pub fn smooth_step(lo: f32, hi: f32, v: f32) -> f32 {
    let t = ((v - lo) / (hi - lo)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// a → b by `t` in 0–1.
pub fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Distance to an axis-aligned ellipse, first order: exact on the outline.
pub fn ellipse(x: f32, y: f32, half: [f32; 2]) -> f32 {
    let (u, v) = (x / half[0], y / half[1]);
    let f = (u * u + v * v).sqrt();
    let gradient = ((u / half[0]).powi(2) + (v / half[1]).powi(2)).sqrt() / f.max(1e-6);
    (f - 1.0) / gradient.max(1e-6)
}

/// Distance to a superellipse of exponent 2.5, first order: exact on the outline.
pub fn superellipse(x: f32, y: f32, half: [f32; 2]) -> f32 {
    let (u, v) = (x.abs() / half[0], y.abs() / half[1]);
    let (gu, gv) = (u * u.sqrt(), v * v.sqrt());
    let gradient = 2.5 * ((gu / half[0]).powi(2) + (gv / half[1]).powi(2)).sqrt();
    (gu * u + gv * v - 1.0) / gradient.max(0.04)
}

/// A bar: the segment a–b, thickened upwards and downwards by `half_height` and then all round by a
/// radius that changes from end to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strut {
    /// One end.
    pub a: Vec3,
    /// Other end.
    pub b: Vec3,
    /// Half of the straight height along z.
    pub half_height: f32,
    /// Radius at `a` and at `b`.
    pub radius: [f32; 2],
}

impl Strut {
    /// Signed distance.
    pub fn distance(&self, p: Vec3) -> f32 {
        let along = sub(self.b, self.a);
        let rel = sub(p, self.a);
        let t = (dot(rel, along) / dot(along, along).max(1e-6)).clamp(0.0, 1.0);
        let mut off = sub(rel, scale(along, t));
        off[2] -= off[2].clamp(-self.half_height, self.half_height);
        length(off) - mix(self.radius[0], self.radius[1], t)
    }

    /// Moved along z.
    #[must_use]
    pub fn lifted(self, by: f32) -> Self {
        let up = [0.0, 0.0, by];
        Self { a: add(self.a, up), b: add(self.b, up), ..self }
    }

    /// The point at share `t` of the way.
    pub fn at(&self, t: f32) -> Vec3 {
        add(self.a, scale(sub(self.b, self.a), t))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_of_planes_and_slabs_is_their_volume_share() {
        assert_eq!(coverage(0.0, 1.0), 0.5);
        assert_eq!(coverage(-0.25, 1.0), 0.75);
        assert!((slab(0.0, 0.6, 1.0) - 0.6).abs() < 1e-6);
        assert_eq!(slab(3.0, 0.6, 1.0), 0.0);
    }

    #[test]
    fn distances_are_zero_on_the_outline_and_have_slope_one() {
        for shape in [ellipse, superellipse as fn(f32, f32, [f32; 2]) -> f32] {
            assert!(shape(20.0, 0.0, [20.0, 15.0]).abs() < 1e-4);
            let slope = shape(0.0, 15.1, [20.0, 15.0]) - shape(0.0, 14.9, [20.0, 15.0]);
            assert!((slope - 0.2).abs() < 0.01, "{slope}");
        }
        let strut = Strut { a: [0.0; 3], b: [10.0, 0.0, 0.0], half_height: 2.0, radius: [3.0; 2] };
        assert!((strut.distance([5.0, 0.0, 6.0]) - 1.0).abs() < 1e-5);
    }
}
