//! Where the spine runs in a mask of bone.
//!
//! A network that sees one slice at a time takes the head of an arm bone in its socket for a crushed
//! vertebra between two others. What tells them apart is where they are: the spine is the one column of
//! bone that goes on through the whole field. Its course is the path from the lowest to the highest slab
//! that gathers most bone around itself without leaping (dynamic programming). No training, no threshold
//! on shape: a broken, bent or screwed spine is found as well as a healthy one.

use crate::volume::Volume;

/// Edge of a cell across the patient.
const CELL_MM: f64 = 6.0;
/// Thickness of a slab.
const SLAB_MM: f64 = 12.0;
/// Cells to each side that count as around the path: 54 mm in all, a vertebra's body and arch.
const AROUND: usize = 4;
/// Cells that the path may move from slab to slab: 45°.
const LEAP: isize = 2;
/// Bone beyond this (mm³ per slab) counts no more: hips and skull are heavier than any vertebra.
const ENOUGH_MM3: f32 = 9000.0;
/// What moving by one cell costs (mm³); more for more cells, by the square.
const MOVE_MM3: f32 = 350.0;

/// The course of the spine: for every slice k the place (i, j; continuous voxels) it runs through.
/// The mask's axes run to L, P, S. `None` where there is no bone.
pub fn course(bone: &Volume<u8>) -> Option<Vec<[f64; 2]>> {
    let map = Map::of(bone);
    if map.mass.iter().flatten().all(|mass| *mass == 0.0) {
        return None;
    }
    let path = map.best_path();
    let [_, _, slices] = bone.grid().size();
    Some((0..slices).map(|k| map.place(&path, k)).collect())
}

/// Leaves out bone that lies farther than `reach_mm` from the spine's course within its slice.
#[must_use]
pub fn keep_near(mut bone: Volume<u8>, reach_mm: f64) -> Volume<u8> {
    let Some(course) = course(&bone) else { return bone };
    let [ni, nj, _] = bone.grid().size();
    let [si, sj, _] = bone.grid().spacing_mm();
    for (row, line) in bone.voxels_mut().chunks_exact_mut(ni).enumerate() {
        let [ci, cj] = course[row / nj];
        let off_j = ((row % nj) as f64 - cj) * sj;
        for (i, voxel) in line.iter_mut().enumerate() {
            let off_i = (i as f64 - ci) * si;
            *voxel &= u8::from(off_i.hypot(off_j) <= reach_mm);
        }
    }
    bone
}

/// Bone per cell and slab.
struct Map {
    cells: [usize; 2],
    /// Voxels per cell along i and j, slices per slab.
    step: [f64; 3],
    /// mm³, one list of cells (i fastest) per slab.
    mass: Vec<Vec<f32>>,
}

impl Map {
    fn of(bone: &Volume<u8>) -> Self {
        let (size, spacing) = (bone.grid().size(), bone.grid().spacing_mm());
        let step: [f64; 3] = std::array::from_fn(|a| if a == 2 { SLAB_MM } else { CELL_MM } / spacing[a]);
        let count = |a: usize| (size[a] as f64 / step[a]).ceil().max(1.0) as usize;
        let cells = [count(0), count(1)];
        let mut mass = vec![vec![0.0_f32; cells[0] * cells[1]]; count(2)];
        let voxel_mm3 = bone.grid().voxel_mm3() as f32;
        let of = |index: usize, a: usize| (index as f64 / step[a]) as usize;
        let column: Vec<usize> = (0..size[0]).map(|i| of(i, 0)).collect();
        for (row, line) in bone.voxels().chunks_exact(size[0]).enumerate() {
            let slab = &mut mass[of(row / size[1], 2)];
            let start = of(row % size[1], 1) * cells[0];
            for (voxel, cell) in line.iter().zip(&column) {
                slab[start + cell] += f32::from(*voxel) * voxel_mm3;
            }
        }
        Self { cells, step, mass }
    }

    /// Bone in the window around every cell of a slab, up to what counts.
    fn gathered(&self, slab: &[f32]) -> Vec<f32> {
        let [ni, nj] = self.cells;
        let span = |at: usize, n: usize| at.saturating_sub(AROUND)..(at + AROUND + 1).min(n);
        let across = |n: usize| {
            let (i, j) = (n % ni, n / ni);
            span(i, ni).map(|i| slab[j * ni + i]).sum::<f32>()
        };
        let rows: Vec<f32> = (0..slab.len()).map(across).collect();
        let down = |n: usize| span(n / ni, nj).map(|j| rows[j * ni + n % ni]).sum::<f32>();
        (0..slab.len()).map(|n| down(n).min(ENOUGH_MM3)).collect()
    }

    /// The cell of every slab on the path that gathers most.
    fn best_path(&self) -> Vec<usize> {
        let mut total = self.gathered(&self.mass[0]);
        let mut from: Vec<Vec<usize>> = Vec::new();
        for slab in &self.mass[1..] {
            let own = self.gathered(slab);
            let steps: Vec<(usize, f32)> = (0..own.len()).map(|n| self.best_step(&total, n)).collect();
            total = own.iter().zip(&steps).map(|(own, (_, before))| own + before).collect();
            from.push(steps.into_iter().map(|(n, _)| n).collect());
        }
        let best = (0..total.len()).max_by(|a, b| total[*a].total_cmp(&total[*b])).unwrap_or(0);
        let mut path = vec![best];
        for steps in from.iter().rev() {
            path.push(steps[path[path.len() - 1]]);
        }
        path.reverse();
        path
    }

    /// The best cell to come from, and what it brings.
    fn best_step(&self, total: &[f32], to: usize) -> (usize, f32) {
        let [ni, nj] = self.cells;
        let (i, j) = ((to % ni) as isize, (to / ni) as isize);
        let mut best = (to, total[to]);
        for dj in -LEAP..=LEAP {
            for di in -LEAP..=LEAP {
                let (a, b) = (i + di, j + dj);
                if !(0..ni as isize).contains(&a) || !(0..nj as isize).contains(&b) {
                    continue;
                }
                let n = b as usize * ni + a as usize;
                let brings = total[n] - MOVE_MM3 * (di * di + dj * dj) as f32;
                if brings > best.1 {
                    best = (n, brings);
                }
            }
        }
        best
    }

    /// Where the path runs through slice k, between the middles of the slabs.
    fn place(&self, path: &[usize], k: usize) -> [f64; 2] {
        let at = ((k as f64 + 0.5) / self.step[2] - 0.5).clamp(0.0, (path.len() - 1) as f64);
        let (low, part) = (at as usize, at.fract());
        let high = (low + 1).min(path.len() - 1);
        let middle = |n: usize, a: usize| {
            let cell = if a == 0 { path[n] % self.cells[0] } else { path[n] / self.cells[0] };
            (cell as f64 + 0.5) * self.step[a] - 0.5
        };
        [0, 1].map(|a| middle(low, a) * (1.0 - part) + middle(high, a) * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Grid;

    /// A leaning column 40 mm wide, and two heavier balls beside it like the heads of arm bones.
    fn bones() -> Volume<u8> {
        let grid = Grid::axis_aligned([150, 80, 120], [2.0, 2.0, 2.0], [0.0; 3]).unwrap();
        let mut bone = Volume::filled(grid.clone(), 0_u8);
        let near = |a: [f64; 2], b: [f64; 2], reach: f64| (a[0] - b[0]).hypot(a[1] - b[1]) < reach;
        for k in 0..120 {
            for j in 0..80 {
                for i in 0..150 {
                    let at = [i as f64, j as f64];
                    let spine = near(at, [column(k), 45.0], 10.0) && (k / 3) % 4 != 0;
                    let ball =
                        |c: f64| (at[0] - c).powi(2) + (at[1] - 40.0).powi(2) + (k as f64 - 100.0).powi(2);
                    let arm = ball(12.0) < 196.0 || ball(138.0) < 196.0;
                    bone.voxels_mut()[grid.offset([i, j, k])] = u8::from(spine || arm);
                }
            }
        }
        bone
    }

    fn column(k: usize) -> f64 {
        70.0 + 0.15 * k as f64
    }

    #[test]
    fn the_course_follows_the_column_past_heavier_bones() {
        let course = course(&bones()).unwrap();
        for (k, [i, j]) in course.into_iter().enumerate() {
            let away = ((i - column(k)) * 2.0).hypot((j - 45.0) * 2.0);
            assert!(away < 18.0, "slice {k}: {away} mm from the column");
        }
    }

    #[test]
    fn bone_far_from_the_course_is_left_out_and_near_bone_stays() {
        let before = bones();
        let kept = keep_near(before.clone(), 75.0);
        let grid = before.grid().clone();
        for k in 0..120 {
            for i in 0..150 {
                let at = [i, 45, k];
                let spine = (i as f64 - column(k)).abs() < 10.0;
                let wanted = if spine { before.voxels()[grid.offset(at)] } else { 0 };
                assert_eq!(kept.at(at), wanted, "{at:?}");
            }
        }
    }

    #[test]
    fn no_bone_has_no_course() {
        let grid = Grid::axis_aligned([4, 4, 4], [1.0; 3], [0.0; 3]).unwrap();
        assert_eq!(course(&Volume::filled(grid.clone(), 0)), None);
        assert!(keep_near(Volume::filled(grid, 0), 5.0).voxels().iter().all(|v| *v == 0));
    }
}
