//! Agreement between neighbouring slices.
//!
//! The network reads slices one by one. A fracture of a body shows in many neighbouring ones; a Schmorl
//! node or a vessel that is taken for one shows in two or three. A weighted mean over the neighbours
//! keeps the former and lowers the latter below the threshold.

use crate::plane::Plane;
use crate::volume::Volume;

/// Replaces every probability that the gate keeps by the Gaussian mean over the slices around it,
/// `sigma_mm` wide; beyond the volume's ends slices count for nothing. A sigma of 0 changes nothing.
pub fn smooth(probabilities: &mut Volume<f32>, gate: &Volume<u8>, plane: Plane, sigma_mm: f64) {
    if sigma_mm <= 0.0 {
        return;
    }
    let (axis, size) = (plane.normal(), probabilities.grid().size());
    let weights = weights(sigma_mm / probabilities.grid().spacing_mm()[axis]);
    let stride: usize = size[..axis].iter().product();
    let (count, half) = (size[axis], weights.len() / 2);
    let mut line = vec![0.0_f32; count];
    for first in (0..probabilities.voxels().len()).filter(|n| (n / stride).is_multiple_of(count)) {
        let voxels = probabilities.voxels_mut();
        for (n, value) in line.iter_mut().enumerate() {
            *value = voxels[first + n * stride];
        }
        if line.iter().all(|p| *p == 0.0) {
            continue;
        }
        for n in 0..count {
            let at = first + n * stride;
            let (mut sum, mut total) = (0.0, 0.0);
            for (w, weight) in weights.iter().enumerate() {
                if let Some(value) = (n + w).checked_sub(half).and_then(|m| line.get(m)) {
                    sum += weight * value;
                    total += weight;
                }
            }
            voxels[at] = if gate.voxels()[at] == 0 { 0.0 } else { sum / total };
        }
    }
}

/// Gaussian weights for a sigma in slices, out to three sigmas.
fn weights(sigma: f64) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as i32;
    (-reach..=reach).map(|n| (-(f64::from(n) / sigma).powi(2) / 2.0).exp() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Grid;

    /// 1 in `thick` of 20 sagittal slices, 2 mm apart.
    fn slab(thick: usize) -> (Volume<f32>, Volume<u8>) {
        let grid = Grid::axis_aligned([20, 3, 2], [2.0, 1.0, 1.0], [0.0; 3]).unwrap();
        let mut volume = Volume::filled(grid.clone(), 0.0_f32);
        for (n, p) in volume.voxels_mut().iter_mut().enumerate() {
            *p = f32::from(u8::from((5..5 + thick).contains(&(n % 20))));
        }
        (volume, Volume::filled(grid, 1))
    }

    fn most(thick: usize, plane: Plane) -> f32 {
        let (mut volume, gate) = slab(thick);
        smooth(&mut volume, &gate, plane, 2.5);
        volume.voxels().iter().copied().fold(0.0, f32::max)
    }

    #[test]
    fn a_lone_slice_falls_below_one_half_and_a_body_stays() {
        assert!(most(1, Plane::Sagittal) < 0.4, "{}", most(1, Plane::Sagittal));
        assert!(most(10, Plane::Sagittal) > 0.95);
        assert!((most(1, Plane::Axial) - 1.0).abs() < 1e-6, "other planes' neighbours hold the same");
    }

    #[test]
    fn what_the_gate_leaves_out_stays_out_and_edges_lose_nothing() {
        let (volume, mut gate) = slab(20 - 5);
        gate.voxels_mut()[19] = 0;
        let mut smoothed = volume.clone();
        smooth(&mut smoothed, &gate, Plane::Sagittal, 2.5);
        assert_eq!(smoothed.voxels()[19], 0.0);
        assert!((smoothed.voxels()[18] - 1.0).abs() < 1e-6, "{}", smoothed.voxels()[18]);
        let mut same = volume.clone();
        smooth(&mut same, &gate, Plane::Sagittal, 0.0);
        assert_eq!(same, volume);
    }
}
