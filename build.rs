//! Generates the protocol's Rust code and tells the linker where libtorch lives.

use std::path::{Path, PathBuf};

type BuildResult = Result<(), Box<dyn std::error::Error>>;

fn main() -> BuildResult {
    link_libtorch()?;
    generate_protocol()
}

/// Makes the binaries find libtorch without an environment variable, and keeps CUDA reachable.
///
/// Nothing refers to a symbol of `libtorch_cuda`: its kernels register themselves when it is loaded.
/// The linker's default `--as-needed` therefore drops it, and without it no GPU is ever seen.
fn link_libtorch() -> BuildResult {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB")
        .map_err(|_| "torch-sys did not say where libtorch is: run scripts/setup.sh first")?;
    let lib = std::fs::canonicalize(&lib).map_err(|e| format!("{lib}: {e}: run scripts/setup.sh first"))?;
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if lib.join("libtorch_cuda.so").exists() {
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
        println!("cargo:rustc-link-arg=-L{}", lib.display());
        println!("cargo:rustc-link-arg=-ltorch_cuda");
        println!("cargo:rustc-link-arg=-Wl,--as-needed");
    }
    Ok(())
}

/// The messages that `plugin-manifest/plugin.json` is parsed into, so that the two cannot disagree.
const MANIFEST_MESSAGES: [&str; 10] = [
    "Manifest",
    "InputRequirements",
    "Segment",
    "CodedConcept",
    "Model",
    "Accuracy",
    "OptionSpec",
    "OutputSpec",
    "Limits",
    "ClientVersion",
];

/// `proto/` → Rust modules and the descriptor set that server reflection answers from.
fn generate_protocol() -> BuildResult {
    let proto = Path::new("proto/segplugin/v1/segmentation_plugin.proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    let descriptor = PathBuf::from(std::env::var("OUT_DIR")?).join("segplugin.v1.bin");
    let mut builder = tonic_prost_build::configure().file_descriptor_set_path(descriptor).bytes(".");
    for message in MANIFEST_MESSAGES {
        builder = builder.message_attribute(
            format!(".segplugin.v1.{message}"),
            "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default, deny_unknown_fields)]",
        );
    }
    for field in [
        "OptionSpec.default_number",
        "OptionSpec.default_boolean",
        "OptionSpec.minimum",
        "OptionSpec.maximum",
        "Segment.opacity",
    ] {
        builder = builder.field_attribute(
            format!(".segplugin.v1.{field}"),
            "#[serde(skip_serializing_if = \"Option::is_none\")]",
        );
    }
    builder.compile_protos(&[proto], &[Path::new("proto")])?;
    Ok(())
}
