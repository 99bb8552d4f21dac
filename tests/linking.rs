//! libtorch_cuda stays linked: without it no GPU is ever seen, and nothing else would notice.

use std::process::Command;

#[test]
fn the_program_needs_libtorch_cuda() {
    let torch = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".libtorch/lib/libtorch_cuda.so");
    if !torch.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", torch.display());
        eprintln!("SKIP: this libtorch has no CUDA ({} is missing)", torch.display());
        return;
    }
    let out = Command::new("readelf").args(["-d", env!("CARGO_BIN_EXE_spinefx")]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let needed = |lib: &str| text.lines().any(|l| l.contains("(NEEDED)") && l.contains(lib));
    assert!(needed("libtorch_cpu.so"), "{text}");
    assert!(needed("libtorch_cuda.so"), "the linker dropped libtorch_cuda: {text}");
}

#[test]
fn the_program_starts_without_any_environment() {
    let out = Command::new(env!("CARGO_BIN_EXE_spinefx")).arg("--version").env_clear().output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
