//! What is true of a phantom: its levels and fractures, measured on the masks that go with it.

use serde::{Deserialize, Serialize};

use super::fracture::{FractureKind, Site, genant_grade};
use super::vertebra::Vertebra;
use crate::volume::Volume;

/// Truth about one phantom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Seed of the set.
    pub seed: u64,
    /// Place in the set.
    pub index: u64,
    /// Levels with at least one voxel, from the lowest up.
    pub levels: Vec<LevelTruth>,
}

/// Truth about one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelTruth {
    /// "T12", "L1", …
    pub name: String,
    /// Value in the vertebra labelmap (VerSe's numbers: T12 = 19, L1 = 20).
    pub id: u8,
    /// Middle of the body before any damage, LPS mm.
    pub center_lps: [f64; 3],
    /// Its fracture.
    pub fracture: Option<FractureTruth>,
}

/// Truth about one fracture; sizes are those of its voxels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FractureTruth {
    /// Kind.
    pub kind: FractureKind,
    /// Broken part.
    pub site: Site,
    /// Genant's grade 0–3; 0 for linear fractures.
    pub grade: u8,
    /// Greatest loss of height, 0–1; 0 for linear fractures.
    pub height_loss: f64,
    /// Volume of the labelled voxels.
    pub volume_mm3: f64,
    /// Their mean position.
    pub centroid_lps: [f64; 3],
    /// Least and greatest position of their centres.
    pub box_lps: [[f64; 3]; 2],
}

impl Truth {
    /// The fractures with their levels.
    pub fn fractures(&self) -> impl Iterator<Item = (&LevelTruth, &FractureTruth)> {
        self.levels.iter().filter_map(|level| Some((level, level.fracture.as_ref()?)))
    }
}

#[derive(Clone, Copy)]
struct Extent {
    bone: u64,
    count: u64,
    sum: [f64; 3],
    low: [usize; 3],
    high: [usize; 3],
}

const NOTHING: Extent = Extent { bone: 0, count: 0, sum: [0.0; 3], low: [usize::MAX; 3], high: [0; 3] };

/// Measures the truth of every level that has voxels.
pub fn measure(vertebrae: &[Vertebra], levels: &Volume<u8>, fracture: &Volume<u8>) -> Vec<LevelTruth> {
    let extents = extents(levels, fracture);
    let present = vertebrae.iter().filter(|v| extents[usize::from(v.level.id)].bone > 0);
    present
        .map(|vertebra| LevelTruth {
            name: vertebra.level.name(),
            id: vertebra.level.id,
            center_lps: vertebra.pose.centre.map(f64::from),
            fracture: fracture_truth(vertebra, &extents[usize::from(vertebra.level.id)], fracture),
        })
        .collect()
}

fn extents(levels: &Volume<u8>, fracture: &Volume<u8>) -> Vec<Extent> {
    let mut extents = vec![NOTHING; 256];
    let [nx, ny, _] = levels.grid().size();
    for (n, (level, broken)) in levels.voxels().iter().zip(fracture.voxels()).enumerate() {
        if *level == 0 {
            continue;
        }
        let extent = &mut extents[usize::from(*level)];
        extent.bone += 1;
        if *broken == 0 {
            continue;
        }
        extent.count += 1;
        for (axis, place) in [n % nx, n / nx % ny, n / (nx * ny)].into_iter().enumerate() {
            extent.sum[axis] += place as f64;
            extent.low[axis] = extent.low[axis].min(place);
            extent.high[axis] = extent.high[axis].max(place);
        }
    }
    extents
}

fn fracture_truth(vertebra: &Vertebra, extent: &Extent, mask: &Volume<u8>) -> Option<FractureTruth> {
    let fracture = vertebra.fracture.as_ref().filter(|_| extent.count > 0)?;
    let grid = mask.grid();
    let loss = fracture.damage.map_or(0.0, |damage| damage.loss);
    let corner = |place: [usize; 3]| grid.position_lps(place.map(|v| v as f64));
    Some(FractureTruth {
        kind: fracture.kind,
        site: fracture.site,
        grade: genant_grade(loss),
        height_loss: f64::from(loss),
        volume_mm3: extent.count as f64 * grid.voxel_mm3(),
        centroid_lps: grid.position_lps(extent.sum.map(|v| v / extent.count as f64)),
        box_lps: [corner(extent.low), corner(extent.high)],
    })
}
