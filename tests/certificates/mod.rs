//! Certificates for tests of TLS, made by openssl on the spot.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn openssl(folder: &Path, arguments: &str) {
    let out = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(out.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&out.stderr));
}

/// An authority (`ca.pem`) and its certificate for `localhost` (`end.pem`, `end.key`), which serves both ends.
pub struct Certificates(tempfile::TempDir);

impl Certificates {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(folder.path(), &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 2"));
        openssl(folder.path(), &format!("req -new {key} -keyout end.key -out end.csr -subj /CN=end"));
        std::fs::write(folder.path().join("end.ext"), "subjectAltName=DNS:localhost\n").unwrap();
        let sign = "x509 -req -in end.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out end.pem -days 2";
        openssl(folder.path(), &format!("{sign} -extfile end.ext"));
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}
