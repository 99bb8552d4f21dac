//! What several tests share: the real CT beside the project, and a running server.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A part of the shared real CT. Absent: the test skips aloud, and fails in CI.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", path.display());
    eprintln!("SKIP: {} is not here", path.display());
    None
}

/// Runs the program to its end and returns what it printed; fails the test when it fails.
pub fn spinefx(args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_spinefx")).args(args).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "spinefx {args:?}: {text}");
    text
}

/// One server at a time: several, each with a thread per core, slow each other down tenfold.
static TURN: Mutex<()> = Mutex::new(());

/// A running `spinefx serve`; killed when dropped.
pub struct Server {
    pub child: Child,
    pub url: String,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    /// Starts it on a free port and waits until it listens.
    pub fn start(args: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = Command::new(env!("CARGO_BIN_EXE_spinefx"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let at = line.find("listening on ").map(|n| n + "listening on ".len());
            let found = at.map(|n| line[n..].split_whitespace().next().unwrap_or_default().to_owned());
            seen.push(line);
            found
        });
        // Keeps reading, or a full pipe would stop the server.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = address.unwrap_or_else(|| panic!("the server did not start: {seen:#?}"));
        Self { child, url: format!("http://{address}"), _turn: turn }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
