//! ITK's operations by themselves: cancelling, cropping, measures of components.

use spinefx::itk::{self, Interpolation, ItkError};
use spinefx::monitor::Monitor;
use spinefx::volume::{Grid, Volume};
use std::time::{Duration, Instant};

fn grid(size: [usize; 3], spacing_mm: f64) -> Grid {
    Grid::axis_aligned(size, [spacing_mm; 3], [0.0; 3]).unwrap()
}

fn is_cancelled<T>(result: &Result<T, ItkError>) -> bool {
    matches!(result, Err(ItkError::Cancelled(_)))
}

#[test]
fn a_cancelled_monitor_stops_every_operation() {
    let monitor = Monitor::default();
    monitor.cancel();
    let mask = Volume::filled(grid([8; 3], 1.0), 1_u8);
    assert!(is_cancelled(&itk::resample(&mask, mask.grid(), Interpolation::Nearest, 0, &monitor)));
    assert!(is_cancelled(&itk::smooth_for(&mask, [2.0; 3], &monitor)));
    assert!(is_cancelled(&itk::connected_components(&mask, &monitor)));
}

/// Times an operation, then cancels it after a tenth of that time.
fn stops_soon<T>(operation: impl Fn(&Monitor) -> Result<T, ItkError>) {
    let begun = Instant::now();
    assert!(operation(&Monitor::default()).is_ok());
    let whole = begun.elapsed();
    let monitor = Monitor::default();
    let canceller = monitor.clone();
    std::thread::spawn(move || {
        std::thread::sleep(whole / 10);
        canceller.cancel();
    });
    let begun = Instant::now();
    assert!(is_cancelled(&operation(&monitor)));
    let stopped = begun.elapsed();
    eprintln!("whole {whole:?}, cancelled after {stopped:?}");
    assert!(stopped < whole * 7 / 10 + Duration::from_millis(100), "{stopped:?} of {whole:?}");
}

#[test]
fn cancelling_breaks_off_a_resampling_under_way() {
    let volume = Volume::filled(grid([64; 3], 4.0), 5_i16);
    let fine = grid([400, 400, 250], 0.6);
    stops_soon(|monitor| itk::resample(&volume, &fine, Interpolation::Linear, 0, monitor));
}

#[test]
fn cancelling_breaks_off_a_smoothing_under_way() {
    let volume = Volume::filled(grid([300, 300, 200], 1.0), 5.0_f32);
    stops_soon(|monitor| itk::smooth_for(&volume, [3.0; 3], monitor));
}

#[test]
fn a_crop_keeps_values_at_their_places() {
    let (s, c) = 0.4_f64.sin_cos();
    let direction = [[c, 0.0, s], [0.0, -1.0, 0.0], [-s, 0.0, c]];
    let whole = Grid::new([5, 6, 7], [0.5, 0.7, 2.0], [-10.0, 20.0, 30.0], direction).unwrap();
    let volume = Volume::new(whole.clone(), (0..210_i32).collect()).unwrap();
    let block = itk::crop(&volume, [1, 2, 3], [4, 3, 2]).unwrap();
    for index in [[0, 0, 0], [3, 2, 1], [2, 1, 0]] {
        let there = std::array::from_fn(|a| index[a] + [1, 2, 3][a]);
        assert_eq!(block.at(index), volume.at(there));
        let (p, q) =
            (block.grid().position_lps(index.map(|v| v as f64)), whole.position_lps(there.map(|v| v as f64)));
        assert!((0..3).all(|a| (p[a] - q[a]).abs() < 1e-12));
    }
    for (start, size) in [([0, 0, 6], [1, 1, 2]), ([usize::MAX, 0, 0], [1, 1, 1])] {
        assert!(matches!(itk::crop(&volume, start, size), Err(ItkError::OutsideVolume { .. })));
    }
    assert!(matches!(itk::crop(&volume, [0; 3], [0, 1, 1]), Err(ItkError::Grid(_))));
}

#[test]
fn components_are_measured_in_voxels() {
    let mut mask = Volume::filled(grid([6, 5, 4], 1.0), 0_u8);
    let whole = mask.grid().clone();
    // Two voxels that share a corner, and three in a row.
    for index in [[0, 0, 0], [1, 1, 1], [3, 4, 3], [4, 4, 3], [5, 4, 3]] {
        mask.voxels_mut()[whole.offset(index)] = 1;
    }
    let (labels, components) = itk::connected_components(&mask, &Monitor::default()).unwrap();
    assert_eq!((labels.at([4, 4, 3]), labels.at([1, 1, 1]), labels.at([2, 2, 2])), (1, 2, 0));
    let [row, pair] = components.as_slice() else { panic!("{components:?}") };
    assert_eq!((row.label, row.voxels, row.bounds_vox), (1, 3, [[3, 5], [4, 4], [3, 3]]));
    assert_eq!(row.centroid_vox, [4.0, 4.0, 3.0]);
    assert_eq!((pair.label, pair.voxels, pair.bounds_vox), (2, 2, [[0, 1]; 3]));
    assert_eq!(pair.centroid_vox, [0.5; 3]);
}

#[test]
fn linear_values_of_integers_are_rounded_not_truncated() {
    let volume = Volume::new(grid([2, 1, 1], 1.0), vec![-10_i16, -7]).unwrap();
    let between = Grid::axis_aligned([3, 1, 1], [0.25, 1.0, 1.0], [0.25, 0.0, 0.0]).unwrap();
    let found = itk::resample(&volume, &between, Interpolation::Linear, 0, &Monitor::default()).unwrap();
    // −9.25, −8.5, −7.75: nearest, ties upwards.
    assert_eq!(found.voxels(), [-9, -8, -8]);
}

#[test]
fn thin_axes_are_left_unsmoothed() {
    let volume = Volume::new(grid([1, 1, 3], 1.0), vec![0_i16, 100, 0]).unwrap();
    let found = itk::smooth_for(&volume, [5.0; 3], &Monitor::default()).unwrap();
    assert_eq!(found.voxels(), volume.voxels());
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let volume = Volume::filled(grid([2; 3], 1.0), 0_u8);
    let endless = grid([1 << 21, 1 << 21, 1 << 20], 1.0);
    let found = itk::resample(&volume, &endless, Interpolation::Nearest, 0, &Monitor::default());
    assert!(matches!(found, Err(ItkError::Memory { .. })));
}
