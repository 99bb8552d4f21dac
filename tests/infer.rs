//! Inference over volumes: tiling, batching, skipping, cancelling.

#[path = "network/common.rs"]
mod common;

use common::{build, config, enliven, eval, lively, noise, saved};
use spinefx::infer::{
    Architecture, DeviceChoice, FusionError, InferError, InferOptions, Model, ModelConfig, ModelError, Place,
    Precision, save_weights,
};
use spinefx::monitor::{Monitor, Stage};
use spinefx::network::{MsffConfig, StoredAs, prefer_channels_last};
use spinefx::plane::Plane;
use spinefx::volume::{Grid, Volume};
use std::sync::{Arc, Mutex};
use tch::Tensor;

fn model(plane: Plane, batch: usize, precision: Precision) -> Model {
    model_on(None, plane, batch, precision)
}

fn model_on(threads: Option<usize>, plane: Plane, batch: usize, precision: Precision) -> Model {
    let config = config(plane, batch);
    let (store, _network) = lively();
    let choice = DeviceChoice { place: Place::Cpu, precision: Some(precision), threads };
    Model::from_parts(config, &saved(&store, StoredAs::F32), &choice).unwrap()
}

/// Noise, and a gate that keeps a ball and a lone voxel.
fn volume(size: [usize; 3]) -> (Volume<f32>, Volume<u8>) {
    let grid = Grid::axis_aligned(size, [1.0, 1.0, 2.0], [0.0; 3]).unwrap();
    let voxels = noise(&[grid.len() as i64], 5).clamp(-1.0, 1.0);
    let voxels = Vec::<f32>::try_from(voxels).unwrap();
    let mut gate = Volume::filled(grid.clone(), 0_u8);
    for k in 0..size[2] {
        for j in 0..size[1] {
            for i in 0..size[0] {
                let from = |n: usize, c: f64| (n as f64 - c).powi(2);
                let near = from(i, 20.0) + from(j, 25.0) + 4.0 * from(k, 4.0) < 100.0;
                gate.voxels_mut()[grid.offset([i, j, k])] = u8::from(near);
            }
        }
    }
    let last = grid.offset([size[0] - 1, size[1] - 1, size[2] - 1]);
    gate.voxels_mut()[last] = 1;
    (Volume::new(grid, voxels).unwrap(), gate)
}

const SIZE: [usize; 3] = [70, 60, 9];

fn run(model: &Model, skip_empty: bool) -> Volume<f32> {
    let (values, gate) = volume(SIZE);
    model.probabilities(&values, &gate, InferOptions { skip_empty }, &Monitor::default()).unwrap()
}

#[test]
fn skipping_empty_tiles_changes_no_bit() {
    for (plane, batch) in [(Plane::Axial, 3), (Plane::Sagittal, 3), (Plane::Axial, 1)] {
        let model = model(plane, batch, Precision::Fp32);
        let (all, some) = (run(&model, false), run(&model, true));
        assert!(same_bits(&all, &some), "{plane:?} in batches of {batch}");
        let (_, gate) = volume(SIZE);
        let kept = |keep: u8| some.voxels().iter().zip(gate.voxels()).filter(move |(_, g)| **g == keep);
        assert!(kept(0).all(|(p, _)| *p == 0.0));
        assert!(kept(1).all(|(p, _)| *p > 0.0 && *p < 1.0));
        let (low, high) = kept(1).fold((1.0_f32, 0.0_f32), |(l, h), (p, _)| (l.min(*p), h.max(*p)));
        assert!(high - low > 0.01, "probabilities that do not vary prove nothing: {low} to {high}");
    }
}

fn same_bits(a: &Volume<f32>, b: &Volume<f32>) -> bool {
    a.voxels().iter().zip(b.voxels()).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[test]
fn threads_change_no_bit() {
    for precision in [Precision::Fp32, Precision::Bf16] {
        let with = |threads| run(&model_on(Some(threads), Plane::Axial, 1, precision), true);
        let alone = with(1);
        for threads in [2, 5] {
            assert!(same_bits(&alone, &with(threads)), "{precision:?}, {threads} threads");
        }
    }
}

#[test]
fn a_tile_does_not_see_its_batch() {
    let (one, eight) = (
        run(&model(Plane::Axial, 1, Precision::Fp32), true),
        run(&model(Plane::Axial, 8, Precision::Fp32), true),
    );
    let difference = |(a, b): (&f32, &f32)| (a - b).abs();
    let largest = one.voxels().iter().zip(eight.voxels()).map(difference).fold(0.0, f32::max);
    eprintln!("largest difference between batch 1 and batch 8: {largest:.1e}");
    assert!(largest < 1e-5, "{largest}");
}

/// The oracle: a volume of exactly one tile per slice needs no tiling or blending at all.
#[test]
fn a_slice_of_one_tile_is_one_forward_pass() {
    let size = [48, 32, 3];
    let (values, _) = volume(size);
    let gate = Volume::filled(values.grid().clone(), 1);
    let model = model(Plane::Axial, 2, Precision::Fp32);
    let found = model.probabilities(&values, &gate, InferOptions::default(), &Monitor::default()).unwrap();
    let (store, network) = lively();
    prefer_channels_last(&store);
    let expected = eval(&network, &Tensor::from_slice(values.voxels()).view([3, 1, 32, 48])).sigmoid();
    let difference = (Tensor::from_slice(found.voxels()).view([3, 1, 32, 48]) - expected).abs().max();
    assert!(difference.double_value(&[]) < 1e-5, "{difference:?}");
}

/// The same oracle for slices that are read with their neighbours; the volume's ends repeat.
#[test]
fn a_slice_is_read_with_its_neighbours() {
    let (values, _) = volume([48, 32, 4]);
    let gate = Volume::filled(values.grid().clone(), 1);
    let msff = MsffConfig { neighbours: 1, ..MsffConfig::with_width(8) };
    let (store, network) = build(&msff);
    enliven(&store, &network, 3);
    let config = ModelConfig { architecture: Architecture::Msff(msff), ..config(Plane::Axial, 3) };
    let choice = DeviceChoice { place: Place::Cpu, precision: None, threads: None };
    let model = Model::from_parts(config, &saved(&store, StoredAs::F32), &choice).unwrap();
    let found = model.probabilities(&values, &gate, InferOptions::default(), &Monitor::default()).unwrap();
    let slices = Tensor::from_slice(values.voxels()).view([4, 1, 32, 48]);
    let at =
        |first: i64| slices.index_select(0, &Tensor::from_slice(&[0, 0, 1, 2, 3, 3]).narrow(0, first, 4));
    let expected = eval(&network, &Tensor::cat(&[at(0), at(1), at(2)], 1)).sigmoid();
    let alone = eval(&network, &slices.expand([4, 3, 32, 48], false)).sigmoid();
    let difference = |other: &Tensor| {
        (Tensor::from_slice(found.voxels()).view([4, 1, 32, 48]) - other).abs().max().double_value(&[])
    };
    assert!(difference(&expected) < 1e-5, "{}", difference(&expected));
    assert!(difference(&alone) > 1e-3, "the neighbours do not matter: {}", difference(&alone));
}

#[test]
fn cancelling_stops_between_passes() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let steps = Arc::clone(&seen);
    let monitor = Monitor::new(move |progress| steps.lock().unwrap().push(progress));
    let model = model(Plane::Axial, 2, Precision::Fp32);
    let (values, gate) = volume(SIZE);
    model.probabilities(&values, &gate, InferOptions::default(), &monitor).unwrap();
    let steps = seen.lock().unwrap().clone();
    assert!(steps.iter().all(|p| p.stage == Stage::Infer && p.total == 9));
    assert!(steps.is_sorted_by_key(|p| p.done));
    assert_eq!(steps.last().unwrap().done, 9);
    monitor.cancel();
    let stopped = model.probabilities(&values, &gate, InferOptions::default(), &monitor);
    assert!(matches!(stopped, Err(InferError::Cancelled(_))));
}

#[test]
fn refuses_a_volume_that_was_not_made_for_it() {
    let model = model(Plane::Axial, 1, Precision::Fp32);
    let (values, gate) = volume(SIZE);
    let run = |values: &Volume<f32>, gate: &Volume<u8>| {
        model.probabilities(values, gate, InferOptions::default(), &Monitor::default()).unwrap_err()
    };
    let (_, other) = volume([30, 30, 5]);
    assert!(matches!(run(&values, &other), InferError::GateSize { .. }));
    let grid = Grid::axis_aligned(SIZE, [1.0; 3], [0.0; 3]).unwrap();
    let coarse = Volume::new(grid, values.voxels().to_vec()).unwrap();
    assert!(matches!(run(&coarse, &gate), InferError::Spacing { .. }));
    let nan = values.map(|_| f32::NAN);
    assert!(matches!(run(&nan, &gate), InferError::NotFinite { .. }));
}

#[test]
fn a_model_comes_from_its_folder() {
    fn sendable<T: Send>(_: &T) {}
    let folder = tempfile::tempdir().unwrap();
    let choice = DeviceChoice { place: Place::Cpu, ..DeviceChoice::default() };
    let nothing = Model::load(folder.path(), &choice);
    assert!(matches!(nothing, Err(ModelError::Io { path, .. }) if path.ends_with("config.json")));
    let (store, _network) = lively();
    let config = config(Plane::Sagittal, 2);
    std::fs::write(folder.path().join("config.json"), config.to_json().unwrap()).unwrap();
    save_weights(&store, &folder.path().join("weights.safetensors"), StoredAs::F16).unwrap();
    let model = Model::load(folder.path(), &choice).unwrap();
    sendable(&model);
    assert_eq!((model.config(), model.parameters()), (&config, 376_557));
    assert_eq!((model.device().as_str(), model.weights_sha256().len()), ("cpu", 64));
}

/// Convolutions on a GPU round their factors to TF32's 11 bits, hence the wider margin than elsewhere.
#[test]
fn a_gpu_finds_the_same_probabilities() {
    let place = Place::Cuda(0);
    let choice = DeviceChoice { place, precision: Some(Precision::Fp32), ..DeviceChoice::default() };
    if let Err(reason) = choice.device() {
        eprintln!("SKIP: {reason}");
        return;
    }
    let (store, _network) = lively();
    let weights = saved(&store, StoredAs::F32);
    let there = Model::from_parts(config(Plane::Axial, 4), &weights, &choice).unwrap();
    assert_eq!(there.device(), "cuda:0");
    let (here, there) = (run(&model(Plane::Axial, 4, Precision::Fp32), true), run(&there, true));
    let differences = here.voxels().iter().zip(there.voxels()).map(|(a, b)| (a - b).abs());
    let largest = differences.fold(0.0, f32::max);
    assert!(largest < 5e-3, "{largest}");
}

/// Folders of an axial and a sagittal model, and of a fusion of these and whatever `fuse` names.
fn fusion(fuse: &[&str], spoil: impl Fn(&mut ModelConfig)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (store, _network) = lively();
    for plane in [Plane::Axial, Plane::Sagittal] {
        let own = folder.path().join(plane.name());
        std::fs::create_dir(&own).unwrap();
        let mut config = config(plane, 3);
        if plane == Plane::Sagittal {
            spoil(&mut config);
        }
        std::fs::write(own.join("config.json"), config.to_json().unwrap()).unwrap();
        save_weights(&store, &own.join("weights.safetensors"), StoredAs::F32).unwrap();
    }
    let own = folder.path().join("both");
    std::fs::create_dir(&own).unwrap();
    let json = serde_json::json!({
        "name": "both", "version": "2", "description": "Two planes.", "fuse": fuse,
        "threshold": 0.4, "minimum_component_mm3": 7.0,
    });
    std::fs::write(own.join("config.json"), json.to_string()).unwrap();
    folder
}

const CPU: DeviceChoice = DeviceChoice { place: Place::Cpu, precision: None, threads: None };

#[test]
fn a_fusion_is_the_mean_of_its_members() {
    let folder = fusion(&["../axial", "../sagittal"], |_| ());
    let load = |name: &str| Model::load(&folder.path().join(name), &CPU).unwrap();
    let (axial, sagittal, both) = (load("axial"), load("sagittal"), load("both"));
    let (a, s, mean) = (run(&axial, true), run(&sagittal, true), run(&both, true));
    let expected = a.voxels().iter().zip(s.voxels()).map(|(a, s)| (a + s) / 2.0);
    assert!(expected.zip(mean.voxels()).all(|(e, m)| e.to_bits() == m.to_bits()));
    assert!(a.voxels().iter().zip(s.voxels()).any(|(a, s)| (a - s).abs() > 1e-3), "the planes differ");
    assert_eq!(mean.grid(), a.grid());

    let config = both.config();
    assert_eq!((config.name.as_str(), config.version.as_str()), ("both", "2"));
    assert_eq!((config.threshold, config.minimum_component_mm3), (0.4, 7.0));
    assert_eq!(config.recipe(), axial.config().recipe());
    assert_eq!((both.planes().as_str(), both.architectures().as_str()), ("axial + sagittal", "msff"));
    assert_eq!(both.parameters(), 2 * axial.parameters());
    let hashes = format!("{}{}", axial.weights_sha256(), sagittal.weights_sha256());
    assert_eq!(both.weights_sha256(), hex::encode(<sha2::Sha256 as sha2::Digest>::digest(hashes)));
}

#[test]
fn a_fusion_tells_how_far_all_members_are_and_stops() {
    let folder = fusion(&["../axial", "../sagittal"], |_| ());
    let model = Model::load(&folder.path().join("both"), &CPU).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let steps = Arc::clone(&seen);
    let monitor = Monitor::new(move |progress| steps.lock().unwrap().push(progress));
    let (values, gate) = volume(SIZE);
    model.probabilities(&values, &gate, InferOptions::default(), &monitor).unwrap();
    let steps = seen.lock().unwrap().clone();
    let total = SIZE[2] + SIZE[0];
    assert!(steps.iter().all(|p| p.stage == Stage::Infer && p.total == total));
    assert!(steps.is_sorted_by_key(|p| p.done));
    assert_eq!(steps.last().unwrap().done, total);
    monitor.cancel();
    let stopped = model.probabilities(&values, &gate, InferOptions::default(), &monitor);
    assert!(matches!(stopped, Err(InferError::Cancelled(_))));
}

#[test]
fn members_that_do_not_fit_together_are_refused() {
    type Spoil = fn(&mut ModelConfig);
    let refused = |fuse: &[&str], spoil: Spoil| {
        let folder = fusion(fuse, spoil);
        match Model::load(&folder.path().join("both"), &CPU).unwrap_err() {
            ModelError::Fusion(error) => error,
            other => panic!("{other}"),
        }
    };
    let pair = ["../axial", "../sagittal"];
    let spoils: [(&str, Spoil); 5] = [
        ("spacing_mm", |c| c.spacing_mm = [1.0; 3]),
        ("window_hu", |c| c.window_hu[0] = -100.0),
        ("bone_hu", |c| c.bone_hu = 200.0),
        ("bone_margin_mm", |c| c.bone_margin_mm = 6.0),
        ("spine_reach_mm", |c| c.spine_reach_mm = Some(60.0)),
    ];
    for (expected, spoil) in spoils {
        let error = refused(&pair, spoil);
        assert!(
            matches!(&error, FusionError::Recipe { key, member, .. }
                if *key == expected && member == "../sagittal"),
            "{error}"
        );
    }
    assert!(matches!(refused(&["../axial"], |_| ()), FusionError::Count { found: 1 }));
    assert!(matches!(refused(&["../axial", "../both"], |_| ()), FusionError::Nested { .. }));
    let error = refused(&["../axial", "../coronal"], |_| ());
    assert!(matches!(&error, FusionError::Member { member, .. } if member == "../coronal"), "{error}");
    let folder = fusion(&pair, |_| ());
    let misspelt = std::fs::read_to_string(folder.path().join("both/config.json")).unwrap();
    let misspelt = misspelt.replace("threshold", "treshold");
    std::fs::write(folder.path().join("both/config.json"), misspelt).unwrap();
    let error = Model::load(&folder.path().join("both"), &CPU).unwrap_err();
    assert!(matches!(&error, ModelError::Config(_)) && error.to_string().contains("treshold"), "{error}");
}
