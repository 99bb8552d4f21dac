//! ITK through spinefx and ITK through SimpleITK agree, voxel for voxel, on oblique, flipped, sagittal
//! and left-handed grids, for operations and for files in both directions.
//!
//! SimpleITK's linear resampling truncates integers and spinefx rounds them, so integer results are
//! compared with SimpleITK's result in doubles, rounded here.

#[path = "geometry/oracle.rs"]
mod oracle;

use oracle::{Oracle, oracle};
use spinefx::itk::{self, FileFormat, Interpolation, ItkError, Pixel};
use spinefx::monitor::Monitor;
use spinefx::volume::{Grid, Volume};

const PLACES: [&str; 5] = ["straight", "oblique", "flipped", "sagittal", "left_handed"];
const OUTSIDE: f64 = 7.0;

/// Types in which the tests compare.
trait Compared: Pixel {
    const NAME: &str;
    fn from_f64(value: f64) -> Self;
    /// Whether `self` is what the double `wanted` should become.
    fn stands_for(self, wanted: f64) -> bool;
}

macro_rules! integers {
    ($($type:ident),*) => {$(
        impl Compared for $type {
            const NAME: &str = stringify!($type);
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            fn stands_for(self, wanted: f64) -> bool {
                // The two ITKs may sum eight products in another order; that shows only where the sum
                // is within 1e-9 of a tie.
                let rounded = |value: f64| (value + 0.5).floor();
                let found = f64::from(self);
                found == rounded(wanted - 1e-9) || found == rounded(wanted + 1e-9)
            }
        }
    )*};
}
integers!(u8, i16);

impl Compared for f32 {
    const NAME: &str = "f32";
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    fn stands_for(self, wanted: f64) -> bool {
        (f64::from(self) - wanted).abs() <= 1e-4
    }
}

fn typed<T: Compared>(volume: &Volume<f64>) -> Volume<T> {
    volume.map(|&value| T::from_f64(value))
}

fn assert_same_voxels<T: Compared>(found: &Volume<T>, wanted: &Volume<f64>, what: &str) {
    assert_eq!(found.grid().size(), wanted.grid().size(), "{what}");
    let differing = found.voxels().iter().zip(wanted.voxels()).filter(|(f, w)| !f.stands_for(**w)).count();
    assert_eq!(differing, 0, "{what}: of {} voxels", wanted.voxels().len());
}

fn assert_same_place(found: &Grid, wanted: &Grid, tolerance_mm: f64, what: &str) {
    assert!(found.same_place(wanted, tolerance_mm), "{what}: {found:?} is not {wanted:?}");
}

fn resampling_agrees<T: Compared>(oracle: &Oracle) {
    let outside = T::from_f64(OUTSIDE);
    for place in PLACES {
        let source: Volume<T> = typed(&oracle.volume(&format!("{place}_{}_source", T::NAME)));
        for (target, how, interpolation) in [
            ("far", "linear", Interpolation::Linear),
            ("far", "nearest", Interpolation::Nearest),
            ("half", "linear", Interpolation::Linear),
        ] {
            let name = format!("{place}_{}_{target}_{how}", T::NAME);
            let wanted = oracle.volume(&name);
            let found =
                itk::resample(&source, wanted.grid(), interpolation, outside, &Monitor::default()).unwrap();
            assert_same_voxels(&found, &wanted, &name);
            assert_eq!(found.grid(), wanted.grid(), "{name}");
            let beyond = wanted.voxels().iter().filter(|&&v| v == OUTSIDE).count();
            assert!(beyond < wanted.voxels().len() / 2, "{name}: too little of it inside to mean much");
        }
    }
}

#[test]
fn resampling_agrees_with_simpleitk() {
    let Some(oracle) = oracle() else { return };
    resampling_agrees::<i16>(oracle);
    resampling_agrees::<u8>(oracle);
    resampling_agrees::<f32>(oracle);
}

#[test]
fn orientation_agrees_with_simpleitk() {
    let Some(oracle) = oracle() else { return };
    for place in PLACES {
        let source: Volume<i16> = typed(&oracle.volume(&format!("{place}_i16_source")));
        let wanted = oracle.volume(&format!("{place}_i16_oriented"));
        let found = itk::orient(&source).unwrap();
        assert_same_voxels(&found, &wanted, place);
        assert_same_place(found.grid(), wanted.grid(), 1e-9, place);
    }
}

#[test]
fn smoothing_agrees_with_simpleitk() {
    let Some(oracle) = oracle() else { return };
    for place in PLACES {
        let sharp: Volume<f32> = typed(&oracle.volume(&format!("{place}_sharp")));
        // Along j the target is finer, so j stays as it is.
        let found = itk::smooth_for(&sharp, [2.0, 0.5, 3.0], &Monitor::default()).unwrap();
        assert_same_voxels(&found, &oracle.volume(&format!("{place}_smooth")), place);
        assert_eq!(found.grid(), sharp.grid());
        assert!(found.voxels() != sharp.voxels());
    }
}

#[test]
fn components_agree_with_simpleitk() {
    let Some(oracle) = oracle() else { return };
    for name in ["sparse", "dense", "empty"] {
        let mask: Volume<u8> = typed(&oracle.volume(&format!("{name}_mask")));
        let wanted = oracle.volume(&format!("{name}_labels"));
        let (labels, components) = itk::connected_components(&mask, &Monitor::default()).unwrap();
        let found: Vec<f64> = labels.voxels().iter().copied().map(f64::from).collect();
        assert!(found == wanted.voxels(), "{name}: the labels differ");
        let count = wanted.voxels().iter().copied().fold(0.0, f64::max);
        assert_eq!(components.len(), count as usize, "{name}");
        for component in &components {
            let size = wanted.voxels().iter().filter(|&&v| v == f64::from(component.label)).count();
            assert_eq!(component.voxels, size as u64, "{name} {}", component.label);
        }
    }
}

#[test]
fn files_of_simpleitk_are_read_alike() {
    let Some(oracle) = oracle() else { return };
    let mut compared = 0;
    for name in oracle.names().filter(|name| FileFormat::from_path(name.as_ref()).is_some()) {
        let found = itk::read_volume(&oracle.folder.join(name), 10_000).unwrap();
        let wanted = oracle.volume(name);
        assert_same_voxels(&found, &wanted, name);
        // NIfTI keeps the origin as float32, the others as decimals.
        assert_same_place(found.grid(), wanted.grid(), 1e-4, name);
        compared += 1;
    }
    assert_eq!(compared, PLACES.len() * (6 * 4 + 2));
}

#[test]
fn real_files_are_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let Some(real) = Oracle::real(folder.path()) else { return };
    assert!(real.names().count() > 10);
    for name in real.names() {
        let found = itk::read_volume(real.path(name), 1 << 28).unwrap();
        let wanted = real.volume(name);
        assert_same_voxels(&found, &wanted, &format!("{:?}", real.path(name)));
        assert_same_place(found.grid(), wanted.grid(), 1e-3, name);
    }
}

#[test]
fn one_frame_is_read_and_two_or_a_flat_picture_are_refused() {
    let Some(oracle) = oracle() else { return };
    let refusal = |name: String| itk::read_volume(&oracle.folder.join(&name), 100_000).unwrap_err();
    for format in FileFormat::ALL {
        let ending = format.extension();
        for name in [format!("frames2{ending}"), format!("flat{ending}")] {
            let error = refusal(name.clone());
            assert!(matches!(error, ItkError::UnsupportedFile { .. }), "{name}: {error}");
        }
        if format == FileFormat::Nrrd {
            // A 4-D NRRD has a 4-D space, which no rule maps to LPS.
            assert!(matches!(refusal(format!("frames1{ending}")), ItkError::UnsupportedFile { .. }));
            continue;
        }
        let found = itk::read_volume(&oracle.folder.join(format!("frames1{ending}")), 10_000).unwrap();
        let wanted = oracle.volume("frames1");
        assert_same_voxels(&found, &wanted, ending);
        assert_same_place(found.grid(), wanted.grid(), 1e-4, ending);
    }
}

#[test]
fn simpleitk_reads_our_files_alike() {
    let Some(oracle) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for (number, place) in PLACES.iter().enumerate() {
        for format in FileFormat::ALL {
            let source = oracle.volume(&format!("{place}_i16_source"));
            let name = format!("{place}{}", format.extension());
            let path = folder.path().join(&name);
            match number % 3 {
                0 => itk::write_volume(&typed::<i16>(&source), &path).unwrap(),
                1 => itk::write_volume(&typed::<f32>(&source), &path).unwrap(),
                _ => std::fs::write(
                    &path,
                    itk::write_volume_bytes(&source.map(|&v| v as i32), format).unwrap(),
                )
                .unwrap(),
            }
            written.push((name, source));
        }
    }
    let Some(read) = Oracle::reading(folder.path()) else { return };
    for (name, source) in written {
        let found = read.volume(&name);
        assert_eq!(found.voxels(), source.voxels(), "{name}");
        assert_same_place(found.grid(), source.grid(), 1e-4, &name);
    }
}
