//! The network: shapes, weights, learning and number formats.

#[path = "network/common.rs"]
mod common;

use common::{build, config, eval, lively, noise, saved};
use spinefx::infer::{DeviceChoice, InferOptions, Model, Place, Precision};
use spinefx::monitor::Monitor;
use spinefx::network::{
    AsppInput, Module, MsffConfig, NetworkError, StoredAs, WeightsError, load_weights, prefer_channels_last,
    share_weights, start_from,
};
use spinefx::plane::Plane;
use spinefx::volume::{Grid, Volume};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tch::nn::OptimizerConfig;
use tch::{Device, Kind, Reduction, Tensor, nn};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

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
            let logits = eval(&network, &noise(&[batch, 1, rows, columns], 1));
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
        assert_eq!(refused.unwrap_err(), NetworkError::InputSize { rows, columns, multiple: 16 });
    }
    for shape in [vec![1, 3, 64, 64], vec![64, 64], vec![0, 1, 64, 64]] {
        let refused = network.logits(&Tensor::zeros(shape.as_slice(), FLOAT), false);
        assert_eq!(refused.unwrap_err(), NetworkError::InputShape { channels: 1, found: shape });
    }
}

#[test]
fn one_channels_kernel_starts_a_network_that_reads_neighbours() {
    let (single, network) = lively();
    let weights = saved(&single, StoredAs::F32);
    let (store, wide) = build(&MsffConfig { neighbours: 2, ..MsffConfig::with_width(8) });
    let refused = load_weights(&store, &weights).unwrap_err();
    assert!(matches!(refused, WeightsError::Shape { .. }), "only a start may widen: {refused}");
    start_from(&store, &weights).unwrap();
    let slices = noise(&[2, 5, 32, 48], 9);
    let expected = eval(&network, &slices.narrow(1, 2, 1));
    let difference = (eval(&wide, &slices) - expected).abs().max().double_value(&[]);
    assert!(difference < 1e-4, "{difference}");
    let other = build(&MsffConfig::with_width(4)).0;
    assert!(matches!(start_from(&other, &weights), Err(WeightsError::Shape { .. })), "another width");
}

/// Four slices of 64² with a bright disc or box on noise, and their masks.
fn shapes() -> (Tensor, Tensor) {
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
    let slices = &masks * 0.5 - 0.4 + noise(&[4, 1, 64, 64], 3) * 0.2;
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

#[test]
fn weights_survive_a_round_trip() {
    let (store, network) = lively();
    let slices = noise(&[1, 1, 64, 64], 1);
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
#[test]
fn shared_weights_are_the_same_memory() {
    let (store, network) = lively();
    let (twin, other) = build(&MsffConfig::with_width(8));
    share_weights(&store, &twin);
    let memory = |store: &nn::VarStore| {
        store.variables().into_iter().map(|(name, v)| (name, v.data_ptr())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(memory(&store), memory(&twin));
    let slices = noise(&[1, 1, 32, 48], 3);
    assert!(eval(&network, &slices).equal(&eval(&other, &slices)));
}

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
