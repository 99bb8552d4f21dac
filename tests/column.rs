//! The spine's course on spines with known vertebrae: no vertebra may be left out.

use spinefx::column::course;
use spinefx::train::phantom::{PhantomConfig, generate};

/// What the models of this repository allow (`spine_reach_mm`).
const REACH_MM: f64 = 85.0;

/// Every fracture voxel and 99 % of the voxels of all vertebrae lie within reach of the course, wherever
/// the spine lies in the field and whatever lies beside it.
#[test]
fn no_vertebra_is_out_of_reach() {
    let config =
        PhantomConfig { seed: 31, spacing_mm: Some([2.0; 3]), prevalence: 1.0, ..PhantomConfig::default() };
    for index in 0..16 {
        let phantom = generate(&config, index).unwrap();
        let grid = phantom.ct.grid();
        let course = course(&phantom.ct.map(|hu| u8::from(*hu >= 200))).unwrap();
        let [nx, ny, _] = grid.size();
        let (mut bone, mut near) = (0_u32, 0_u32);
        for (n, level) in phantom.vertebrae.voxels().iter().enumerate().filter(|(_, l)| **l > 0) {
            let [i, j] = course[n / (nx * ny)];
            let away = (((n % nx) as f64 - i) * 2.0).hypot(((n / nx % ny) as f64 - j) * 2.0);
            bone += 1;
            near += u32::from(away <= REACH_MM);
            let broken = phantom.fracture.voxels()[n] != 0;
            assert!(!broken || away <= REACH_MM, "phantom {index}: {level}'s fracture is {away} mm off");
        }
        assert!(near * 100 >= bone * 99, "phantom {index}: {near} of {bone} voxels");
    }
}
