//! The networks that the paper compares with: shapes, gradients, what training changes, and serving.

#[path = "network/common.rs"]
mod common;

use common::{config, noise, saved};
use spinefx::infer::{
    Architecture, ConfigError, DeviceChoice, InferOptions, Model, ModelError, Place, Precision,
};
use spinefx::monitor::Monitor;
use spinefx::network::{
    Discriminator, Network, NetworkError, StoredAs, WeightsError, ablations, baselines, parameter_count,
    prefer_channels_last,
};
use spinefx::plane::Plane;
use spinefx::volume::{Grid, Volume};
use tch::nn::ModuleT;
use tch::{Device, Kind, Reduction, Tensor, nn};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

fn build(architecture: &Architecture) -> (nn::VarStore, Network) {
    let store = nn::VarStore::new(Device::Cpu);
    let network = architecture.build(&store.root()).unwrap();
    prefer_channels_last(&store);
    (store, network)
}

fn finite(tensor: &Tensor) -> bool {
    tensor.isfinite().all().int64_value(&[]) == 1
}

/// Counted on a network that is really built.
fn parameters(network: &Architecture) -> usize {
    let store = nn::VarStore::new(Device::Cpu);
    network.build(&store.root()).unwrap();
    parameter_count(&store)
}

/// The PyTorch trial that the design cites counted these; the literature's three-channel,
/// many-class versions differ by their first and last layers only.
#[test]
fn baselines_have_their_published_sizes() {
    let expected = [31_036_481, 9_159_204, 134_268_774, 1_635_425, 29_470_977, 26_671_057];
    for ((name, network), expected) in baselines(None).iter().zip(expected) {
        assert_eq!(parameters(network), expected, "{name}");
    }
}

#[test]
fn the_discriminator_has_its_published_size() {
    let store = nn::VarStore::new(Device::Cpu);
    Discriminator::new(&store.root(), 32);
    assert_eq!(parameter_count(&store), 537_057);
}

#[test]
fn ablations_have_the_designs_sizes() {
    let expected = [23_878_077, 20_187_837, 23_701_957, 23_398_269, 23_671_899, 23_791_676, 23_799_932];
    for ((name, network), expected) in ablations(None).iter().zip(expected) {
        assert_eq!(parameters(network), expected, "{name}");
    }
}

#[test]
fn every_name_gives_its_network() {
    for (name, width) in Architecture::names().iter().zip([4, 8].into_iter().cycle()) {
        let network = Architecture::named(name, Some(width)).unwrap();
        assert!(name.starts_with(network.kind()), "{name}");
        assert_eq!((network.width(), network.check()), (width, Ok(())));
        let json = serde_json::to_string(&network).unwrap();
        assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), network, "{json}");
    }
    assert_eq!(Architecture::names().len(), 13);
    let tables = ablations(None).into_iter().chain(baselines(None)).map(|(_, network)| network);
    let named = Architecture::names().into_iter().map(|name| Architecture::named(&name, None).unwrap());
    assert_eq!(named.collect::<Vec<_>>(), tables.collect::<Vec<_>>());
    for wrong in ["", "unet+", "msff-no-", "msff-no-head", "MSFF"] {
        assert_eq!(Architecture::named(wrong, None), None, "{wrong}");
    }
}

#[test]
fn widths_that_split_a_channel_are_refused() {
    let store = nn::VarStore::new(Device::Cpu);
    for (name, network) in baselines(Some(6)).iter().chain(&baselines(Some(0))).chain(&baselines(Some(260))) {
        let refused = network.build(&store.root()).err();
        let expected = NetworkError::Width { found: network.width(), multiple: 4 };
        assert_eq!(refused, Some(expected), "{name}");
    }
    assert!(store.variables().is_empty(), "what is refused leaves nothing behind");
    let misspelt = serde_json::from_str::<Architecture>(r#"{"kind": "unet", "with": 8}"#);
    assert!(misspelt.unwrap_err().to_string().contains("with"));
}

#[test]
fn every_baseline_keeps_the_slices_shape() {
    for (name, architecture) in baselines(Some(4)) {
        let (_store, network) = build(&architecture);
        for [rows, columns] in [[64, 64], [128, 128], [256, 256], [96, 32]] {
            let logits = tch::no_grad(|| network.logits(&noise(&[2, 1, rows, columns], 1), false)).unwrap();
            assert_eq!(logits.size(), [2, 1, rows, columns], "{name}");
            assert!(finite(&logits), "{name}");
        }
    }
}

#[test]
fn every_baseline_refuses_slices_that_it_cannot_halve() {
    for (name, architecture) in baselines(Some(4)) {
        let (_store, network) = build(&architecture);
        let multiple = architecture.size_multiple() as i64;
        for [rows, columns] in [[64, 64 + multiple / 2], [multiple / 2, 64], [0, 64]] {
            let refused = network.logits(&Tensor::zeros([1, 1, rows, columns], FLOAT), false);
            let expected = NetworkError::InputSize { rows, columns, multiple };
            assert_eq!(refused.unwrap_err(), expected, "{name}");
        }
        let smallest = Tensor::zeros([1, 1, multiple, multiple], FLOAT);
        let logits = tch::no_grad(|| network.logits(&smallest, false)).unwrap();
        assert_eq!(logits.size(), smallest.size(), "{name}");
        for shape in [vec![1, 3, 64, 64], vec![64, 64], vec![0, 1, 64, 64]] {
            let refused = network.logits(&Tensor::zeros(shape.as_slice(), FLOAT), false);
            assert_eq!(
                refused.unwrap_err(),
                NetworkError::InputShape { channels: 1, found: shape },
                "{name}"
            );
        }
    }
}

#[test]
fn a_loss_moves_every_parameter_of_every_baseline() {
    for (name, architecture) in baselines(Some(4)) {
        let (store, network) = build(&architecture);
        let logits = network.logits(&noise(&[2, 1, 64, 96], 2), true).unwrap();
        assert!(finite(&logits), "{name}");
        let target = noise(&[2, 1, 64, 96], 3).gt(1.0).to_kind(Kind::Float);
        let loss = logits.binary_cross_entropy_with_logits::<&Tensor>(&target, None, None, Reduction::Mean);
        loss.backward();
        for (parameter, values) in store.variables().into_iter().filter(|(_, v)| v.requires_grad()) {
            let gradient = values.grad();
            assert!(gradient.defined() && finite(&gradient), "{name}: {parameter}");
            // A bias before batch normalisation would have none; there is no such bias.
            let largest = gradient.abs().max().double_value(&[]);
            assert!(largest > 0.0, "{name}: {parameter} never moves");
        }
    }
}

#[test]
fn nested_heads_are_averaged_in_training_alone() {
    let (store, network) = build(&Architecture::named("unetpp", Some(4)).unwrap());
    let slices = noise(&[1, 1, 64, 64], 4);
    let _guard = tch::no_grad_guard();
    for n in 0..4 {
        let _ = store.variables()[&format!("heads.{n}.weight")].shallow_clone().zero_();
        let _ = store.variables()[&format!("heads.{n}.bias")].shallow_clone().fill_(f64::from(n));
    }
    let range = |train| {
        let answer = network.forward_t(&slices, train);
        [answer.min(), answer.max()].map(|t| t.double_value(&[]))
    };
    assert_eq!(range(false), [3.0; 2]);
    assert_eq!(range(true), [1.5; 2]);
}

#[test]
fn the_discriminator_answers_a_64th_of_the_size() {
    let store = nn::VarStore::new(Device::Cpu);
    let network = Discriminator::new(&store.root(), 4);
    for ([rows, columns], expected) in [([256, 256], [4, 4]), ([128, 192], [2, 3]), ([16, 48], [1, 1])] {
        let answer = tch::no_grad(|| network.forward_t(&noise(&[2, 1, rows, columns], 5), false));
        assert_eq!(answer.size(), [2, 1, expected[0], expected[1]]);
    }
}

/// A model of this network, as `Model::load` finds it in a folder.
fn stored(architecture: &Architecture) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(Plane::Axial, 2);
    (config.architecture, config.tile_vox) = (architecture.clone(), [32, 64]);
    std::fs::write(folder.path().join("config.json"), config.to_json().unwrap()).unwrap();
    let (store, network) = build(architecture);
    for seed in 0..5 {
        // Statistics of real passes, so that logits are not all the head's bias.
        let _ = tch::no_grad(|| network.logits(&noise(&[4, 1, 32, 64], seed), true)).unwrap();
    }
    std::fs::write(folder.path().join("weights.safetensors"), saved(&store, StoredAs::F32)).unwrap();
    folder
}

fn served(folder: &std::path::Path, precision: Precision) -> Vec<f32> {
    let choice = DeviceChoice { place: Place::Cpu, precision: Some(precision), ..DeviceChoice::default() };
    let model = Model::load(folder, &choice).unwrap();
    let grid = Grid::axis_aligned([70, 40, 3], model.config().spacing_mm, [0.0; 3]).unwrap();
    let voxels = Vec::<f32>::try_from(noise(&[grid.len() as i64], 6).clamp(-1.0, 1.0)).unwrap();
    let (values, gate) = (Volume::new(grid.clone(), voxels).unwrap(), Volume::filled(grid, 1));
    let found = model.probabilities(&values, &gate, InferOptions::default(), &Monitor::default());
    found.unwrap().voxels().to_vec()
}

#[test]
fn every_network_is_served_from_its_folder() {
    for (name, architecture) in ablations(Some(4)).into_iter().chain(baselines(Some(4))) {
        let folder = stored(&architecture);
        let exact = served(folder.path(), Precision::Fp32);
        let (low, high) = exact.iter().fold((1.0_f32, 0.0_f32), |(l, h), p| (l.min(*p), h.max(*p)));
        // First weights are drawn: a large logit rounds to a probability of exactly 0 or 1.
        assert!(low >= 0.0 && high <= 1.0 && high - low > 1e-4, "{name}: {low} to {high}");
        let rounded = served(folder.path(), Precision::Bf16);
        let largest = exact.iter().zip(&rounded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        eprintln!("{name}: {low:.4} to {high:.4}, bf16 off by {largest:.1e}");
        assert!(largest < 0.05, "{name}: bf16 is off by {largest}");
    }
}

#[test]
fn weights_of_another_network_are_refused() {
    let all = baselines(Some(4));
    for ((name, architecture), (_, other)) in all.iter().zip(all.iter().cycle().skip(1)) {
        let (folder, strange) = (stored(architecture), stored(other));
        let file = "weights.safetensors";
        std::fs::copy(strange.path().join(file), folder.path().join(file)).unwrap();
        let choice = DeviceChoice { place: Place::Cpu, ..DeviceChoice::default() };
        let refused = Model::load(folder.path(), &choice).unwrap_err();
        assert!(
            matches!(
                refused,
                ModelError::Weights(
                    WeightsError::Missing { .. }
                        | WeightsError::Superfluous { .. }
                        | WeightsError::Shape { .. }
                )
            ),
            "{name}: {refused}"
        );
    }
}

#[test]
fn a_tile_must_suit_the_network() {
    let mut config = config(Plane::Axial, 2);
    config.tile_vox = [32, 48];
    for (name, architecture) in baselines(Some(4)) {
        config.architecture = architecture;
        let checked = config.check();
        if config.architecture.size_multiple() == 32 {
            let refused = checked.unwrap_err();
            assert!(matches!(refused, ConfigError::Value { key: "tile_vox", .. }), "{name}: {refused}");
        } else {
            assert_eq!(checked, Ok(()), "{name}");
        }
    }
}
