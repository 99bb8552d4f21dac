//! Fractures grafted into a CT with known vertebrae: where they are, what they change, what they leave.

use spinefx::train::graft::{GraftError, GraftOptions, KINDS, graft};
use spinefx::train::phantom::{FractureKind, Phantom, PhantomConfig, Ranges, generate};
use spinefx::volume::Volume;

/// A healthy spine and a level of it that lies wholly in the field.
fn healthy() -> (Phantom, u8) {
    let config = PhantomConfig {
        seed: 21,
        spacing_mm: Some([1.5; 3]),
        field_mm: Some(190.0),
        prevalence: 0.0,
        ..PhantomConfig::default()
    };
    let phantom = generate(&config, 2).unwrap();
    let middle = phantom.truth.levels[phantom.truth.levels.len() / 2].id;
    (phantom, middle)
}

fn options(label: u8, kind: FractureKind) -> GraftOptions {
    GraftOptions { label, kind, seed: 4, ranges: Ranges::default().fracture }
}

fn count(mask: &Volume<u8>, value: u8) -> usize {
    mask.voxels().iter().map(|v| usize::from(*v == value)).sum()
}

/// Voxels of the fracture that lie in a level before the graft.
fn inside(fracture: &Volume<u8>, levels: &Volume<u8>, level: u8) -> usize {
    fracture.voxels().iter().zip(levels.voxels()).filter(|(f, l)| **f == 1 && **l == level).count()
}

#[test]
fn a_graft_breaks_its_vertebra_and_leaves_the_rest() {
    let (whole, level) = healthy();
    let grid = whole.ct.grid();
    let centre = whole.truth.levels.iter().find(|l| l.id == level).unwrap().center_lps;
    for kind in KINDS {
        let made = graft(&whole.ct, &whole.vertebrae, &options(level, kind)).unwrap();
        let broken = count(&made.fracture, 1);
        let within = inside(&made.fracture, &whole.vertebrae, level);
        assert!(broken > 300, "{kind:?}: {broken} voxels");
        assert!(within * 100 >= broken * 93, "{kind:?}: {within} of {broken} in the vertebra");
        let [nx, ny, _] = grid.size();
        let mut changed = 0;
        for (n, (now, before)) in made.ct.voxels().iter().zip(whole.ct.voxels()).enumerate() {
            let at = [n % nx, n / nx % ny, n / (nx * ny)].map(|v| v as f64);
            let p = grid.position_lps(at);
            let away = (0..3).map(|a| (p[a] - centre[a]).powi(2)).sum::<f64>().sqrt();
            changed += usize::from(now != before);
            assert!(now == before || away < 60.0, "{kind:?}: changed {away} mm away");
        }
        assert!(changed > 300, "{kind:?}: {changed} voxels changed");
    }
}

#[test]
fn compression_lowers_the_body_and_makes_it_denser() {
    let (whole, level) = healthy();
    let bodies: Vec<f64> = [FractureKind::Crush, FractureKind::Wedge, FractureKind::Biconcave]
        .into_iter()
        .map(|kind| {
            let made = graft(&whole.ct, &whole.vertebrae, &options(level, kind)).unwrap();
            let mean = |ct: &Volume<i16>| {
                let inside = ct.voxels().iter().zip(made.fracture.voxels()).filter(|(_, f)| **f == 1);
                inside.map(|(hu, _)| f64::from(*hu)).sum::<f64>() / count(&made.fracture, 1) as f64
            };
            let (now, before) = (mean(&made.ct), mean(&whole.ct));
            assert!(now > before + 5.0, "{kind:?}: {now} HU against {before}");
            count(&made.fracture, 1) as f64
        })
        .collect();
    let line = graft(&whole.ct, &whole.vertebrae, &options(level, FractureKind::Linear)).unwrap();
    let whole_vertebra = count(&whole.vertebrae, level) as f64;
    for body in bodies {
        assert!(body < 0.9 * whole_vertebra, "{body} of {whole_vertebra}");
        assert!(body > count(&line.fracture, 1) as f64, "a line is less than a body");
    }
}

#[test]
fn a_line_is_darker_than_the_bone_beside_it() {
    let (whole, level) = healthy();
    let made = graft(&whole.ct, &whole.vertebrae, &options(level, FractureKind::Linear)).unwrap();
    let steps: Vec<i32> =
        made.ct.voxels().iter().zip(whole.ct.voxels()).map(|(a, b)| i32::from(*a) - i32::from(*b)).collect();
    let changed: Vec<(i32, u8)> =
        steps.iter().zip(made.fracture.voxels()).filter(|(s, _)| **s != 0).map(|(s, f)| (*s, *f)).collect();
    assert!(changed.iter().all(|(_, f)| *f == 1), "a change outside the label");
    let mean = f64::from(changed.iter().map(|(s, _)| s).sum::<i32>()) / changed.len() as f64;
    assert!(mean < -20.0, "{mean} HU");
}

#[test]
fn one_seed_gives_one_graft() {
    let (whole, level) = healthy();
    let made = |seed| {
        let wanted = GraftOptions { seed, ..options(level, FractureKind::Wedge) };
        graft(&whole.ct, &whole.vertebrae, &wanted).unwrap()
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1).ct, made(2).ct);
}

#[test]
fn what_cannot_be_broken_is_refused() {
    let (whole, level) = healthy();
    let refused = |labels: &Volume<u8>, wanted: &GraftOptions| graft(&whole.ct, labels, wanted).unwrap_err();
    let none = refused(&whole.vertebrae, &options(99, FractureKind::Wedge));
    assert!(matches!(none, GraftError::NoWholeBody { label: 99, .. }), "{none}");
    let cut = whole.truth.levels[0].id;
    let at_edge = refused(&whole.vertebrae, &options(cut, FractureKind::Wedge));
    assert!(matches!(at_edge, GraftError::NoWholeBody { label, .. } if label == cut), "{at_edge}");
    let burst = refused(&whole.vertebrae, &options(level, FractureKind::Burst));
    assert!(matches!(burst, GraftError::Kind { kind: FractureKind::Burst }));
    let small = spinefx::volume::Grid::axis_aligned([9; 3], [1.0; 3], [0.0; 3]).unwrap();
    let elsewhere = refused(&Volume::filled(small, 1), &options(1, FractureKind::Wedge));
    assert!(matches!(elsewhere, GraftError::OtherGrid { labels: [9, 9, 9], .. }));
}
