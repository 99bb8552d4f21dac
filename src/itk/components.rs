//! Connected components of a mask and what is known of each.

use super::{ItkError, ffi};
use crate::monitor::Monitor;
use crate::volume::Volume;

/// One connected piece of a mask.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its value in the label volume, from 1.
    pub label: u32,
    /// How many voxels it has.
    pub voxels: u64,
    /// First and last voxel, inclusive, along i, j, k.
    pub bounds_vox: [[usize; 2]; 3],
    /// Mean voxel index along i, j, k.
    pub centroid_vox: [f64; 3],
}

/// Labels the pieces of the non-zero voxels, where voxels that share a corner belong together
/// (26-connected). Label 1 is the largest; equal sizes come in the order of their first voxel.
pub fn connected_components(
    mask: &Volume<u8>,
    monitor: &Monitor,
) -> Result<(Volume<u32>, Vec<Component>), ItkError> {
    let (labels, count) = ffi::components(mask, monitor)?;
    let labels = Volume::new(mask.grid().clone(), labels)?;
    let components = measure(&labels, count as usize);
    Ok((labels, components))
}

fn measure(labels: &Volume<u32>, count: usize) -> Vec<Component> {
    let mut components: Vec<Component> = (1..=count as u32)
        .map(|label| Component { label, voxels: 0, bounds_vox: [[usize::MAX, 0]; 3], centroid_vox: [0.0; 3] })
        .collect();
    let [width, height, _] = labels.grid().size();
    for (row, values) in labels.voxels().chunks_exact(width).enumerate() {
        let (j, k) = (row % height, row / height);
        for (i, &label) in values.iter().enumerate().filter(|&(_, &label)| label != 0) {
            if let Some(component) = components.get_mut(label as usize - 1) {
                component.add([i, j, k]);
            }
        }
    }
    for component in &mut components {
        component.centroid_vox = component.centroid_vox.map(|sum| sum / component.voxels as f64);
    }
    components
}

impl Component {
    /// Counts a voxel; the centroid is the sum of indices until `measure` divides it.
    fn add(&mut self, index: [usize; 3]) {
        self.voxels += 1;
        for (axis, &at) in index.iter().enumerate() {
            let [first, last] = &mut self.bounds_vox[axis];
            *first = (*first).min(at);
            *last = (*last).max(at);
            self.centroid_vox[axis] += at as f64;
        }
    }
}
