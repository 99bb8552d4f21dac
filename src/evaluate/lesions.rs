//! Fractures counted one by one, and kind by kind.
//!
//! A lesion is a 26-connected piece of the truth; its kind is that of the fracture which `truth.json` puts
//! nearest to it. Where `truth.json` says that a piece holds several fractures
//! (two crushed neighbours may touch), each of its voxels goes to the fracture with the nearest centroid. A lesion is found when the mask covers a stated share of it (`--lesion-overlap`,
//! 10 % unless said otherwise; 0 asks for one voxel). A region, a 26-connected piece of the mask, is
//! right when that share of *it* lies in the truth; else it is a false positive.
//!
//! For the DSC of a kind, a voxel of the mask counts towards the lesion whose nearest voxel is nearest
//! to it. A false positive is thus charged to the kind it lies next to.

use crate::itk::{self, Component, ItkError};
use crate::monitor::Monitor;
use crate::train::phantom::Truth;
use crate::volume::{Grid, Volume};
use serde::Serialize;

use super::nearest::Nearest;
use super::overlap::Overlap;

/// What a kind is called that nobody stated.
pub const UNKNOWN: &str = "unknown";

/// One fracture of the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lesion {
    /// `wedge`, `linear`, …, or [`UNKNOWN`].
    pub kind: String,
    /// Its volume.
    pub volume_mm3: f64,
    /// Its centre of mass, LPS millimetres.
    pub centroid_lps: [f64; 3],
    /// Whether enough of it is in the mask.
    pub found: bool,
    /// Its voxels, and the voxels of the mask that are nearer to it than to any other lesion; `all` is
    /// those of either.
    pub overlap: Overlap,
}

/// The lesions and the regions of one volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lesions {
    /// Pieces of the truth, largest first.
    pub lesions: Vec<Lesion>,
    /// Pieces of the mask.
    pub regions: usize,
    /// Pieces of the mask that lie in the truth as far as asked for.
    pub right_regions: usize,
}

/// What is known of a volume's fractures besides their mask.
#[derive(Debug, Clone, Copy)]
pub struct Kinds<'a> {
    /// From the index, `wedge;linear`; empty when unknown.
    pub listed: &'a str,
    /// From `truth.json` beside the CT.
    pub truth: Option<&'a Truth>,
}

/// Counts lesions and regions; `found` and `truth` lie on one grid. `share` is 0 to 1.
pub fn count(found: &Volume<u8>, truth: &Volume<u8>, kinds: Kinds, share: f64) -> Result<Lesions, ItkError> {
    let monitor = Monitor::default();
    let (labels, components) = itk::connected_components(truth, &monitor)?;
    let (regions, pieces) = itk::connected_components(found, &monitor)?;
    let mut inside = vec![0_u64; pieces.len()];
    for (label, _) in regions.voxels().iter().zip(truth.voxels()).filter(|(r, t)| **r != 0 && **t != 0) {
        inside[*label as usize - 1] += 1;
    }
    let right =
        pieces.iter().zip(&inside).filter(|(piece, both)| covers(**both, piece.voxels, share)).count();
    let names = Named::new(&labels, &components, kinds);
    let mut lesions = names.lesions(&labels, found);
    for lesion in &mut lesions {
        lesion.found = covers(lesion.overlap.both, lesion.overlap.truth, share);
    }
    Ok(Lesions { lesions, regions: pieces.len(), right_regions: right })
}

fn covers(both: u64, whole: u64, share: f64) -> bool {
    both > 0 && both as f64 >= share * whole as f64
}

/// A fracture's name and place.
struct Name {
    label: u32,
    kind: String,
    centroid_lps: [f64; 3],
}

impl Name {
    /// Squared distance from its centroid.
    fn square_mm(&self, at_lps: [f64; 3]) -> f64 {
        self.centroid_lps.iter().zip(at_lps).map(|(c, p)| (c - p) * (c - p)).sum()
    }
}

/// Which fractures lie in which piece of the truth.
struct Named<'a> {
    grid: &'a Grid,
    /// Every voxel of the truth, in millimetres along the grid's own axes, which is all that distances
    /// need; with its index.
    voxels: Nearest<[usize; 3]>,
    names: Vec<Name>,
}

impl<'a> Named<'a> {
    fn new(labels: &'a Volume<u32>, components: &[Component], kinds: Kinds) -> Self {
        let grid = labels.grid();
        let set = labels.voxels().iter().enumerate().filter(|(_, label)| **label != 0);
        let index = set.map(|(n, _)| index_at(grid, n));
        let voxels = Nearest::new(index.map(|at| (along_axes(grid, at), at)));
        let mut names = Vec::new();
        for (kind, centroid_lps) in kinds.truth.into_iter().flat_map(stated) {
            let spacing = grid.spacing_mm();
            let index = grid.index_of(centroid_lps);
            // A bent fracture's centroid may lie beside it, so the nearest voxel decides.
            let nearest = voxels.to(std::array::from_fn(|a| index[a] * spacing[a]));
            names.extend(nearest.map(|(_, voxel)| Name { label: labels.at(*voxel), kind, centroid_lps }));
        }
        let stated_count = names.len();
        for piece in components {
            if names.iter().all(|name| name.label != piece.label) {
                let centroid_lps = grid.position_lps(piece.centroid_vox);
                let stated = names[..stated_count].iter();
                // A fracture that fell into pieces: the stated one that is nearest.
                let kind = stated
                    .min_by(|a, b| a.square_mm(centroid_lps).total_cmp(&b.square_mm(centroid_lps)))
                    .map_or_else(|| only(kinds.listed).unwrap_or(UNKNOWN), |name| name.kind.as_str())
                    .to_owned();
                names.push(Name { label: piece.label, kind, centroid_lps });
            }
        }
        names.sort_by_key(|name| name.label);
        Self { grid, voxels, names }
    }

    /// The lesion that a voxel of a piece belongs to.
    fn of(&self, label: u32, index: [usize; 3]) -> usize {
        let first = self.names.partition_point(|name| name.label < label);
        let count = self.names[first..].iter().take_while(|name| name.label == label).count();
        if count < 2 {
            return first;
        }
        let at = self.grid.position_lps(index.map(|v| v as f64));
        let square_mm = |n: &usize| self.names[*n].square_mm(at);
        (first..first + count).min_by(|a, b| square_mm(a).total_cmp(&square_mm(b))).unwrap_or(first)
    }

    fn lesions(&self, labels: &Volume<u32>, found: &Volume<u8>) -> Vec<Lesion> {
        let mut overlaps = vec![Overlap::default(); self.names.len()];
        let mut sums = vec![[0.0; 3]; self.names.len()];
        let voxels = labels.voxels().iter().zip(found.voxels()).enumerate();
        for (n, (label, f)) in voxels.filter(|(_, (label, f))| **label != 0 || **f != 0) {
            let at = index_at(self.grid, n);
            if *label != 0 {
                let lesion = self.of(*label, at);
                overlaps[lesion].add(*f != 0, true);
                for (sum, at) in sums[lesion].iter_mut().zip(at) {
                    *sum += at as f64;
                }
            } else if let Some((_, nearest)) = self.voxels.to(along_axes(self.grid, at)) {
                overlaps[self.of(labels.at(*nearest), *nearest)].add(true, false);
            }
        }
        let lesion = |((name, overlap), sum): ((&Name, Overlap), [f64; 3])| Lesion {
            kind: name.kind.clone(),
            volume_mm3: overlap.truth as f64 * self.grid.voxel_mm3(),
            centroid_lps: self.grid.position_lps(sum.map(|s| s / overlap.truth as f64)),
            found: false,
            overlap,
        };
        let all = self.names.iter().zip(overlaps).zip(sums);
        all.filter(|((_, overlap), _)| overlap.truth > 0).map(lesion).collect()
    }
}

fn index_at(grid: &Grid, n: usize) -> [usize; 3] {
    let [ni, nj, _] = grid.size();
    [n % ni, n / ni % nj, n / (ni * nj)]
}

fn along_axes(grid: &Grid, index: [usize; 3]) -> [f64; 3] {
    let spacing = grid.spacing_mm();
    std::array::from_fn(|a| index[a] as f64 * spacing[a])
}

fn stated(truth: &Truth) -> impl Iterator<Item = (String, [f64; 3])> {
    truth.fractures().map(|(_, f)| (f.kind.name().to_owned(), f.centroid_lps))
}

/// The one kind of a list, when it names no other.
fn only(listed: &str) -> Option<&str> {
    let mut kinds = listed.split(';').map(str::trim).filter(|kind| !kind.is_empty());
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::phantom::{FractureKind, FractureTruth, LevelTruth, Site};

    /// 1 from the first k of a pair up to the second, on a bar of 1 × 1 × 40 voxels.
    fn bar(pairs: &[[usize; 2]]) -> Volume<u8> {
        let grid = Grid::axis_aligned([1, 1, 40], [1.0; 3], [0.0; 3]).unwrap();
        let voxels =
            (0..40).map(|k| u8::from(pairs.iter().any(|[from, to]| (*from..*to).contains(&k)))).collect();
        Volume::new(grid, voxels).unwrap()
    }

    fn truth(fractures: &[(FractureKind, f64)]) -> Truth {
        let level = |(kind, k): &(FractureKind, f64)| LevelTruth {
            name: "L1".into(),
            id: 20,
            center_lps: [0.0; 3],
            fracture: Some(FractureTruth {
                kind: *kind,
                site: Site::Body,
                grade: 1,
                height_loss: 0.3,
                volume_mm3: 1.0,
                centroid_lps: [0.0, 0.0, *k],
                box_lps: [[0.0; 3]; 2],
            }),
        };
        Truth { seed: 0, index: 0, levels: fractures.iter().map(level).collect() }
    }

    #[test]
    fn a_touch_is_not_enough_unless_asked_for() {
        let (found, real) = (bar(&[[9, 16], [30, 32]]), bar(&[[0, 10]]));
        let kinds = Kinds { listed: "wedge", truth: None };
        let counted = count(&found, &real, kinds, 0.2).unwrap();
        assert_eq!((counted.regions, counted.right_regions), (2, 0));
        assert!(!counted.lesions[0].found);
        assert_eq!(counted.lesions[0].kind, "wedge");
        let counted = count(&found, &real, kinds, 0.0).unwrap();
        assert_eq!((counted.right_regions, counted.lesions[0].found), (1, true));
        assert_eq!(counted.lesions[0].overlap, Overlap { both: 1, found: 9, truth: 10, all: 18 });
    }

    #[test]
    fn fractures_get_their_kinds_by_place() {
        let real = bar(&[[2, 6], [20, 30]]);
        // The larger piece holds two fractures that touch.
        let truth =
            truth(&[(FractureKind::Linear, 3.5), (FractureKind::Wedge, 22.0), (FractureKind::Crush, 27.5)]);
        let kinds = Kinds { listed: "linear;wedge;crush", truth: Some(&truth) };
        let counted = count(&bar(&[[7, 8], [20, 25]]), &real, kinds, 0.1).unwrap();
        let of = |kind: &str| counted.lesions.iter().find(|l| l.kind == kind).unwrap();
        assert_eq!(of("linear").overlap, Overlap { both: 0, found: 1, truth: 4, all: 5 });
        assert_eq!(of("wedge").overlap, Overlap { both: 5, found: 5, truth: 5, all: 5 });
        assert_eq!(of("crush").overlap, Overlap { both: 0, found: 0, truth: 5, all: 5 });
        assert_eq!(of("crush").centroid_lps, [0.0, 0.0, 27.0]);
        assert_eq!(counted.lesions.iter().filter(|l| l.found).count(), 1);
    }

    #[test]
    fn several_kinds_without_places_stay_unknown() {
        let counted = count(&bar(&[]), &bar(&[[2, 6]]), Kinds { listed: "wedge;linear", truth: None }, 0.1);
        assert_eq!(counted.unwrap().lesions[0].kind, UNKNOWN);
    }
}
