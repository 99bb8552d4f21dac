//! Planes in patient space, LPS millimetres (PS3.3 C.7.6.2).

/// A point or vector.
pub(super) type Vec3 = [f64; 3];

pub(super) fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn minus(a: Vec3, b: Vec3) -> Vec3 {
    std::array::from_fn(|n| a[n] - b[n])
}

/// `a + factor · b`.
pub(super) fn plus(a: Vec3, factor: f64, b: Vec3) -> Vec3 {
    std::array::from_fn(|n| a[n] + factor * b[n])
}

pub(super) fn norm(a: Vec3) -> f64 {
    dot(a, a).sqrt()
}

fn unit(a: Vec3) -> Vec3 {
    let length = norm(a);
    a.map(|v| v / length)
}

/// How far cosines may be from unit length and a right angle; as for [`crate::volume::Grid`].
const TOLERANCE: f64 = 1e-3;

/// Where the pixels of one slice are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    /// Image Position (Patient): centre of the first pixel.
    pub position_lps: Vec3,
    /// Image Orientation (Patient) as written: direction of the rows, then of the columns.
    pub orientation: [f64; 6],
    /// Pixel Spacing as written: between rows, then between columns.
    pub pixel_spacing_mm: [f64; 2],
    /// Slice Thickness if the instance has it.
    pub thickness_mm: Option<f64>,
}

/// Three perpendicular unit vectors: along a row (i), down a column (j), and their normal (k).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axes {
    pub row: Vec3,
    pub column: Vec3,
    pub normal: Vec3,
}

impl Plane {
    /// The axes with rounding removed, or `None` when the cosines are no right angle.
    pub(super) fn axes(&self) -> Option<Axes> {
        let [a, b, c, d, e, f] = self.orientation;
        let (row, column) = ([a, b, c], [d, e, f]);
        let wrong = |value: f64, wanted: f64| (value - wanted).abs() > TOLERANCE;
        if wrong(norm(row), 1.0) || wrong(norm(column), 1.0) || wrong(dot(row, column), 0.0) {
            return None;
        }
        let normal = unit(cross(row, column));
        let row = unit(row);
        Some(Axes { row, column: cross(normal, row), normal })
    }
}

impl Axes {
    /// Row-major 3×3 whose columns are the axes, as [`crate::volume::Grid`] wants it.
    pub(super) fn direction(&self) -> [[f64; 3]; 3] {
        std::array::from_fn(|r| [self.row[r], self.column[r], self.normal[r]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_right_handed_and_refuse_a_shear() {
        let mut plane = Plane {
            position_lps: [0.0; 3],
            orientation: [0.0, 1.0, 0.0, 0.0, 0.0, -1.0],
            pixel_spacing_mm: [1.0; 2],
            thickness_mm: None,
        };
        assert_eq!(plane.axes().unwrap().normal, [-1.0, 0.0, 0.0]);
        plane.orientation = [1.0, 0.0, 0.0, 0.1, 0.995, 0.0];
        assert_eq!(plane.axes(), None);
        plane.orientation = [0.0; 6];
        assert_eq!(plane.axes(), None);
    }
}
