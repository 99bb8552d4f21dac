//! Which slices an epoch sees, and how a slice becomes a tile.
//!
//! A whole epoch holds every slice with a fracture and equally many without, drawn anew each time. A
//! shorter one draws its slices lesion by lesion, small ones more often: a thin fracture line meets few
//! slices with few voxels, and would hardly be seen beside a crushed body.

use super::dataset::{Patient, below, shuffle, uniform};
use crate::itk::Component;
use crate::plane::Plane;
use crate::volume::Volume;
use rand_chacha::ChaCha12Rng;
use tch::Tensor;

/// A slice of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceRef {
    /// Index into the patients.
    pub patient: usize,
    /// Index along the plane's normal.
    pub slice: usize,
}

/// A connected piece of a patient's mask.
struct Lesion {
    patient: usize,
    first: usize,
    last: usize,
    /// How often it is drawn: by the inverse of its linear size, and as often as its volume repeats.
    weight: f64,
}

/// Slices of some patients by what they show.
pub struct Sampler<'a> {
    patients: &'a [Patient],
    plane: Plane,
    tile: [usize; 2],
    neighbours: usize,
    positive: Vec<SliceRef>,
    negative: Vec<SliceRef>,
    lesions: Vec<Lesion>,
}

impl<'a> Sampler<'a> {
    /// Sorts the slices into those with a fracture and those with bone but none.
    pub fn new(patients: &'a [Patient], plane: Plane, tile: [usize; 2], neighbours: usize) -> Self {
        let (mut positive, mut negative, mut lesions) = (Vec::new(), Vec::new(), Vec::new());
        for (patient, p) in patients.iter().enumerate() {
            let lesion = |c: &Component| Lesion {
                patient,
                first: plane.slice_of(c.bounds_vox.map(|b| b[0])),
                last: plane.slice_of(c.bounds_vox.map(|b| b[1])),
                weight: p.entry.times() as f64 / (c.voxels as f64).cbrt(),
            };
            lesions.extend(p.lesions.iter().map(lesion));
            for slice in 0..plane.slice_count(p.mask.grid().size()) {
                let each = std::iter::repeat_n(SliceRef { patient, slice }, p.entry.times());
                if pixels(&p.mask, plane, slice).contains(&1) {
                    positive.extend(each);
                } else if pixels(&p.gate, plane, slice).contains(&1) {
                    negative.extend(each);
                }
            }
        }
        Self { patients, plane, tile, neighbours, positive, negative, lesions }
    }

    /// Slices with a fracture, and slices with bone but none.
    pub fn counts(&self) -> [usize; 2] {
        [self.positive.len(), self.negative.len()]
    }

    /// All positives and as many negatives in random order; of `most` slices, half are drawn lesion by
    /// lesion.
    pub fn epoch(&self, most: Option<usize>, rng: &mut ChaCha12Rng) -> Vec<SliceRef> {
        let each = most.map_or(self.positive.len(), |m| (m / 2).min(self.positive.len()));
        let mut all = if most.is_some() { self.by_lesion(each, rng) } else { self.positive.clone() };
        let mut negative = self.negative.clone();
        shuffle(&mut negative, rng);
        all.extend(negative.into_iter().take(each));
        shuffle(&mut all, rng);
        all
    }

    /// Slices through lesions drawn by their weight.
    fn by_lesion(&self, count: usize, rng: &mut ChaCha12Rng) -> Vec<SliceRef> {
        let total: f64 = self.lesions.iter().map(|l| l.weight).sum();
        let draw = |rng: &mut ChaCha12Rng| {
            let mut left = uniform(rng, 0.0, total);
            let chosen = self.lesions.iter().find(|l| {
                left -= l.weight;
                left < 0.0
            });
            let lesion = chosen.or(self.lesions.last())?;
            let slice = lesion.first + below(rng, lesion.last - lesion.first + 1);
            Some(SliceRef { patient: lesion.patient, slice })
        };
        (0..count).filter_map(|_| draw(rng)).collect()
    }

    /// Tiles of some slices: `(ct, mask)`, B×C×rows×columns with their neighbours and B×1×rows×columns,
    /// 32-bit float.
    pub fn batch(&self, slices: &[SliceRef], rng: &mut ChaCha12Rng) -> (Tensor, Tensor) {
        let [rows, columns] = self.tile;
        let (mut ct, mut mask) = (Vec::new(), Vec::new());
        for at in slices {
            let patient = &self.patients[at.patient];
            let size = self.plane.slice_size(patient.mask.grid().size());
            let label = pixels(&patient.mask, self.plane, at.slice);
            let gate = pixels(&patient.gate, self.plane, at.slice);
            let aim = if label.contains(&1) { &label } else { &gate };
            let corner = self.corner(aim, size, rng);
            for slice in self.plane.around(patient.mask.grid().size(), at.slice, self.neighbours) {
                let values = pixels(&patient.normalised, self.plane, slice);
                cut(&values, size, corner, self.tile, -1.0, &mut ct);
            }
            let label: Vec<f32> = label.iter().map(|v| f32::from(*v)).collect();
            cut(&label, size, corner, self.tile, 0.0, &mut mask);
        }
        let shape = [slices.len() as i64, -1, rows as i64, columns as i64];
        (Tensor::from_slice(&ct).view(shape), Tensor::from_slice(&mask).view(shape))
    }

    /// A random corner so that the tile holds a random set pixel of `aim`; inside the slice where it
    /// is larger than the tile, centred where it is smaller.
    fn corner(&self, aim: &[u8], size: [usize; 2], rng: &mut ChaCha12Rng) -> [isize; 2] {
        let set = aim.iter().filter(|v| **v != 0).count();
        let chosen = below(rng, set.max(1));
        let pixel = aim.iter().enumerate().filter(|(_, v)| **v != 0).nth(chosen).map_or(0, |(n, _)| n);
        let at = [pixel / size[1], pixel % size[1]];
        std::array::from_fn(|a| {
            let slack = size[a] as isize - self.tile[a] as isize;
            if slack <= 0 {
                return slack / 2;
            }
            (at[a] as isize - below(rng, self.tile[a]) as isize).clamp(0, slack)
        })
    }
}

fn pixels<T: Copy>(volume: &Volume<T>, plane: Plane, slice: usize) -> Vec<T> {
    plane.extract(volume.voxels(), volume.grid().size(), slice)
}

/// Appends a tile of a slice, row by row, `outside` where the slice ends.
fn cut(
    slice: &[f32],
    size: [usize; 2],
    corner: [isize; 2],
    tile: [usize; 2],
    outside: f32,
    into: &mut Vec<f32>,
) {
    for r in 0..tile[0] as isize {
        for c in 0..tile[1] as isize {
            let (row, column) = (corner[0] + r, corner[1] + c);
            let inside = (0..size[0] as isize).contains(&row) && (0..size[1] as isize).contains(&column);
            into.push(if inside { slice[row as usize * size[1] + column as usize] } else { outside });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Monitor;
    use crate::train::dataset::Entry;
    use crate::volume::Grid;

    /// Four sagittal slices of bone, the second with a fracture.
    fn patient(repeat: &str) -> Patient {
        let grid = Grid::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        let mut mask = Volume::filled(grid.clone(), 0_u8);
        mask.voxels_mut()[1] = 1;
        let (_, lesions) = crate::itk::connected_components(&mask, &Monitor::default()).unwrap();
        let index = format!("id,ct,mask,repeat\na,ct,mask,{repeat}\n");
        let entry: Entry = csv::Reader::from_reader(index.as_bytes()).deserialize().next().unwrap().unwrap();
        let gate = Volume::filled(grid.clone(), 1_u8);
        Patient { entry, normalised: Volume::filled(grid, 0.0), gate, mask, lesions }
    }

    #[test]
    fn slices_of_a_repeated_volume_are_drawn_as_many_times() {
        let patients = [patient(""), patient("9")];
        let sampler = Sampler::new(&patients, Plane::Sagittal, [16, 16], 0);
        assert_eq!(sampler.counts(), [1 + 9, 3 + 9 * 3]);
        let mut rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(4);
        for most in [None, Some(8)] {
            let drawn: Vec<usize> =
                (0..50).flat_map(|_| sampler.epoch(most, &mut rng)).map(|at| at.patient).collect();
            let share = drawn.iter().sum::<usize>() as f64 / drawn.len() as f64;
            assert!((share - 0.9).abs() < 0.06, "{share} of the slices are the repeated volume's");
        }
    }

    #[test]
    fn a_tile_is_cut_or_padded() {
        let slice: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let mut tile = Vec::new();
        cut(&slice, [3, 4], [1, 2], [2, 2], -1.0, &mut tile);
        assert_eq!(tile, [6.0, 7.0, 10.0, 11.0]);
        tile.clear();
        cut(&slice, [3, 4], [-1, 3], [2, 2], -1.0, &mut tile);
        assert_eq!(tile, [-1.0, -1.0, 3.0, -1.0]);
    }
}
