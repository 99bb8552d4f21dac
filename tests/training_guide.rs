//! docs/training.md is a worked example: its commands are run here as they stand.

use std::path::Path;
use std::process::Command;

/// The ```sh blocks, one after the other.
fn commands(text: &str) -> String {
    let mut inside = false;
    let mut commands = String::from("set -euo pipefail\n");
    for line in text.lines() {
        match line.trim_end() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                commands.push_str(line);
                commands.push('\n');
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn the_guide_leads_from_dicom_to_a_served_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/training.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_spinefx")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = commands(&guide) + "kill $server\n";
    assert!(script.lines().filter(|line| line.starts_with("spinefx ")).count() >= 5, "{script}");
    let done = Command::new("bash")
        .args(["-c", &script])
        .env("PATH", path)
        .env("PORT", port.to_string())
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    for file in [
        "models/mine/weights.safetensors",
        "models/mine/log.csv",
        "models/mine/curves.png",
        "out/mask.seg.dcm",
        "out-served/mask.seg.dcm",
    ] {
        assert!(dir.path().join(file).is_file(), "{file}\n{said}");
    }
    let findings =
        |folder: &str| std::fs::read_to_string(dir.path().join(folder).join("findings.json")).unwrap();
    assert_eq!(findings("out"), findings("out-served"));
}
