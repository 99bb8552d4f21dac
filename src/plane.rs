//! How a volume is cut into slices, for the network as for pictures.

use serde::{Deserialize, Serialize};

/// The slicing plane of a volume whose axes run Left (i), Posterior (j), Superior (k).
///
/// | plane | slice | rows go down along | columns go right along |
/// |---|---|---|---|
/// | axial | k | j (anterior → posterior) | i (right → left) |
/// | sagittal | i | k, backwards (superior → inferior) | j (anterior → posterior) |
/// | coronal | j | k, backwards (superior → inferior) | i (right → left) |
///
/// Training, inference and overlays all cut with this type, so they cannot disagree on orientation. Voxels are
/// plain slices with their size along i, j, k; i varies fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// Across the body.
    Axial,
    /// Along the midline.
    Sagittal,
    /// Parallel to the front.
    Coronal,
}

impl Plane {
    /// How many slices a volume has.
    pub fn slice_count(self, size: [usize; 3]) -> usize {
        self.slice_of(size)
    }

    /// Lower-case name, as configurations and pictures have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Axial => "axial",
            Self::Sagittal => "sagittal",
            Self::Coronal => "coronal",
        }
    }

    /// The volume's axes down the rows and along the columns of a slice.
    pub fn axes(self) -> [usize; 2] {
        match self {
            Self::Axial => [1, 0],
            Self::Sagittal => [2, 1],
            Self::Coronal => [2, 0],
        }
    }

    /// The volume's axis across the slices.
    pub fn normal(self) -> usize {
        match self {
            Self::Axial => 2,
            Self::Sagittal => 0,
            Self::Coronal => 1,
        }
    }

    /// The slice that a voxel lies in.
    pub fn slice_of(self, [i, j, k]: [usize; 3]) -> usize {
        match self {
            Self::Axial => k,
            Self::Sagittal => i,
            Self::Coronal => j,
        }
    }

    /// A slice with its neighbours, in their order; beyond an end of the volume its last slice repeats.
    pub fn around(self, size: [usize; 3], slice: usize, neighbours: usize) -> impl Iterator<Item = usize> {
        let last = self.slice_count(size) - 1;
        (0..=2 * neighbours).map(move |n| (slice + n).saturating_sub(neighbours).min(last))
    }

    /// Rows and columns of a slice.
    pub fn slice_size(self, size: [usize; 3]) -> [usize; 2] {
        self.axes().map(|axis| size[axis])
    }

    /// The voxel (i, j, k) under a slice's pixel.
    pub fn voxel(self, size: [usize; 3], slice: usize, [row, column]: [usize; 2]) -> [usize; 3] {
        match self {
            Self::Axial => [column, row, slice],
            Self::Sagittal => [slice, column, size[2] - 1 - row],
            Self::Coronal => [column, slice, size[2] - 1 - row],
        }
    }

    /// Copies a slice out, row by row.
    ///
    /// # Panics
    /// When `voxels` is not a volume of `size`, or `slice` is not one of its slices.
    pub fn extract<T: Copy>(self, voxels: &[T], size: [usize; 3], slice: usize) -> Vec<T> {
        let [rows, columns] = self.slice_size(size);
        let mut out = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let (start, step) = self.line(size, slice, row);
            out.extend((0..columns).map(|column| voxels[start + column * step]));
        }
        out
    }

    /// Puts a slice back where [`Plane::extract`] takes it from.
    ///
    /// # Panics
    /// As [`Plane::extract`], and when `pixels` is shorter than the slice.
    pub fn insert<T: Copy>(self, pixels: &[T], voxels: &mut [T], size: [usize; 3], slice: usize) {
        let [rows, columns] = self.slice_size(size);
        for row in 0..rows {
            let (start, step) = self.line(size, slice, row);
            for (column, pixel) in pixels[row * columns..(row + 1) * columns].iter().enumerate() {
                voxels[start + column * step] = *pixel;
            }
        }
    }

    /// Memory place of a row's first pixel, and the distance between its pixels.
    fn line(self, size: [usize; 3], slice: usize, row: usize) -> (usize, usize) {
        let [i, j, k] = self.voxel(size, slice, [row, 0]);
        let step = if self == Self::Sagittal { size[0] } else { 1 };
        ((k * size[1] + j) * size[0] + i, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 3] = [4, 3, 2];

    #[test]
    fn slices_show_the_head_up_and_the_front_up_or_left() {
        let voxels: Vec<usize> = (0..24).collect();
        let at = |i: usize, j: usize, k: usize| (k * 3 + j) * 4 + i;
        assert_eq!(Plane::Axial.extract(&voxels, SIZE, 1), (12..24).collect::<Vec<_>>());
        let sagittal = [at(2, 0, 1), at(2, 1, 1), at(2, 2, 1), at(2, 0, 0), at(2, 1, 0), at(2, 2, 0)];
        assert_eq!(Plane::Sagittal.extract(&voxels, SIZE, 2), sagittal);
        let coronal: Vec<usize> = [1, 0].into_iter().flat_map(|k| (0..4).map(move |i| at(i, 1, k))).collect();
        assert_eq!(Plane::Coronal.extract(&voxels, SIZE, 1), coronal);
    }

    #[test]
    fn neighbours_end_with_the_volume() {
        let around = |slice, n| Plane::Sagittal.around(SIZE, slice, n).collect::<Vec<_>>();
        assert_eq!(around(0, 2), [0, 0, 0, 1, 2]);
        assert_eq!(around(2, 1), [1, 2, 3]);
        assert_eq!(around(3, 2), [1, 2, 3, 3, 3]);
        assert_eq!(around(1, 0), [1]);
    }

    #[test]
    fn inserting_all_slices_rebuilds_the_volume() {
        let voxels: Vec<u32> = (0..24).collect();
        for plane in [Plane::Axial, Plane::Sagittal, Plane::Coronal] {
            let mut back = vec![99; 24];
            for slice in 0..plane.slice_count(SIZE) {
                plane.insert(&plane.extract(&voxels, SIZE, slice), &mut back, SIZE, slice);
            }
            assert_eq!(back, voxels, "{plane:?}");
        }
    }
}
