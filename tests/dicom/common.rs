//! What the DICOM tests share: where the real data lie, and the judges (dciodvfy, pydicom, highdicom).

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file or folder of `../shared/data` (or of `$SPINEFX_DATA`). Absent: the test says so and skips,
/// except on CI, where it fails.
#[allow(dead_code)]
pub fn data(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("SPINEFX_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is absent", path.display());
    eprintln!("SKIP: {} is absent", path.display());
    None
}

/// Runs a script of `tests/dicom/` in the project's Python and returns what it printed.
#[allow(dead_code)]
pub fn python(script: &str, arguments: &[&Path]) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let interpreter = root.join(".venv/bin/python");
    if !interpreter.exists() {
        assert!(std::env::var_os("CI").is_none(), ".venv/bin/python is absent");
        eprintln!("SKIP: .venv/bin/python is absent");
        return None;
    }
    let output = Command::new(interpreter)
        .arg(root.join("tests/dicom").join(script))
        .args(arguments)
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("python prints UTF-8"))
}

/// Fails with every error line that dciodvfy has about `file`.
#[allow(dead_code)]
pub fn assert_valid(file: &Path) {
    let Ok(output) = Command::new("dciodvfy").arg(file).output() else {
        assert!(std::env::var_os("CI").is_none(), "dciodvfy is absent");
        eprintln!("SKIP: dciodvfy is absent");
        return;
    };
    // dicom3tools writes its findings to standard error.
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error")).collect();
    assert!(errors.is_empty(), "{}:\n{}", file.display(), errors.join("\n"));
    assert!(said.lines().count() + output.stdout.len() > 0, "dciodvfy said nothing at all");
}

/// Unpacks a `.tar.xz` of the shared data.
#[allow(dead_code)]
pub fn unpack(archive: &Path, into: &Path) {
    let status = Command::new("tar").arg("xJf").arg(archive).arg("-C").arg(into).status();
    assert!(status.expect("tar starts").success(), "{}", archive.display());
}
