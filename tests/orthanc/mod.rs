//! A real archive for tests: Debian's Orthanc with its DICOMweb plugin, in a folder of its own.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = "/usr/sbin/Orthanc";
const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// It answers after 0.2 s; a loaded machine needs longer.
const START: Duration = Duration::from_secs(60);

/// How the archive is to be.
#[derive(Default)]
pub struct Options {
    /// User and password that it asks for; nothing is asked without.
    pub user: Option<(&'static str, &'static str)>,
    /// Further settings of its configuration file, over those of this module.
    pub settings: Value,
}

/// A running archive. Dropping it stops it and waits for its end.
pub struct Orthanc {
    /// Root of its DICOMweb service: `http://127.0.0.1:<port>/dicom-web`.
    pub root: String,
    /// Root of its own interface: `http://127.0.0.1:<port>`.
    pub http: String,
    process: Child,
    _folder: TempDir,
}

impl Orthanc {
    /// Whether it is here. Absent: the test says so and skips, except on CI, where it fails.
    pub fn installed() -> bool {
        let here = Path::new(PROGRAM).exists() && Path::new(PLUGIN).exists();
        assert!(here || std::env::var_os("CI").is_none(), "Orthanc is missing: scripts/setup.sh --test");
        if !here {
            eprintln!("SKIP: Orthanc is not here (scripts/setup.sh --test)");
        }
        here
    }

    /// Starts an empty archive and waits until it answers.
    pub fn start(options: Options) -> Self {
        let Options { user, settings } = options;
        let settings = settings.as_object().cloned().unwrap_or_default();
        // Another test may take the free port in between.
        (0..5).find_map(|_| Self::try_start(user, &settings)).expect("Orthanc starts")
    }

    fn try_start(user: Option<(&str, &str)>, settings: &serde_json::Map<String, Value>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut config = json!({
            "Name": "spinefx test", "StorageDirectory": folder.path(), "IndexDirectory": folder.path(),
            "HttpPort": port, "RemoteAccessAllowed": false, "DicomServerEnabled": false,
            "Plugins": [PLUGIN], "DicomWeb": {"Enable": true, "Root": "/dicom-web/"},
            "AuthenticationEnabled": user.is_some(),
            "RegisteredUsers": user.map_or(json!({}), |(name, password)| json!({name: password})),
        });
        config.as_object_mut().unwrap().extend(settings.clone());
        let file = folder.path().join("orthanc.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let process =
            Command::new(PROGRAM).arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let http = format!("http://127.0.0.1:{port}");
        let mut archive = Self { root: format!("{http}/dicom-web"), http, process, _folder: folder };
        archive.wait().then_some(archive)
    }

    /// Waits for the first answer; false when the process ended before.
    fn wait(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < START {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if self.try_request("GET", "/system", b"").is_some() {
                return true;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("Orthanc did not answer within {START:?}");
    }

    /// One request to Orthanc's own interface: status and body.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.try_request(method, path, body).expect("Orthanc answers")
    }

    fn try_request(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let host = self.http.strip_prefix("http://").unwrap();
        let mut to = TcpStream::connect(host).ok()?;
        // HTTP/1.0: the answer ends with the connection, unchunked.
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
        to.write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut answer = Vec::new();
        to.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
        Some((status, answer.split_off(end)))
    }

    /// The stored file of an instance, as Orthanc keeps it.
    pub fn file(&self, sop_instance_uid: &str) -> Vec<u8> {
        let (_, found) = self.request("POST", "/tools/lookup", sop_instance_uid.as_bytes());
        let found: Value = serde_json::from_slice(&found).unwrap();
        let id = found[0]["ID"].as_str().expect("the instance is there").to_owned();
        self.request("GET", &format!("/instances/{id}/file"), b"").1
    }

    /// Throws everything away.
    pub fn clear(&self) {
        let (_, studies) = self.request("GET", "/studies", b"");
        for study in serde_json::from_slice::<Vec<String>>(&studies).unwrap() {
            assert_eq!(self.request("DELETE", &format!("/studies/{study}"), b"").0, 200);
        }
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        // Its folder goes with it, so that nothing has to be saved.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
