//! Tiles of one size that cover a slice, and their blending.

/// How the slices of a volume are tiled. All slices share it.
#[derive(Debug)]
pub struct Tiling {
    slice: [usize; 2],
    tile: [usize; 2],
    /// First row and column of every tile; negative where the slice is smaller than a tile.
    starts: Vec<[isize; 2]>,
    /// Weight along a tile's rows and columns.
    window: [Vec<f32>; 2],
    /// Sum of all tiles' weights at every pixel of the slice.
    total: Vec<f32>,
}

/// Where a tile's row meets the slice: both start places in memory, the first column of the tile and
/// how many pixels follow.
struct Overlap {
    slice_at: usize,
    tile_at: usize,
    row: usize,
    column: usize,
    count: usize,
}

impl Tiling {
    /// Tiles of `tile` rows and columns that share at least `overlap` of their side with a neighbour.
    pub fn new(slice: [usize; 2], tile: [usize; 2], overlap: f64) -> Self {
        let along: [Vec<isize>; 2] = std::array::from_fn(|a| starts(slice[a], tile[a], overlap));
        let starts = along[0].iter().flat_map(|row| along[1].iter().map(|column| [*row, *column])).collect();
        let window = tile.map(window);
        let mut tiling = Self { slice, tile, starts, window, total: Vec::new() };
        let mut total = vec![0.0; slice[0] * slice[1]];
        let ones = vec![1.0; tile[0] * tile[1]];
        (0..tiling.count()).for_each(|n| tiling.add(n, &ones, &mut total));
        tiling.total = total;
        tiling
    }

    /// Tiles per slice.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Pixels per tile.
    pub fn tile_len(&self) -> usize {
        self.tile[0] * self.tile[1]
    }

    /// Pixels per slice.
    pub fn slice_len(&self) -> usize {
        self.slice[0] * self.slice[1]
    }

    /// Copies tile `n` of a slice into `tile`, and `outside` where it reaches beyond the slice.
    pub fn cut(&self, n: usize, slice: &[f32], outside: f32, tile: &mut [f32]) {
        tile.fill(outside);
        for o in self.overlaps(n) {
            tile[o.tile_at..o.tile_at + o.count].copy_from_slice(&slice[o.slice_at..o.slice_at + o.count]);
        }
    }

    /// Whether any pixel of the slice under tile `n` is kept.
    pub fn keeps_any(&self, n: usize, gate: &[u8]) -> bool {
        self.overlaps(n).any(|o| gate[o.slice_at..o.slice_at + o.count].iter().any(|g| *g != 0))
    }

    /// Adds tile `n`'s values, weighted, to a slice's sums.
    pub fn add(&self, n: usize, tile: &[f32], sums: &mut [f32]) {
        for o in self.overlaps(n) {
            let by_row = self.window[0][o.row];
            let by_column = &self.window[1][o.column..o.column + o.count];
            let values = &tile[o.tile_at..o.tile_at + o.count];
            let sums = &mut sums[o.slice_at..o.slice_at + o.count];
            for ((sum, value), weight) in sums.iter_mut().zip(values).zip(by_column) {
                *sum += value * (by_row * weight);
            }
        }
    }

    /// Turns sums into weighted means where the gate keeps them, and into 0 elsewhere.
    ///
    /// The divisor is that of *all* tiles, skipped or not. A tile is skipped only where its whole gate
    /// is 0, so every tile over a kept pixel has been added, and skipping cannot change a mean.
    pub fn finish(&self, sums: &mut [f32], gate: &[u8]) {
        for ((sum, total), keep) in sums.iter_mut().zip(&self.total).zip(gate) {
            // The clamp removes the last digit's rounding; NaN passes it and is found by the caller.
            *sum = if *keep == 0 { 0.0 } else { (*sum / total).clamp(0.0, 1.0) };
        }
    }

    fn overlaps(&self, n: usize) -> impl Iterator<Item = Overlap> + '_ {
        let [top, left] = self.starts[n];
        let [rows, columns] = [(top, 0), (left, 1)].map(|(start, axis)| {
            let first = start.max(0) as usize;
            let end = (start + self.tile[axis] as isize).clamp(0, self.slice[axis] as isize) as usize;
            first..end.max(first)
        });
        let column = (columns.start as isize - left) as usize;
        rows.map(move |r| {
            let row = (r as isize - top) as usize;
            Overlap {
                slice_at: r * self.slice[1] + columns.start,
                tile_at: row * self.tile[1] + column,
                row,
                column,
                count: columns.len(),
            }
        })
    }
}

/// First pixels of the tiles along one axis: evenly spread; a single tile is centred.
fn starts(length: usize, tile: usize, overlap: f64) -> Vec<isize> {
    if length <= tile {
        return vec![-(((tile - length) / 2) as isize)];
    }
    let step = ((tile as f64 * (1.0 - overlap)).floor() as usize).max(1);
    let gaps = (length - tile).div_ceil(step);
    (0..=gaps).map(|n| (n * (length - tile) / gaps) as isize).collect()
}

/// A raised cosine that stays above 0: borders of a tile, where the network sees least around a pixel,
/// count little beside a neighbour's centre, yet carry a slice's edge alone.
fn window(length: usize) -> Vec<f32> {
    let at = |n: usize| std::f64::consts::PI * (n as f64 + 0.5) / length as f64;
    (0..length).map(|n| at(n).sin().powi(2).max(1e-3) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_pixel_and_overlap_enough() {
        for (length, tile, overlap) in [(33, 32, 0.5), (100, 32, 0.25), (256, 256, 0.5), (300, 256, 0.0)] {
            let starts = starts(length, tile, overlap);
            assert_eq!(starts[0], 0);
            assert_eq!(*starts.last().unwrap() as usize, length - tile);
            let step = starts.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0);
            assert!(step as f64 <= tile as f64 * (1.0 - overlap), "{length}: step {step}");
        }
        assert_eq!(starts(20, 32, 0.5), [-6]);
    }

    #[test]
    fn blending_what_was_cut_gives_it_back() {
        for slice in [[50, 70], [20, 70], [10, 12]] {
            let tiling = Tiling::new(slice, [32, 32], 0.5);
            let values: Vec<f32> = (0..tiling.slice_len()).map(|n| (n % 97) as f32 / 97.0).collect();
            let gate: Vec<u8> = (0..tiling.slice_len()).map(|n| u8::from(n % 5 != 0)).collect();
            let (mut sums, mut tile) = (vec![0.0; values.len()], vec![0.0; tiling.tile_len()]);
            for n in 0..tiling.count() {
                tiling.cut(n, &values, -1.0, &mut tile);
                tiling.add(n, &tile, &mut sums);
            }
            tiling.finish(&mut sums, &gate);
            for ((found, value), keep) in sums.iter().zip(&values).zip(&gate) {
                assert!((found - value * f32::from(*keep)).abs() < 1e-6, "{slice:?}");
            }
        }
    }

    #[test]
    fn outside_of_the_slice_is_padding_and_never_kept() {
        let tiling = Tiling::new([10, 12], [16, 16], 0.0);
        let mut tile = vec![0.0; 256];
        tiling.cut(0, &vec![0.5; 120], -1.0, &mut tile);
        assert_eq!(tile.iter().filter(|v| **v == 0.5).count(), 120);
        assert_eq!((tile[0], tile[3 * 16 + 2]), (-1.0, 0.5));
        assert!(!tiling.keeps_any(0, &[0; 120]));
        let mut gate = [0; 120];
        gate[119] = 1;
        assert!(tiling.keeps_any(0, &gate));
    }
}
