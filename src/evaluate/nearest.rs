//! The nearest of many points in space.

use crate::train::dataset::shuffle;
use kdtree::KdTree;
use kdtree::distance::squared_euclidean;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// Points in millimetres, each with something known of it.
pub struct Nearest<T> {
    tree: KdTree<f64, T, [f64; 3]>,
}

impl<T> Nearest<T> {
    /// Takes points whose coordinates are finite; others can be nearest to nothing and are left out.
    pub fn new(points: impl IntoIterator<Item = ([f64; 3], T)>) -> Self {
        let mut points: Vec<_> = points.into_iter().collect();
        // The tree splits as points come: voxels in their order would make it a list.
        shuffle(&mut points, &mut ChaCha12Rng::seed_from_u64(0));
        let mut tree = KdTree::new(3);
        for (at, known) in points {
            let _ = tree.add(at, known);
        }
        Self { tree }
    }

    /// Distance in mm to the nearest point, and what is known of that; `None` without points.
    pub fn to(&self, at: [f64; 3]) -> Option<(f64, &T)> {
        let found = self.tree.nearest(&at, 1, &squared_euclidean).ok()?;
        found.into_iter().next().map(|(square, known)| (square.sqrt(), known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_a_grid_is_found() {
        let points = (0..1000_usize).map(|n| ([n % 10, n / 10 % 10, n / 100].map(|v| v as f64 * 1.5), n));
        let nearest = Nearest::new(points);
        for (at, wanted) in [([0.1, 0.2, -5.0], 0), ([4.4, 7.6, 3.1], 253), ([99.0; 3], 999)] {
            assert_eq!(nearest.to(at).map(|(_, n)| *n), Some(wanted), "{at:?}");
        }
        assert_eq!(nearest.to([-3.0, 0.0, 4.0]).map(|(distance, _)| distance), Some(9.25_f64.sqrt()));
        assert!(Nearest::<()>::new([]).to([0.0; 3]).is_none());
    }
}
