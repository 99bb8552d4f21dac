//! Voxels on a grid in patient space.
//!
//! Inside spinefx every position is LPS millimetres (x to the patient's Left, y to Posterior, z to
//! Superior), as in DICOM and ITK; RAS appears only where a file or a viewer demands it, and then in
//! the name. A voxel's position is that of its *centre*:
//!
//! `p = origin_lps + direction · (spacing_mm ∘ index)` (DICOM PS3.3 C.7.6.2.1.1, ITK's convention).

use thiserror::Error;

/// How far the columns of a direction matrix may be from orthonormal. DICOM writes cosines with about
/// six decimals, so a rounded oblique plane is off by up to 1e-6 per product; 1e-3 also admits
/// scanners that round to four.
const ORTHONORMAL_TOLERANCE: f64 = 1e-3;

/// Why numbers do not describe a grid.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GridError {
    /// An axis has no voxels.
    #[error("size is {size:?}: every axis needs at least one voxel")]
    EmptyAxis {
        /// Voxels along i, j, k.
        size: [usize; 3],
    },
    /// Spacing is zero, negative or not a number.
    #[error("spacing_mm is {spacing_mm:?}: every value must be finite and greater than 0")]
    Spacing {
        /// Millimetres between voxel centres along i, j, k.
        spacing_mm: [f64; 3],
    },
    /// The origin is not finite.
    #[error("origin_lps is {origin_lps:?}: every value must be finite")]
    Origin {
        /// LPS millimetres.
        origin_lps: [f64; 3],
    },
    /// The direction holds NaN or infinity, or its columns are not orthonormal.
    #[error("direction is {direction:?}: its columns must be finite, of length 1 and perpendicular")]
    Direction {
        /// Row-major 3×3.
        direction: [[f64; 3]; 3],
    },
    /// The number of voxels disagrees with the size.
    #[error("{found} voxels for a grid of {size:?}, which needs {expected}")]
    VoxelCount {
        /// Voxels along i, j, k.
        size: [usize; 3],
        /// Product of the size.
        expected: usize,
        /// What was given.
        found: usize,
    },
}

/// A regular lattice in LPS space.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    size: [usize; 3],
    spacing_mm: [f64; 3],
    origin_lps: [f64; 3],
    direction: [[f64; 3]; 3],
}

impl Grid {
    /// Checks and keeps a lattice.
    ///
    /// * `size`: voxels along i (fastest), j, k
    /// * `spacing_mm`: distance of neighbouring centres along i, j, k
    /// * `origin_lps`: centre of voxel (0, 0, 0)
    /// * `direction`: row-major; **column** n is the unit vector of axis n
    pub fn new(
        size: [usize; 3],
        spacing_mm: [f64; 3],
        origin_lps: [f64; 3],
        direction: [[f64; 3]; 3],
    ) -> Result<Self, GridError> {
        if size.contains(&0) {
            return Err(GridError::EmptyAxis { size });
        }
        if spacing_mm.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(GridError::Spacing { spacing_mm });
        }
        if origin_lps.iter().any(|v| !v.is_finite()) {
            return Err(GridError::Origin { origin_lps });
        }
        if !is_orthonormal(&direction) {
            return Err(GridError::Direction { direction });
        }
        Ok(Self { size, spacing_mm, origin_lps, direction })
    }

    /// A grid whose axes run to the Left, Posterior and Superior from `origin_lps`.
    pub fn axis_aligned(
        size: [usize; 3],
        spacing_mm: [f64; 3],
        origin_lps: [f64; 3],
    ) -> Result<Self, GridError> {
        Self::new(size, spacing_mm, origin_lps, IDENTITY)
    }

    /// Voxels along i, j, k; i varies fastest in memory.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Millimetres between voxel centres along i, j, k.
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.spacing_mm
    }

    /// Centre of voxel (0, 0, 0), LPS millimetres.
    pub fn origin_lps(&self) -> [f64; 3] {
        self.origin_lps
    }

    /// Row-major 3×3; column n is the LPS unit vector of axis n.
    pub fn direction(&self) -> [[f64; 3]; 3] {
        self.direction
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// Never true: every axis has at least one voxel.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Volume of one voxel in mm³.
    pub fn voxel_mm3(&self) -> f64 {
        self.spacing_mm.iter().product()
    }

    /// Place of voxel (i, j, k) in memory.
    pub fn offset(&self, [i, j, k]: [usize; 3]) -> usize {
        (k * self.size[1] + j) * self.size[0] + i
    }

    /// LPS millimetres of a (fractional) voxel index.
    pub fn position_lps(&self, index: [f64; 3]) -> [f64; 3] {
        let step: [f64; 3] = std::array::from_fn(|a| index[a] * self.spacing_mm[a]);
        std::array::from_fn(|r| self.origin_lps[r] + dot(self.direction[r], step))
    }

    /// Fractional voxel index of an LPS position; the inverse of [`Grid::position_lps`].
    pub fn index_of(&self, position_lps: [f64; 3]) -> [f64; 3] {
        let from_origin: [f64; 3] = std::array::from_fn(|r| position_lps[r] - self.origin_lps[r]);
        std::array::from_fn(|a| {
            let axis: [f64; 3] = std::array::from_fn(|r| self.direction[r][a]);
            dot(axis, from_origin) / self.spacing_mm[a]
        })
    }

    /// Whether two grids put every voxel at the same place, to `tolerance_mm`.
    pub fn same_place(&self, other: &Self, tolerance_mm: f64) -> bool {
        self.size == other.size
            && (0..8).all(|corner| {
                let index = std::array::from_fn(|a| ((corner >> a) & 1) as f64 * (self.size[a] - 1) as f64);
                let (p, q) = (self.position_lps(index), other.position_lps(index));
                (0..3).all(|a| (p[a] - q[a]).abs() <= tolerance_mm)
            })
    }
}

/// One value of type `T` at every point of a [`Grid`], i fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    grid: Grid,
    voxels: Vec<T>,
}

impl<T> Volume<T> {
    /// Binds voxels to their grid; fails when there are too many or too few.
    pub fn new(grid: Grid, voxels: Vec<T>) -> Result<Self, GridError> {
        if voxels.len() != grid.len() {
            let (size, expected, found) = (grid.size, grid.len(), voxels.len());
            return Err(GridError::VoxelCount { size, expected, found });
        }
        Ok(Self { grid, voxels })
    }

    /// Where the voxels are.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The values, i fastest, then j, then k.
    pub fn voxels(&self) -> &[T] {
        &self.voxels
    }

    /// The values, to be changed in place.
    pub fn voxels_mut(&mut self) -> &mut [T] {
        &mut self.voxels
    }

    /// Gives the parts back.
    pub fn into_parts(self) -> (Grid, Vec<T>) {
        (self.grid, self.voxels)
    }

    /// The same grid with every value mapped.
    pub fn map<U>(&self, f: impl Fn(&T) -> U) -> Volume<U> {
        Volume { grid: self.grid.clone(), voxels: self.voxels.iter().map(f).collect() }
    }
}

impl<T: Clone> Volume<T> {
    /// A volume that holds one value everywhere.
    pub fn filled(grid: Grid, value: T) -> Self {
        let voxels = vec![value; grid.len()];
        Self { grid, voxels }
    }
}

impl<T: Copy> Volume<T> {
    /// Value at voxel (i, j, k).
    pub fn at(&self, index: [usize; 3]) -> T {
        self.voxels[self.grid.offset(index)]
    }
}

/// Axes to the Left, Posterior and Superior.
pub const IDENTITY: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn is_orthonormal(direction: &[[f64; 3]; 3]) -> bool {
    (0..3).all(|a| {
        (0..3).all(|b| {
            let product: f64 = (0..3).map(|r| direction[r][a] * direction[r][b]).sum();
            let wanted = if a == b { 1.0 } else { 0.0 };
            // A comparison with NaN is false, so NaN is refused here too.
            (product - wanted).abs() <= ORTHONORMAL_TOLERANCE
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oblique() -> Grid {
        let (s, c) = 0.3_f64.sin_cos();
        Grid::new(
            [4, 5, 6],
            [0.5, 0.7, 2.0],
            [-10.0, 20.0, 30.0],
            [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, -1.0]],
        )
        .unwrap()
    }

    #[test]
    fn index_and_position_are_inverse() {
        let grid = oblique();
        let back = grid.index_of(grid.position_lps([1.5, 2.0, 4.25]));
        for (found, wanted) in back.iter().zip([1.5, 2.0, 4.25]) {
            assert!((found - wanted).abs() < 1e-12);
        }
    }

    #[test]
    fn refuses_what_is_no_grid() {
        let nan = [[f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let shear = [[1.0, 0.2, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let ok = [1.0; 3];
        assert!(matches!(Grid::new([0, 1, 1], ok, [0.0; 3], IDENTITY), Err(GridError::EmptyAxis { .. })));
        assert!(matches!(
            Grid::new([1; 3], [1.0, 0.0, 1.0], [0.0; 3], IDENTITY),
            Err(GridError::Spacing { .. })
        ));
        assert!(matches!(
            Grid::new([1; 3], ok, [f64::INFINITY, 0.0, 0.0], IDENTITY),
            Err(GridError::Origin { .. })
        ));
        for direction in [nan, shear] {
            assert!(matches!(Grid::new([1; 3], ok, [0.0; 3], direction), Err(GridError::Direction { .. })));
        }
        assert!(matches!(Volume::new(oblique(), vec![0_u8; 7]), Err(GridError::VoxelCount { .. })));
    }
}
