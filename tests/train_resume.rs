//! A run that is killed at random moments and goes on ends with the very weights of one that was not.

#[path = "train/mod.rs"]
mod common;

use common::{said, set, train};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Six epochs of six steps, a checkpoint after each step.
fn quick(data: &Path, output: &Path) -> Command {
    lasting("6", data, output)
}

fn lasting(epochs: &str, data: &Path, output: &Path) -> Command {
    let mut command = train(data, output);
    command.args(["--epochs", epochs, "--stop-patience", "9", "--slices-per-epoch", "24"]);
    command.args(["--checkpoint-minutes", "0"]);
    command
}

fn weights(output: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(output.join("weights.safetensors")).unwrap()))
}

/// Epoch, loss and learning rate of every line; wall time differs from run to run.
fn log(output: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(output.join("log.csv")).unwrap();
    reader.records().map(|r| r.unwrap().iter().take(6).map(str::to_owned).collect()).collect()
}

/// Starts or resumes the run and kills it (SIGKILL) once its checkpoint was seen to change `times` times
/// and `more` has gone by.
fn kill_after(mut run: Command, output: &Path, times: u32, more: Duration) {
    let stamp = || std::fs::metadata(output.join("checkpoint.safetensors")).and_then(|m| m.modified()).ok();
    let mut last = stamp();
    let mut child = run.arg("--resume").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut seen = 0;
    while seen < times {
        let now = stamp();
        seen += u32::from(now != last);
        last = now;
        assert!(child.try_wait().unwrap().is_none(), "it came to its end after {seen} checkpoints");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(more);
    assert!(child.try_wait().unwrap().is_none(), "it came to its end");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Trains once in peace and once with two kills, and compares. Returns the undisturbed run's folder.
fn survives_two_kills(dir: &Path, flags: &[&str]) -> PathBuf {
    let (data, whole, killed) = (dir.join("set"), dir.join("whole"), dir.join("killed"));
    set(&data, 6);
    let run = |output: &Path| {
        let mut command = quick(&data, output);
        command.args(flags);
        command
    };
    let done = run(&whole).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    // 36 steps in all, a checkpoint after each: two kills leave some to do.
    let random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    for random in [random, random / 1000] {
        let (times, more) = (1 + random % 12, Duration::from_micros(u64::from(random / 12 % 20_000)));
        eprintln!("killed {more:?} after checkpoint {times}");
        kill_after(run(&killed), &killed, times, more);
    }
    let done = run(&killed).arg("--resume").output().unwrap();
    assert!(done.status.success() && said(&done).contains("going on at epoch"), "{}", said(&done));
    assert_eq!(weights(&killed), weights(&whole));
    assert_eq!(log(&killed), log(&whole));
    let epochs: Vec<String> = log(&killed).iter().map(|line| line[0].clone()).collect();
    assert_eq!(epochs, ["1", "2", "3", "4", "5", "6"]);
    assert!(killed.join("curves.png").is_file() && killed.join("split.json").is_file());
    whole
}

#[test]
fn killed_twice_at_random_it_ends_with_the_same_weights() {
    let dir = tempfile::tempdir().unwrap();
    survives_two_kills(dir.path(), &[]);
}

#[test]
fn so_does_a_run_along_a_cosine() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--schedule", "cosine", "--foreground-share", "0.2", "--precision", "bf16"];
    let whole = survives_two_kills(dir.path(), &flags);
    let rates: Vec<f64> = log(&whole).iter().map(|line| line[5].parse().unwrap()).collect();
    assert!(rates.windows(2).all(|pair| pair[1] < pair[0]), "{rates:?}");
    // The log names the rate of an epoch's last step: 6 of 36 are behind the first, 36 behind the last.
    assert!(rates[0] > 9e-4 && rates[5] < 1e-5, "{rates:?}");
    let mut longer = lasting("7", &dir.path().join("set"), &whole);
    longer.args(flags).arg("--resume");
    let done = longer.output().unwrap();
    assert!(
        !done.status.success() && said(&done).contains("schedule.epochs was 6, now 7"),
        "{}",
        said(&done)
    );
}

#[test]
fn so_does_spinegan_and_its_adversary_counts() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--architecture", "spinegan", "--accumulate", "2"];
    let whole = survives_two_kills(dir.path(), &flags);
    let alone = dir.path().join("alone");
    let mut command = quick(&dir.path().join("set"), &alone);
    let done = command.args(flags).args(["--adversary-weight", "0"]).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert_ne!(weights(&alone), weights(&whole), "the adversary changed nothing");
    // What is served holds the generator alone; the run holds both networks and both Adams.
    let names = |output: &Path, file: &str| -> BTreeSet<String> {
        let bytes = std::fs::read(output.join(file)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.names().into_iter().map(str::to_owned).collect()
    };
    assert_eq!(names(&whole, "weights.safetensors"), names(&alone, "weights.safetensors"));
    let adversary = |output: &Path| {
        let names = names(output, "checkpoint.safetensors").into_iter();
        names.filter(|name| name.starts_with("adversary.")).count()
    };
    // Three stages of convolution, scale and shift, and two convolutions with biases; value and both
    // moments of each.
    assert_eq!([adversary(&whole), adversary(&alone)], [3 * (3 * 3 + 2 * 2), 0]);
}

#[test]
fn a_folder_with_a_run_is_neither_lost_nor_mixed_up() {
    let dir = tempfile::tempdir().unwrap();
    let (data, output) = (dir.path().join("set"), dir.path().join("run"));
    set(&data, 6);
    kill_after(quick(&data, &output), &output, 1, Duration::ZERO);
    let refused = |command: &mut Command, reason: &str| {
        let done = command.output().unwrap();
        assert!(!done.status.success() && said(&done).contains(reason), "{reason}: {}", said(&done));
    };
    refused(&mut quick(&data, &output), "--resume");
    let mut other = quick(&data, &output);
    other.args(["--resume", "--beta1", "0.8", "--seed", "3"]);
    refused(&mut other, "adam.beta1 was 0.9, now 0.8\n  seed was 0, now 3");
    set(&data, 5);
    common::set(&data.join("../more"), 1);
    std::fs::rename(data.join("../more/case-00"), data.join("case-00-again")).unwrap();
    refused(quick(&data, &output).arg("--resume"), "volumes have changed");
    std::fs::remove_dir_all(data.join("case-00-again")).unwrap();
    let mut once = train(&data, &output);
    once.args(["--overwrite", "--epochs", "1", "--slices-per-epoch", "8"]);
    let done = once.output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    refused(train(&data, &output).args(["--epochs", "1", "--slices-per-epoch", "8"]), "trained model");
}
