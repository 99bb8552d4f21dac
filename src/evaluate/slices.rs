//! The masks slice by slice, as the paper shows and probably scored them.

use super::overlap::Overlap;
use crate::itk::{self, ItkError};
use crate::plane::Plane;
use crate::volume::Volume;
use serde::Serialize;

/// One slice of one volume, on the CT's own grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SliceScore {
    /// How it is cut.
    pub plane: Plane,
    /// Index along the plane's normal, of the volume with its axes to L, P, S.
    pub slice: usize,
    /// Its voxels.
    pub overlap: Overlap,
}

/// Scores every slice of `planes`; the masks lie on one grid.
pub fn score(found: &Volume<u8>, truth: &Volume<u8>, planes: &[Plane]) -> Result<Vec<SliceScore>, ItkError> {
    let (found, truth) = (itk::orient(found)?, itk::orient(truth)?);
    let size = truth.grid().size();
    let mut scores = Vec::new();
    for plane in planes {
        let first = scores.len();
        let [rows, columns] = plane.slice_size(size);
        let empty = Overlap { all: (rows * columns) as u64, ..Overlap::default() };
        scores.extend((0..plane.slice_count(size)).map(|slice| SliceScore {
            plane: *plane,
            slice,
            overlap: empty,
        }));
        // Most voxels are in neither mask, so only the others are looked up.
        for (n, (f, t)) in
            found.voxels().iter().zip(truth.voxels()).enumerate().filter(|(_, (f, t))| **f | **t != 0)
        {
            let slice = plane.slice_of([n % size[0], n / size[0] % size[1], n / (size[0] * size[1])]);
            let overlap = &mut scores[first + slice].overlap;
            overlap.both += u64::from(*f != 0 && *t != 0);
            overlap.found += u64::from(*f != 0);
            overlap.truth += u64::from(*t != 0);
        }
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Grid;

    #[test]
    fn every_slice_is_counted_in_its_plane() {
        let grid = Grid::axis_aligned([4, 3, 2], [1.0; 3], [0.0; 3]).unwrap();
        let mut truth = Volume::filled(grid.clone(), 0_u8);
        truth.voxels_mut()[grid.offset([1, 2, 1])] = 1;
        let mut found = truth.clone();
        found.voxels_mut()[grid.offset([3, 0, 1])] = 1;
        let scores = score(&found, &truth, &[Plane::Axial, Plane::Sagittal]).unwrap();
        assert_eq!(scores.len(), 2 + 4);
        assert_eq!(scores[1].overlap, Overlap { both: 1, found: 2, truth: 1, all: 12 });
        assert_eq!(scores[2 + 3].overlap, Overlap { both: 0, found: 1, truth: 0, all: 6 });
        assert_eq!(scores[2 + 3].slice, 3);
    }
}
