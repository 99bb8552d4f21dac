//! What the tests of networks and of inference need.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use spinefx::infer::{Architecture, ModelConfig, Precision};
use spinefx::network::{MsffConfig, Network, StoredAs, load_weights, save_weights};
use spinefx::plane::Plane;
use std::sync::{Mutex, OnceLock, PoisonError};
use tch::{Device, Tensor, nn};

/// A fresh network, the same every time. The lock keeps tests that run beside each other from drawing
/// each other's numbers: libtorch has one generator per process, and only this function uses it.
pub fn build(config: &MsffConfig) -> (nn::VarStore, Network) {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(7);
    let store = nn::VarStore::new(Device::Cpu);
    let network = Architecture::Msff(config.clone()).build(&store.root()).unwrap();
    (store, network)
}

/// Even noise of mean 0 and variance 1; every seed another, without libtorch's generator.
pub fn noise(shape: &[i64], seed: u64) -> Tensor {
    let mut state = seed;
    let mut next = || {
        // Knuth's MMIX generator; its upper bits are good enough for pictures.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_: i64| (next() - 0.5) * 12_f32.sqrt()).collect();
    Tensor::from_slice(&values).view(shape)
}

pub fn eval(network: &Network, slices: &Tensor) -> Tensor {
    tch::no_grad(|| network.logits(slices, false)).unwrap()
}

/// Makes a network answer with varied probabilities: γ ≠ 0, statistics from real passes.
pub fn enliven(store: &nn::VarStore, network: &Network, channels: i64) {
    let _guard = tch::no_grad_guard();
    for (name, mut variable) in store.variables() {
        if name.ends_with("gamma") || name == "decoder.head.bias" {
            let _ = variable.fill_(0.5);
        }
    }
    for seed in 0..20 {
        let _ = network.logits(&noise(&[4, channels, 32, 48], seed), true).unwrap();
    }
}

/// A network of width 8 that was enlivened, the same every time.
pub fn lively() -> (nn::VarStore, Network) {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    let (store, network) = build(&MsffConfig::with_width(8));
    let weights = WEIGHTS.get_or_init(|| {
        enliven(&store, &network, 1);
        saved(&store, StoredAs::F32)
    });
    load_weights(&store, weights).unwrap();
    (store, network)
}

pub fn saved(store: &nn::VarStore, stored: StoredAs) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    save_weights(store, &path, stored).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    std::fs::read(path).unwrap()
}

pub fn config(plane: Plane, batch: usize) -> ModelConfig {
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
        spine_reach_mm: None,
        slice_sigma_mm: 0.0,
        peak_probability: 0.0,
        threshold: 0.5,
        minimum_component_mm3: 0.0,
        precision: Precision::Fp32,
    }
}
