//! Our checkpoints load in PyTorch, by name and strictly, and give the same logits there.

use spinefx::network::{
    Architecture, AsppInput, Module, MsffConfig, Network, StoredAs, baselines, prefer_channels_last,
    save_weights,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use tch::{Device, Kind, Tensor, nn};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
/// What fp32 rounding may add up to over some fifty layers: PyTorch's own fp32 is a fourth of this
/// from its fp64 on such random weights.
const TOLERANCE: f64 = 1e-4;

/// The project's Python, or nothing: then the test says so, and fails where CI promises one.
fn python() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", path.display());
    eprintln!("SKIP: no {}: run scripts/setup.sh", path.display());
    None
}

/// Moves everything off its start, where γ = 0 and untouched statistics would hide mistakes. The
/// statistics come from passes in training mode, so that logits have a trained network's magnitude.
fn shake(store: &nn::VarStore, network: &Network, channels: i64) {
    let _guard = tch::no_grad_guard();
    let mut variables: Vec<_> = store.variables().into_iter().collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, mut variable) in variables {
        if name.contains("bn") && name.ends_with("weight") {
            let _ = variable.uniform_(0.5, 1.5);
        } else if name.ends_with("gamma") {
            let _ = variable.fill_(0.7);
        } else if variable.dim() == 1 && !name.contains("running_") {
            let _ = variable.uniform_(-0.5, 0.5);
        }
    }
    for _ in 0..20 {
        let _ = network.logits(&Tensor::randn([2, channels, 64, 96], FLOAT), true).unwrap();
    }
}

fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    let mut values = vec![0.0_f32; tensor.numel()];
    tensor.contiguous().copy_data(&mut values, tensor.numel());
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// What the network of `script` (in tests/network) answers with these weights.
fn in_pytorch(python: &Path, script: &str, [weights, config]: [&Path; 2], slices: &Tensor) -> Tensor {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("in.f32"), bytes_of(slices)).unwrap();
    let size = slices.size();
    let ran = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network").join(script))
        .args([weights, config, &at("in.f32"), &at("out.f32")])
        .args([size[0], size[2], size[3]].map(|n| n.to_string()))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let bytes = std::fs::read(at("out.f32")).unwrap();
    Tensor::from_data_size(&bytes, &[size[0], 1, size[2], size[3]], Kind::Float)
}

/// Holds a shaken network of ours beside PyTorch's with the same weights.
fn compare(python: &Path, script: &str, architecture: &Architecture) {
    tch::manual_seed(20);
    let store = nn::VarStore::new(Device::Cpu);
    let network = architecture.build(&store.root()).unwrap();
    let channels = architecture.channels() as i64;
    shake(&store, &network, channels);
    prefer_channels_last(&store);
    let slices = Tensor::randn([2, channels, 64, 96], FLOAT);
    let ours = tch::no_grad(|| network.logits(&slices, false)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [weights, config] = ["w.safetensors", "config.json"].map(|name| folder.path().join(name));
    save_weights(&store, &weights, StoredAs::F32).unwrap();
    std::fs::write(&config, serde_json::to_string(architecture).unwrap()).unwrap();
    let theirs = in_pytorch(python, script, [&weights, &config], &slices);
    let spread = theirs.std(false).double_value(&[]);
    let difference = (ours - theirs).abs().max().double_value(&[]);
    eprintln!("{architecture:?}: spread {spread:.3}, difference {difference:.2e}");
    assert!(spread > 100.0 * TOLERANCE, "logits that do not vary prove nothing: {spread}");
    assert!(difference < TOLERANCE, "{architecture:?}: {difference}");
}

#[test]
fn pytorch_computes_the_same_logits() {
    let Some(python) = python() else { return };
    let small = || MsffConfig::with_width(8);
    let cases = [
        MsffConfig::with_width(16),
        MsffConfig { aspp_input: AsppInput::Sum, aspp_rates: vec![2, 4], skips: false, ..small() },
        MsffConfig { neighbours: 1, ..small() },
        MsffConfig { without: vec![Module::Ffm, Module::Sem, Module::Aspp], attention_pool: 16, ..small() },
        MsffConfig { without: vec![Module::Rcbam, Module::Rbrab, Module::Lprab], ..small() },
    ];
    for config in cases {
        compare(&python, "msff.py", &Architecture::Msff(config));
    }
}

#[test]
fn pytorch_computes_the_same_logits_for_every_baseline() {
    let Some(python) = python() else { return };
    for (_, architecture) in baselines(Some(8)) {
        compare(&python, "baselines.py", &architecture);
    }
}
