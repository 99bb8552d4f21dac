//! What the tests of training share: tiny sets and quick runs.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use spinefx::itk::write_volume;
use spinefx::volume::{Grid, Volume};
use std::path::Path;
use std::process::{Command, Output};

/// The program with the flags of a quick run: width 8, coarse spacing, small tiles, one thread.
pub fn train(data: &Path, output: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinefx"));
    command.args(["train", "--width", "8", "--spacing", "4", "--tile", "32", "--batch", "4"]);
    command.args(["--threads", "1", "--device", "cpu", "--data"]).arg(data).arg("-o").arg(output);
    command
}

/// Standard output and error together.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A grid of 16 cm.
pub fn grid() -> Grid {
    Grid::axis_aligned([40, 40, 40], [4.0; 3], [-80.0, -80.0, 0.0]).unwrap()
}

/// Soft tissue with a column of bone, and a darker band in it where the fracture is.
pub fn ct(fractured: bool) -> Volume<i16> {
    let grid = grid();
    let mut ct = Volume::filled(grid.clone(), 40_i16);
    ct.voxels_mut()[0] = -1000;
    for k in 4..36 {
        for (j, i) in (14..26).flat_map(|j| (14..26).map(move |i| (j, i))) {
            let gap = fractured && (18..22).contains(&k);
            ct.voxels_mut()[grid.offset([i, j, k])] = if gap { 150 } else { 500 };
        }
    }
    ct
}

/// 1 in that band.
pub fn mask(fractured: bool) -> Volume<u8> {
    let mut mask = Volume::filled(grid(), 0_u8);
    for (voxel, hu) in mask.voxels_mut().iter_mut().zip(ct(fractured).voxels()) {
        *voxel = u8::from(*hu == 150);
    }
    mask
}

/// `patients` folders with `ct.nii.gz` and `fracture.nii.gz`, all with a fracture.
pub fn set(folder: &Path, patients: usize) {
    for n in 0..patients {
        let of = folder.join(format!("case-{n:02}"));
        std::fs::create_dir_all(&of).unwrap();
        write_volume(&ct(true), &of.join("ct.nii.gz")).unwrap();
        write_volume(&mask(true), &of.join("fracture.nii.gz")).unwrap();
    }
}
