//! Overlap of a mask with its truth.

use serde::Serialize;

/// Voxel counts of one volume, or of many pooled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// In the mask and in the truth.
    pub both: u64,
    /// In the mask.
    pub found: u64,
    /// In the truth.
    pub truth: u64,
}

impl Overlap {
    /// Counts two masks voxel by voxel; both lie on one grid.
    pub fn of(found: &[u8], truth: &[u8]) -> Self {
        let mut overlap = Self::default();
        for (f, t) in found.iter().zip(truth) {
            overlap.both += u64::from(*f != 0 && *t != 0);
            overlap.found += u64::from(*f != 0);
            overlap.truth += u64::from(*t != 0);
        }
        overlap
    }

    /// Dice similarity coefficient, `2|A∩B| / (|A|+|B|)`; `None` when both are empty.
    pub fn dsc(&self) -> Option<f64> {
        let total = self.found + self.truth;
        (total > 0).then(|| 2.0 * self.both as f64 / total as f64)
    }

    /// Intersection over union, `|A∩B| / |A∪B|`; `None` when both are empty. Always DSC / (2 − DSC).
    pub fn iou(&self) -> Option<f64> {
        let union = self.found + self.truth - self.both;
        (union > 0).then(|| self.both as f64 / union as f64)
    }
}

impl std::ops::AddAssign for Overlap {
    fn add_assign(&mut self, other: Self) {
        self.both += other.both;
        self.found += other.found;
        self.truth += other.truth;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_follows_from_dsc() {
        let overlap = Overlap::of(&[1, 1, 1, 0, 0, 0], &[0, 1, 1, 1, 1, 0]);
        assert_eq!(overlap, Overlap { both: 2, found: 3, truth: 4 });
        let (dsc, iou) = (overlap.dsc().unwrap(), overlap.iou().unwrap());
        assert!((dsc - 4.0 / 7.0).abs() < 1e-15);
        assert!((iou - dsc / (2.0 - dsc)).abs() < 1e-15);
        assert_eq!(Overlap::of(&[0; 3], &[0; 3]).dsc(), None);
    }
}
