//! Runs oracle.py and gives its volumes to the tests.

use serde::Deserialize;
use spinefx::volume::{Grid, Volume};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Volumes by name, and the folder where they are.
pub struct Oracle {
    pub folder: PathBuf,
    described: BTreeMap<String, Described>,
}

#[derive(Deserialize)]
struct Described {
    path: Option<PathBuf>,
    raw: String,
    r#type: String,
    size: [usize; 3],
    spacing_mm: [f64; 3],
    origin_lps: [f64; 3],
    direction: [[f64; 3]; 3],
}

/// SimpleITK's volumes, made once per run; `None`, said aloud, where there is no SimpleITK and no CI.
pub fn oracle() -> Option<&'static Oracle> {
    static ORACLE: OnceLock<Option<Oracle>> = OnceLock::new();
    ORACLE
        .get_or_init(|| {
            let folder =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Oracle::run("make", &[&folder])
        })
        .as_ref()
}

impl Oracle {
    /// What SimpleITK reads from the image files in a folder.
    pub fn reading(folder: &Path) -> Option<Self> {
        Self::run("read", &[folder])
    }

    /// What SimpleITK reads from the image files of the shared data; described in `folder`.
    pub fn real(folder: &Path) -> Option<Self> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        if !data.exists() {
            assert!(std::env::var_os("CI").is_none(), "no ../shared/data");
            eprintln!("SKIP: no ../shared/data with real CTs");
            return None;
        }
        Self::run("real", &[folder, &data])
    }

    fn run(task: &str, folders: &[&Path]) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".venv/bin/python");
        if !python.exists() {
            assert!(std::env::var_os("CI").is_none(), "no SimpleITK: run scripts/setup.sh");
            eprintln!("SKIP: no .venv with SimpleITK to compare with");
            return None;
        }
        let script = root.join("tests/geometry/oracle.py");
        let done = Command::new(python).arg(script).arg(task).args(folders).status().unwrap();
        assert!(done.success(), "oracle.py {task} failed");
        let folder = folders[0];
        let result = if task == "make" { "cases" } else { task };
        let text = std::fs::read_to_string(folder.join(result).with_extension("json")).unwrap();
        Some(Self { folder: folder.to_owned(), described: serde_json::from_str(&text).unwrap() })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.described.keys().map(String::as_str)
    }

    /// The file that a volume was read from.
    pub fn path(&self, name: &str) -> &Path {
        self.described[name].path.as_deref().unwrap()
    }

    /// A volume as doubles, whatever its type.
    pub fn volume(&self, name: &str) -> Volume<f64> {
        let described = &self.described[name];
        let bytes = std::fs::read(self.folder.join(&described.raw)).unwrap();
        let voxels = match described.r#type.as_str() {
            "uint8" => numbers(&bytes, |b| f64::from(u8::from_le_bytes(b))),
            "int8" => numbers(&bytes, |b| f64::from(i8::from_le_bytes(b))),
            "uint16" => numbers(&bytes, |b| f64::from(u16::from_le_bytes(b))),
            "int16" => numbers(&bytes, |b| f64::from(i16::from_le_bytes(b))),
            "uint32" => numbers(&bytes, |b| f64::from(u32::from_le_bytes(b))),
            "int32" => numbers(&bytes, |b| f64::from(i32::from_le_bytes(b))),
            "float32" => numbers(&bytes, |b| f64::from(f32::from_le_bytes(b))),
            "float64" => numbers(&bytes, f64::from_le_bytes),
            other => panic!("the oracle wrote {other}"),
        };
        let Described { size, spacing_mm, origin_lps, direction, .. } = *described;
        Volume::new(Grid::new(size, spacing_mm, origin_lps, direction).unwrap(), voxels).unwrap()
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| number(chunk)).collect()
}
