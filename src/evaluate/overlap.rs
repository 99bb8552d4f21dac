//! Overlap of a mask with its truth: DSC and IoU, of the fracture and of fracture and background.

use serde::{Deserialize, Serialize};

/// Voxel counts of one volume, of one slice, or of many pooled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// In the mask and in the truth.
    pub both: u64,
    /// In the mask.
    pub found: u64,
    /// In the truth.
    pub truth: u64,
    /// All voxels, background included.
    pub all: u64,
}

impl Overlap {
    /// Counts two masks voxel by voxel; both lie on one grid.
    pub fn of(found: &[u8], truth: &[u8]) -> Self {
        found.iter().zip(truth).fold(Self::default(), |mut sum, (f, t)| {
            sum.add(*f != 0, *t != 0);
            sum
        })
    }

    /// Counts one more voxel.
    pub fn add(&mut self, found: bool, truth: bool) {
        self.both += u64::from(found && truth);
        self.found += u64::from(found);
        self.truth += u64::from(truth);
        self.all += 1;
    }

    /// Dice similarity coefficient of the fracture, `2|A∩B| / (|A|+|B|)`; `None` when both are empty.
    pub fn dsc(&self) -> Option<f64> {
        let total = self.found + self.truth;
        (total > 0).then(|| 2.0 * self.both as f64 / total as f64)
    }

    /// Intersection over union of the fracture, `|A∩B| / |A∪B|`; `None` when both are empty. Always
    /// DSC / (2 − DSC), and so never above DSC.
    pub fn iou(&self) -> Option<f64> {
        let union = self.found + self.truth - self.both;
        (union > 0).then(|| self.both as f64 / union as f64)
    }

    /// Mean DSC of the two classes fracture and background; `None` when a class is empty in both.
    pub fn dsc_2class(&self) -> Option<f64> {
        Some(f64::midpoint(self.dsc()?, self.background().dsc()?))
    }

    /// Mean IoU of the two classes fracture and background; `None` when a class is empty in both. Most
    /// of a CT is background, so this lies far above the fracture's own IoU.
    pub fn iou_2class(&self) -> Option<f64> {
        Some(f64::midpoint(self.iou()?, self.background().iou()?))
    }

    /// The same counts with the roles of fracture and background exchanged.
    fn background(&self) -> Self {
        Self {
            both: self.all + self.both - self.found - self.truth,
            found: self.all - self.found,
            truth: self.all - self.truth,
            all: self.all,
        }
    }
}

impl std::ops::AddAssign for Overlap {
    fn add_assign(&mut self, other: Self) {
        self.both += other.both;
        self.found += other.found;
        self.truth += other.truth;
        self.all += other.all;
    }
}

impl std::iter::Sum for Overlap {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, part| {
            sum += part;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_follows_from_dsc() {
        let overlap = Overlap::of(&[1, 1, 1, 0, 0, 0], &[0, 1, 1, 1, 1, 0]);
        assert_eq!(overlap, Overlap { both: 2, found: 3, truth: 4, all: 6 });
        let (dsc, iou) = (overlap.dsc().unwrap(), overlap.iou().unwrap());
        assert!((dsc - 4.0 / 7.0).abs() < 1e-15);
        assert!((iou - dsc / (2.0 - dsc)).abs() < 1e-15);
        assert_eq!(Overlap::of(&[0; 3], &[0; 3]).dsc(), None);
    }

    #[test]
    fn background_lifts_the_mean_iou_above_the_fracture_s_dsc() {
        // 1,000 voxels, 10 of them fracture, 8 of those found, 2 more found wrongly.
        let overlap = Overlap { both: 8, found: 10, truth: 10, all: 1000 };
        assert_eq!(overlap.dsc(), Some(0.8));
        let two = overlap.iou_2class().unwrap();
        assert!((two - f64::midpoint(8.0 / 12.0, 988.0 / 992.0)).abs() < 1e-15);
        assert!(two > 0.8 && two < overlap.dsc_2class().unwrap());
    }
}
