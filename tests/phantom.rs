//! The synthetic spine: reproducible, in range, and true to its own truth.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use spinefx::dicom::{Limits, ReadOptions, Segmentation, read_path};
use spinefx::itk::{read_mask, read_volume};
use spinefx::monitor::Monitor;
use spinefx::train::phantom::{
    CONFIG_FILE, Format, FractureKind, Phantom, PhantomConfig, PhantomOptions, Site, Truth, generate, run,
};
use spinefx::volume::Volume;

fn coarse(spacing: f64, prevalence: f64) -> PhantomConfig {
    PhantomConfig { seed: 11, spacing_mm: Some([spacing; 3]), prevalence, ..PhantomConfig::default() }
}

fn made(config: &PhantomConfig, index: u64) -> Phantom {
    generate(config, index).unwrap()
}

fn digest(phantom: &Phantom) -> [u8; 32] {
    let mut hash = Sha256::new();
    phantom.ct.voxels().iter().for_each(|v| hash.update(v.to_le_bytes()));
    for mask in [&phantom.fracture, &phantom.gap, &phantom.vertebrae] {
        hash.update(mask.voxels());
    }
    hash.finalize().into()
}

/// Voxels, bounds and centroid of the fracture on one level, counted anew.
fn counted(phantom: &Phantom, id: u8) -> (u64, [[f64; 3]; 2], [f64; 3]) {
    let grid = phantom.fracture.grid();
    let [nx, ny, _] = grid.size();
    let (mut count, mut sum) = (0, [0.0; 3]);
    let mut bounds = [[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]];
    for (n, (mask, level)) in phantom.fracture.voxels().iter().zip(phantom.vertebrae.voxels()).enumerate() {
        if *mask == 0 || *level != id {
            continue;
        }
        count += 1;
        let p = grid.position_lps([(n % nx) as f64, (n / nx % ny) as f64, (n / (nx * ny)) as f64]);
        for axis in 0..3 {
            sum[axis] += p[axis];
            bounds[0][axis] = bounds[0][axis].min(p[axis]);
            bounds[1][axis] = bounds[1][axis].max(p[axis]);
        }
    }
    (count, bounds, sum.map(|v| v / count as f64))
}

#[test]
fn one_seed_gives_one_phantom_whatever_the_threads() {
    let config = PhantomConfig { spacing_mm: Some([1.6, 1.6, 3.0]), ..coarse(2.0, 1.0) };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| digest(&made(&config, 2)))
    };
    let one = with(1);
    assert_eq!(one, with(3));
    assert_ne!(one, digest(&made(&config, 3)));
    assert_ne!(one, digest(&made(&PhantomConfig { seed: 12, ..config.clone() }, 2)));
}

#[test]
fn spacing_and_field_are_those_asked_for() {
    let config =
        PhantomConfig { spacing_mm: Some([2.0, 2.0, 4.0]), field_mm: Some(120.0), ..coarse(2.0, 1.0) };
    let grid = made(&config, 0).ct.grid().clone();
    assert_eq!(grid.size(), [60, 60, 30]);
    assert_eq!(grid.spacing_mm(), [2.0, 2.0, 4.0]);
    assert_eq!(grid.origin_lps(), [-59.0, -59.0, -58.0]);
    assert!(generate(&PhantomConfig { spacing_mm: Some([0.0; 3]), ..config.clone() }, 0).is_err());
    assert!(generate(&PhantomConfig { field_mm: Some(0.0), ..config }, 0).is_err());
}

#[test]
fn masks_lie_on_the_ct_and_inside_vertebrae() {
    for index in 0..6 {
        let phantom = made(&coarse(2.0, 1.0), index);
        for mask in [&phantom.fracture, &phantom.gap, &phantom.vertebrae] {
            assert_eq!(mask.grid(), phantom.ct.grid());
        }
        for (n, level) in phantom.vertebrae.voxels().iter().enumerate() {
            let (fracture, gap) = (phantom.fracture.voxels()[n], phantom.gap.voxels()[n]);
            assert!(fracture <= 1 && gap <= 1);
            assert!(*level > 0 || (fracture == 0 && gap == 0), "a fracture outside bone at {n}");
            assert!(gap <= fracture, "a gap outside the fracture at {n}");
        }
    }
}

#[test]
fn truth_is_what_the_masks_hold() {
    for index in 0..8 {
        let phantom = made(&coarse(2.0, 1.0), index);
        let mut voxels = 0;
        for (level, fracture) in phantom.truth.fractures() {
            let (count, bounds, centroid) = counted(&phantom, level.id);
            voxels += count;
            assert_eq!(fracture.volume_mm3, count as f64 * 8.0);
            assert_eq!(fracture.box_lps, bounds);
            assert!((0..3).all(|n| (fracture.centroid_lps[n] - centroid[n]).abs() < 1e-6));
        }
        assert!(voxels > 0, "phantom {index} has no fracture at prevalence 1");
        let all: u64 = phantom.fracture.voxels().iter().map(|v| u64::from(*v)).sum();
        assert_eq!(voxels, all, "every fracture voxel belongs to a level of the truth");
        let ids: HashSet<u8> = phantom.vertebrae.voxels().iter().copied().filter(|v| *v > 0).collect();
        assert_eq!(ids, phantom.truth.levels.iter().map(|l| l.id).collect());
    }
}

#[test]
fn every_kind_occurs_as_often_as_its_weight() {
    let config = coarse(4.0, 1.0);
    let mut kinds = Vec::new();
    let mut sites = HashSet::new();
    for index in 0..120 {
        for (_, fracture) in made(&config, index).truth.fractures() {
            kinds.push(fracture.kind);
            sites.insert(fracture.site);
            let linear = fracture.kind == FractureKind::Linear;
            assert_eq!(fracture.height_loss == 0.0, linear);
            assert!(linear || (0.2..=0.6).contains(&fracture.height_loss));
            assert!(linear || (1..=3).contains(&fracture.grade));
        }
    }
    for (kind, share) in FractureKind::ALL.into_iter().zip([0.28, 0.18, 0.12, 0.17, 0.25]) {
        let found = kinds.iter().filter(|k| **k == kind).count() as f64;
        let count = kinds.len() as f64;
        // Three and a half deviations of the binomial: a false alarm in 2,000 seeds.
        let deviation = (count * share * (1.0_f64 - share)).sqrt();
        assert!((found - count * share).abs() < 3.5 * deviation, "{kind:?}: {found} of {count}");
    }
    assert!(sites.contains(&Site::Body) && sites.len() >= 4, "{sites:?}");
}

#[test]
fn prevalence_is_that_asked_for() {
    let config = PhantomConfig { field_mm: Some(130.0), ..coarse(3.0, 0.65) };
    let broken = (0..40).filter(|n| made(&config, *n).truth.fractures().next().is_some()).count();
    // 26 expected; the binomial stays within 16..=36 in 99.9 % of seeds.
    assert!((16..=36).contains(&broken), "{broken} of 40");
    let none = coarse(4.0, 0.0);
    assert!((0..10).all(|n| made(&none, n).fracture.voxels().iter().all(|v| *v == 0)));
}

#[test]
fn only_the_kinds_asked_for_are_drawn() {
    let config = PhantomConfig { kinds: vec![FractureKind::Linear, FractureKind::Crush], ..coarse(4.0, 1.0) };
    let kinds: HashSet<FractureKind> = (0..20)
        .flat_map(|n| made(&config, n).truth.fractures().map(|(_, f)| f.kind).collect::<Vec<_>>())
        .collect();
    assert_eq!(kinds, HashSet::from([FractureKind::Linear, FractureKind::Crush]));
}

#[test]
fn fields_and_slices_vary_as_scanners_do() {
    let config = PhantomConfig { spacing_mm: None, ..coarse(4.0, 0.0) };
    let mut slices = Vec::new();
    for index in 0..40 {
        let key = spinefx::train::phantom::random::Key { seed: config.seed, index };
        let ranges = &config.ranges.acquisition;
        slices.push(spinefx::train::phantom::Scanner::draw(key, ranges, None).spacing_mm[2]);
    }
    assert!(slices.iter().all(|s| (0.6..=5.0).contains(s)), "{slices:?}");
    assert!(slices.iter().any(|s| *s < 0.8) && slices.iter().any(|s| *s > 3.0), "{slices:?}");
    let fields: Vec<[usize; 3]> = (0..8).map(|n| made(&coarse(4.0, 0.0), n).ct.grid().size()).collect();
    assert!(fields.iter().any(|f| *f != fields[0]), "{fields:?}");
}

#[test]
fn a_chest_has_lungs_and_bones_beside_the_spine() {
    let mut chests = 0;
    for index in 0..12 {
        let phantom = made(&coarse(2.0, 0.0), index);
        if phantom.truth.levels.iter().any(|l| l.id > 17) {
            continue;
        }
        chests += 1;
        let share = |test: &dyn Fn(i16) -> bool| {
            let voxels = phantom.ct.voxels().iter().zip(phantom.vertebrae.voxels());
            voxels.filter(|(hu, level)| **level == 0 && test(**hu)).count() as f64
                / phantom.ct.voxels().len() as f64
        };
        let (lung, bone) = (share(&|hu| (-930..-700).contains(&hu)), share(&|hu| hu > 350));
        assert!(lung > 0.08, "phantom {index}: {lung} of the field is lung");
        assert!(bone > 0.003, "phantom {index}: {bone} of the field is bone beside the spine");
    }
    assert!(chests >= 1, "no chest among 12 phantoms");
}

/// Mean and deviation of a sample of HU.
fn statistics(values: &[f32]) -> (f32, f32) {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
    (mean, variance.sqrt())
}

#[test]
fn tissues_have_their_hounsfield_units() {
    for index in 0..3 {
        // Wide enough for the air behind any back.
        let config = PhantomConfig { field_mm: Some(235.0), ..coarse(1.25, 0.0) };
        let phantom = made(&config, index);
        let grid = phantom.ct.grid().clone();
        let near = |centre: [f64; 3], reach: f64| -> Vec<f32> {
            let at = grid.index_of(centre).map(|v| v.round() as i64);
            let half = (reach / 1.25) as i64;
            let span = -half..=half;
            let cells = span.clone().flat_map(|i| {
                let span = span.clone();
                span.clone().flat_map(move |j| span.clone().map(move |k| [i, j, k]))
            });
            cells.map(|c| f32::from(phantom.ct.at([0, 1, 2].map(|n| (at[n] + c[n]) as usize)))).collect()
        };
        let middle = &phantom.truth.levels[phantom.truth.levels.len() / 2];
        let (cancellous, spread) = statistics(&near(middle.center_lps, 5.0));
        assert!((40.0..300.0).contains(&cancellous), "cancellous {cancellous}");
        assert!((8.0..110.0).contains(&spread), "texture and noise {spread}");
        let [nx, ny, nz] = grid.size();
        let (air, _) = statistics(&near(grid.position_lps([3.0, ny as f64 - 3.0, nz as f64 / 2.0]), 2.0));
        assert!((-1024.0..-970.0).contains(&air), "air behind the back {air} ({nx})");
        let cortex = phantom.vertebrae.voxels().iter().zip(phantom.ct.voxels());
        let brightest = cortex.filter(|(level, _)| **level > 0).map(|(_, hu)| *hu).max().unwrap();
        assert!((450..1700).contains(&brightest), "brightest bone {brightest}");
    }
}

#[test]
fn a_compressed_body_is_lower_and_denser_than_its_whole_twin() {
    // The same seed with and without fractures: the levels' own draws are the same.
    let (mut compared, broken, whole) = (0, coarse(2.0, 1.0), coarse(2.0, 0.0));
    for index in 0..10 {
        let (hurt, twin) = (made(&broken, index), made(&whole, index));
        for (level, fracture) in hurt.truth.fractures() {
            if !matches!(fracture.kind, FractureKind::Crush | FractureKind::Wedge) {
                continue;
            }
            let height = |phantom: &Phantom| {
                let centre = phantom.truth.levels.iter().find(|l| l.id == level.id).unwrap().center_lps;
                let at = phantom.ct.grid().index_of(centre).map(|v| v.round() as usize);
                let front = at[1] - 4;
                let column = (0..phantom.ct.grid().size()[2]).map(|k| [at[0], front, k]);
                column.filter(|p| phantom.vertebrae.at(*p) == level.id).count() as f64
            };
            let (now, before) = (height(&hurt), height(&twin));
            assert!(now < before, "{} {:?}: {now} against {before}", level.name, fracture.kind);
            compared += 1;
        }
    }
    assert!(compared >= 3, "only {compared} compared");
}

/// Distance of every masked voxel's centre to the best plane through the gap's voxels.
fn thickness_about_gap(phantom: &Phantom, id: u8) -> Option<f64> {
    let grid = phantom.gap.grid();
    let [nx, ny, _] = grid.size();
    let points = |mask: &Volume<u8>| -> Vec<[f64; 3]> {
        let voxels = mask.voxels().iter().zip(phantom.vertebrae.voxels()).enumerate();
        let set = voxels.filter(|(_, (mask, level))| **mask == 1 && **level == id);
        set.map(|(n, _)| grid.position_lps([(n % nx) as f64, (n / nx % ny) as f64, (n / (nx * ny)) as f64]))
            .collect()
    };
    let (gap, fracture) = (points(&phantom.gap), points(&phantom.fracture));
    if gap.len() < 30 {
        return None;
    }
    let nearest = |p: &[f64; 3]| {
        gap.iter()
            .map(|g| (0..3).map(|n| (p[n] - g[n]).powi(2)).sum::<f64>())
            .fold(f64::INFINITY, f64::min)
            .sqrt()
    };
    fracture.iter().map(nearest).reduce(f64::max)
}

#[test]
fn a_linear_fracture_is_labelled_about_its_gap() {
    let config = coarse(1.25, 1.0);
    let mut checked = 0;
    // Kinds do not depend on the spacing, so a coarse pass finds the linear ones quickly.
    let quick = coarse(4.0, 1.0);
    let linear = (0..60).filter(|n| {
        made(&quick, *n)
            .truth
            .fractures()
            .any(|(_, f)| f.kind == FractureKind::Linear && f.site == Site::Body)
    });
    for index in linear.take(3) {
        let phantom = made(&config, index);
        for (level, fracture) in phantom.truth.fractures() {
            if fracture.kind != FractureKind::Linear || fracture.site != Site::Body {
                continue;
            }
            let Some(far) = thickness_about_gap(&phantom, level.id) else { continue };
            // 2 mm beyond the gap, plus a voxel's diagonal: both sets hold centres only.
            assert!((1.5..2.0 + 1.25 * 3.0_f64.sqrt() + 0.6).contains(&far), "{far} mm");
            checked += 1;
        }
    }
    assert!(checked >= 1, "no linear fracture with a gap wider than a voxel");
}

#[test]
fn a_set_is_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = PhantomConfig { field_mm: Some(120.0), ..coarse(2.5, 1.0) };
    let options = PhantomOptions {
        config: config.clone(),
        first: 4,
        count: 2,
        out: dir.path().to_owned(),
        formats: vec![Format::Nifti, Format::Dicom],
    };
    let mut seen = Vec::new();
    let rows = run(&options, |done| seen.push(done)).unwrap();
    assert_eq!(seen, [1, 2]);
    assert_eq!(rows[0].id, "phantom-11-4");
    assert_eq!(PhantomConfig::read(&dir.path().join(CONFIG_FILE)).unwrap(), config);
    let index = std::fs::read_to_string(dir.path().join("index.csv")).unwrap();
    assert!(index.starts_with("id,ct,mask,kinds\nphantom-11-4,phantom-11-4/ct.nii.gz,"), "{index}");
    for (row, index) in rows.iter().zip(4..) {
        let phantom = made(&config, index);
        let ct = read_volume(&dir.path().join(&row.ct), 1 << 24).unwrap();
        assert_eq!(ct.voxels(), phantom.ct.voxels());
        assert!(ct.grid().same_place(phantom.ct.grid(), 1e-4));
        let mask = read_mask(&dir.path().join(&row.mask), 1 << 24).unwrap();
        assert_eq!(mask.voxels(), phantom.fracture.voxels());
        let folder = dir.path().join(&row.id);
        let text = std::fs::read_to_string(folder.join("truth.json")).unwrap();
        assert_eq!(serde_json::from_str::<Truth>(&text).unwrap(), phantom.truth);
        let series = read_path(&folder.join("dicom"), ReadOptions::default(), &Monitor::default()).unwrap();
        assert_eq!(series.volume.voxels(), phantom.ct.voxels());
        assert!(series.volume.grid().same_place(phantom.ct.grid(), 1e-4));
        let seg = Segmentation::open(&folder.join("fracture.dcm"), &Limits::default()).unwrap();
        assert_eq!(seg.referenced_series_uid().as_deref(), Some(series.source.series_instance_uid()));
        let truth = seg.on_grid(series.volume.grid(), &[]).unwrap();
        assert!(truth.voxels().iter().map(|v| *v as u8).eq(phantom.fracture.voxels().iter().copied()));
    }
}

#[test]
fn a_configuration_changes_what_it_names_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("three.json");
    let text = r#"{"seed": 11, "spacing_mm": [2.5, 2.5, 2.5], "prevalence": 1, "most_fractures": 3,
        "ranges": {"fracture": {"second": {"lo": 1, "hi": 1}, "loss": {"lo": 0.21, "hi": 0.24}}}}"#;
    std::fs::write(&file, text).unwrap();
    let config = PhantomConfig::read(&file).unwrap();
    config.check().unwrap();
    let plain = PhantomConfig::default();
    assert_eq!(config.ranges.fracture.gap_mm, plain.ranges.fracture.gap_mm);
    assert_eq!(config.kinds, plain.kinds);
    let losses: Vec<f64> = made(&config, 0).truth.fractures().map(|(_, f)| f.height_loss).collect();
    assert_eq!(losses.len(), 3);
    assert!(losses.iter().all(|loss| *loss == 0.0 || (0.21..0.24).contains(loss)), "{losses:?}");
    let fewer = PhantomConfig { most_fractures: 1, ..config };
    assert_eq!(made(&fewer, 0).truth.fractures().count(), 1);
}

#[test]
fn a_configuration_of_no_use_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let error = |text: &str| {
        let path = dir.path().join("set.json");
        std::fs::write(&path, text).unwrap();
        let out = dir.path().join("set");
        let set =
            |config| PhantomOptions { config, first: 0, count: 1, out: out.clone(), formats: Vec::new() };
        let error = match PhantomConfig::read(&path) {
            Ok(config) => run(&set(config), |_| ()).expect_err(text).to_string(),
            Err(error) => error.to_string(),
        };
        assert!(!out.exists(), "{text} left something");
        error
    };
    for (text, what) in [
        (r#"{"prevalense": 1}"#, "prevalense"),
        (r#"{"ranges": {"fracture": {"los": {"lo": 0, "hi": 1}}}}"#, "los"),
        (r#"{"prevalence": 1.5}"#, "prevalence must be 0 to 1, not 1.5"),
        (r#"{"most_fractures": 0}"#, "most_fractures must be 1 to 26"),
        (r#"{"spacing_mm": [1, 1, 0.01]}"#, "spacing_mm must be 0.3 to 10"),
        (r#"{"ranges": {"tissue": {"fat_hu": {"lo": -80, "hi": -90}}}}"#, "ranges.tissue.fat_hu"),
        (r#"{"ranges": {"acquisition": {"field_mm": {"lo": 1, "hi": 9000}}}}"#, "field_mm must be 20 to 600"),
        (r#"{"ranges": {"acquisition": {"psf_mm": {"lo": 1, "hi": 50}}}}"#, "psf_mm must be 0 to 10"),
        ("no JSON", "set.json"),
    ] {
        assert!(error(text).contains(what), "{text}: {}", error(text));
    }
    let none = PhantomConfig::read(&dir.path().join("none.json")).unwrap_err().to_string();
    assert!(none.contains("none.json"), "{none}");
}
