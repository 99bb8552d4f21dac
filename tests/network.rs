//! The network: shapes, weights, learning, and inference over volumes.

use spinefx::infer::{
    Architecture, DeviceChoice, InferError, InferOptions, Model, ModelConfig, ModelError, Place, Plane,
    Precision,
};
use spinefx::monitor::{Monitor, Stage};
use spinefx::network::{
    AsppInput, Module, Msff, MsffConfig, NetworkError, StoredAs, WeightsError, load_weights,
    prefer_channels_last, save_weights,
};
use spinefx::volume::{Grid, Volume};
use std::sync::{Arc, Mutex, OnceLock};
use tch::nn::OptimizerConfig;
use tch::{Device, Kind, Reduction, Tensor, nn};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

fn build(config: &MsffConfig) -> (nn::VarStore, Msff) {
    tch::manual_seed(7);
    let store = nn::VarStore::new(Device::Cpu);
    let network = Msff::new(&store.root(), config).unwrap();
    (store, network)
}

fn eval(network: &Msff, slices: &Tensor) -> Tensor {
    tch::no_grad(|| network.logits(slices, false)).unwrap()
}

#[test]
fn every_variant_keeps_the_slices_shape() {
    let small = || MsffConfig::with_width(4);
    let without = |m: Module| MsffConfig { without: vec![m], ..small() };
    let mut variants: Vec<MsffConfig> = Module::ALL.into_iter().map(without).collect();
    variants.push(small());
    variants.push(MsffConfig { without: Module::ALL.to_vec(), ..small() });
    variants.push(MsffConfig { aspp_input: AsppInput::Sum, skips: false, attention_pool: 16, ..small() });
    for config in variants {
        let (_store, network) = build(&config);
        for [rows, columns] in [[64, 64], [128, 128], [256, 256], [16, 48]] {
            let batch = if rows < 256 { 2 } else { 1 };
            let logits = eval(&network, &Tensor::randn([batch, 1, rows, columns], FLOAT));
            assert_eq!(logits.size(), [batch, 1, rows, columns], "{config:?}");
            assert_eq!(logits.isfinite().all().int64_value(&[]), 1, "{config:?}");
        }
    }
}

#[test]
fn refuses_slices_that_do_not_halve_four_times() {
    let (_store, network) = build(&MsffConfig::with_width(4));
    for [rows, columns] in [[64, 72], [8, 64], [0, 16]] {
        let refused = network.logits(&Tensor::zeros([1, 1, rows, columns], FLOAT), false);
        assert_eq!(refused.unwrap_err(), NetworkError::InputSize { rows, columns });
    }
    for shape in [vec![1, 3, 64, 64], vec![64, 64], vec![0, 1, 64, 64]] {
        let refused = network.logits(&Tensor::zeros(shape.as_slice(), FLOAT), false);
        assert_eq!(refused.unwrap_err(), NetworkError::InputShape { found: shape });
    }
}

/// Four slices of 64² with a bright disc or box on noise, and their masks.
fn shapes() -> (Tensor, Tensor) {
    tch::manual_seed(3);
    let line = Tensor::arange(64, FLOAT);
    let (y, x) = (line.view([64, 1]), line.view([1, 64]));
    let disc = |cy: f64, cx: f64, r: f64| ((&y - cy).square() + (&x - cx).square()).lt(r * r);
    let bar = |cy: f64, cx: f64, h: f64, w: f64| (&y - cy).abs().lt(h).logical_and(&(&x - cx).abs().lt(w));
    let masks = [
        disc(20.0, 24.0, 9.0),
        disc(40.0, 44.0, 6.0),
        bar(30.0, 20.0, 5.0, 12.0),
        bar(44.0, 36.0, 10.0, 6.0),
    ];
    let masks = Tensor::stack(&masks, 0).unsqueeze(1).to_kind(Kind::Float);
    let slices = &masks * 0.5 - 0.4 + Tensor::randn_like(&masks) * 0.2;
    (slices, masks)
}

/// What 300 steps on the four slices make of a small network.
struct Trained {
    weights: Vec<u8>,
    before: f64,
    after: f64,
}

/// Slices of 64² rather than 128²: a quarter of the time.
fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let (store, network) = build(&MsffConfig::with_width(8));
        prefer_channels_last(&store);
        let (slices, masks) = shapes();
        let mut adam = nn::Adam::default().build(&store, 1e-3).unwrap();
        let before = dsc(&eval(&network, &slices), &masks);
        let mut after = before;
        for step in 1..=300 {
            adam.backward_step(&loss(&network.logits(&slices, true).unwrap(), &masks));
            if step % 25 == 0 {
                after = dsc(&eval(&network, &slices), &masks);
                if after > 0.98 {
                    break;
                }
            }
        }
        Trained { weights: saved(&store, StoredAs::F32), before, after }
    })
}

/// Cross-entropy and soft Dice over the batch.
fn loss(logits: &Tensor, masks: &Tensor) -> Tensor {
    let p = logits.sigmoid();
    let sum = |t: &Tensor| t.sum(Kind::Float);
    let dice = (sum(&(&p * masks)) * 2.0 + 1.0) / (sum(&p) + sum(masks) + 1.0);
    logits.binary_cross_entropy_with_logits::<&Tensor>(masks, None, None, Reduction::Mean) + 1.0 - dice
}

fn dsc(logits: &Tensor, masks: &Tensor) -> f64 {
    let found = logits.gt(0.0).to_kind(Kind::Float);
    let sum = |t: &Tensor| t.sum(Kind::Float).double_value(&[]);
    2.0 * sum(&(&found * masks)) / (sum(&found) + sum(masks))
}

#[test]
fn a_small_network_learns_four_slices() {
    let Trained { before, after, .. } = trained();
    eprintln!("DSC {before:.3} → {after:.3}");
    assert!(*before < 0.5 && *after > 0.90, "DSC {before} → {after}");
}

/// A network that answers with varied probabilities: γ ≠ 0, statistics from real passes.
fn lively() -> (nn::VarStore, Msff) {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    let (store, network) = build(&MsffConfig::with_width(8));
    let weights = WEIGHTS.get_or_init(|| {
        let _guard = tch::no_grad_guard();
        for (name, mut variable) in store.variables() {
            if name.ends_with("gamma") || name == "decoder.head.bias" {
                let _ = variable.fill_(0.5);
            }
        }
        for _ in 0..20 {
            let _ = network.logits(&Tensor::randn([4, 1, 32, 48], FLOAT), true).unwrap();
        }
        saved(&store, StoredAs::F32)
    });
    load_weights(&store, weights).unwrap();
    (store, network)
}

fn saved(store: &nn::VarStore, stored: StoredAs) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    save_weights(store, &path, stored).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    std::fs::read(path).unwrap()
}

#[test]
fn weights_survive_a_round_trip() {
    let (store, network) = lively();
    let slices = Tensor::randn([1, 1, 64, 64], FLOAT);
    prefer_channels_last(&store);
    let (other, again) = build(&MsffConfig::with_width(8));
    prefer_channels_last(&other);
    assert!(!eval(&again, &slices).allclose(&eval(&network, &slices), 0.0, 0.02, false));
    load_weights(&other, &saved(&store, StoredAs::F32)).unwrap();
    assert!(eval(&again, &slices).equal(&eval(&network, &slices)));

    load_weights(&other, &saved(&store, StoredAs::F16)).unwrap();
    let (exact, rounded) = (store.variables(), other.variables());
    for (name, values) in exact {
        assert!(rounded[&name].equal(&values.to_kind(Kind::Half).to_kind(Kind::Float)), "{name}");
    }
}

/// A checkpoint with one tensor changed by `spoil`.
fn spoiled(name: &str, spoil: impl Fn(&mut Vec<(String, Tensor)>, usize)) -> WeightsError {
    let (store, _network) = build(&MsffConfig::with_width(4));
    let mut tensors: Vec<(String, Tensor)> = store.variables().into_iter().collect();
    let at = tensors.iter().position(|(n, _)| n == name).unwrap();
    spoil(&mut tensors, at);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    Tensor::write_safetensors(&tensors, &path).unwrap();
    load_weights(&store, &std::fs::read(path).unwrap()).unwrap_err()
}

#[test]
fn unsound_weights_are_refused_by_name() {
    let name = "rbrab.attention.gamma";
    let missing = spoiled(name, |t, at| drop(t.remove(at)));
    assert!(matches!(&missing, WeightsError::Missing { tensor } if tensor == name), "{missing}");
    let more = spoiled(name, |t, _| t.push(("extra.weight".into(), Tensor::from(1.0_f32))));
    assert!(matches!(&more, WeightsError::Superfluous { tensor } if tensor == "extra.weight"), "{more}");
    let shape = spoiled(name, |t, at| t[at].1 = Tensor::zeros([2], FLOAT));
    assert!(
        matches!(&shape, WeightsError::Shape { tensor, expected, found }
            if tensor == name && *expected == [1] && *found == [2]),
        "{shape}"
    );
    let nan = spoiled(name, |t, at| t[at].1 = Tensor::from_slice(&[f32::NAN]));
    assert!(matches!(&nan, WeightsError::Value { tensor } if tensor == name), "{nan}");
    let stored = spoiled(name, |t, at| t[at].1 = Tensor::zeros([1], (Kind::Int64, Device::Cpu)));
    assert!(matches!(&stored, WeightsError::Stored { tensor, .. } if tensor == name), "{stored}");
    let variance = "decoder.bn.running_var";
    let negative = spoiled(variance, |t, at| t[at].1 = Tensor::full([2], -1.0, FLOAT));
    assert!(matches!(&negative, WeightsError::Value { tensor } if tensor == variance), "{negative}");
}

#[test]
fn a_truncated_file_is_damaged() {
    let (store, _network) = build(&MsffConfig::with_width(4));
    let bytes = saved(&store, StoredAs::F32);
    for length in [0, 7, 8, 100, bytes.len() - 1] {
        let error = load_weights(&store, &bytes[..length]).unwrap_err();
        assert!(matches!(error, WeightsError::Damaged { bytes, .. } if bytes == length), "{length}: {error}");
    }
}

fn config(plane: Plane, batch: usize) -> ModelConfig {
    ModelConfig {
        name: "test".into(),
        version: "0".into(),
        description: "For tests.".into(),
        architecture: Architecture::Msff(MsffConfig::with_width(8)),
        plane,
        spacing_mm: [1.0, 1.0, 2.0],
        tile_vox: [32, 48],
        tile_overlap: 0.4,
        batch,
        window_hu: [-200.0, 1300.0],
        bone_hu: 150.0,
        bone_margin_mm: 5.0,
        threshold: 0.5,
        minimum_component_mm3: 0.0,
        precision: Precision::Fp32,
    }
}

fn model(plane: Plane, batch: usize, precision: Precision) -> Model {
    let config = config(plane, batch);
    let (store, _network) = lively();
    let choice = DeviceChoice { place: Place::Cpu, precision: Some(precision), ..DeviceChoice::default() };
    Model::from_parts(config, &saved(&store, StoredAs::F32), &choice).unwrap()
}

/// Noise, and a gate that keeps a ball and a lone voxel.
fn volume(size: [usize; 3]) -> (Volume<f32>, Volume<u8>) {
    let grid = Grid::axis_aligned(size, [1.0, 1.0, 2.0], [0.0; 3]).unwrap();
    tch::manual_seed(5);
    let noise = Tensor::rand([grid.len() as i64], FLOAT) * 2.0 - 1.0;
    let voxels = Vec::<f32>::try_from(noise).unwrap();
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
    for plane in [Plane::Axial, Plane::Sagittal] {
        let model = model(plane, 3, Precision::Fp32);
        let (all, some) = (run(&model, false), run(&model, true));
        let same = all.voxels().iter().zip(some.voxels()).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{plane:?}");
        let (_, gate) = volume(SIZE);
        let kept = |keep: u8| some.voxels().iter().zip(gate.voxels()).filter(move |(_, g)| **g == keep);
        assert!(kept(0).all(|(p, _)| *p == 0.0));
        assert!(kept(1).all(|(p, _)| *p > 0.0 && *p < 1.0));
        let (low, high) = kept(1).fold((1.0_f32, 0.0_f32), |(l, h), (p, _)| (l.min(*p), h.max(*p)));
        assert!(high - low > 0.01, "probabilities that do not vary prove nothing: {low} to {high}");
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

#[test]
fn bf16_finds_the_same_mask() {
    let (slices, _) = shapes();
    let mut config = config(Plane::Axial, 2);
    config.tile_vox = [64, 64];
    let grid = Grid::axis_aligned([64, 64, 4], config.spacing_mm, [0.0; 3]).unwrap();
    let values = Volume::new(grid.clone(), Vec::try_from(slices.contiguous().view(-1)).unwrap()).unwrap();
    let gate = Volume::filled(grid, 1);
    let masks: Vec<Vec<bool>> = [Precision::Fp32, Precision::Bf16]
        .into_iter()
        .map(|precision| {
            let choice =
                DeviceChoice { place: Place::Cpu, precision: Some(precision), ..DeviceChoice::default() };
            let model = Model::from_parts(config.clone(), &trained().weights, &choice).unwrap();
            assert_eq!(model.precision(), precision);
            let found = model.probabilities(&values, &gate, InferOptions::default(), &Monitor::default());
            found.unwrap().voxels().iter().map(|p| *p > 0.5).collect()
        })
        .collect();
    let count = |mask: &[bool]| mask.iter().filter(|m| **m).count() as f64;
    let common = masks[0].iter().zip(&masks[1]).filter(|(a, b)| **a && **b).count() as f64;
    let agreement = 2.0 * common / (count(&masks[0]) + count(&masks[1]));
    eprintln!("{} voxels in fp32, agreement {agreement:.4}", count(&masks[0]));
    assert!(count(&masks[0]) > 200.0 && agreement > 0.99, "{agreement}");
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
