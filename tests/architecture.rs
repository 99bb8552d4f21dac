//! The fences of ARCHITECTURE.md, read off the code's own words.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that only some modules may name, and why.
const CRATES: &[(&str, &[&str], &str)] = &[
    ("tonic", &["service"], "transport lives in service alone"),
    ("tonic_health", &["service"], "transport lives in service alone"),
    ("tonic_reflection", &["service"], "transport lives in service alone"),
    ("tonic_types", &["service"], "transport lives in service alone"),
    ("tonic_web", &["service"], "transport lives in service alone"),
    ("tower_http", &["service"], "transport lives in service alone"),
    ("prost", &["service"], "transport lives in service alone"),
    ("prost_types", &["service"], "transport lives in service alone"),
    ("dicom_core", &["dicom"], "DICOM parsing lives in dicom alone"),
    ("dicom_object", &["dicom"], "DICOM parsing lives in dicom alone"),
    ("dicom_pixeldata", &["dicom"], "DICOM parsing lives in dicom alone"),
    ("dicom_dictionary_std", &["dicom"], "DICOM parsing lives in dicom alone"),
    ("dicom_encoding", &["dicom"], "DICOM parsing lives in dicom alone"),
    ("dicom_transfer_syntax_registry", &["dicom"], "DICOM parsing lives in dicom alone"),
    ("reqwest", &["dicom"], "archives are talked to in dicom::web alone"),
    ("rustls", &["dicom"], "archives are talked to in dicom::web alone"),
    ("rustls_platform_verifier", &["dicom"], "archives are talked to in dicom::web alone"),
    ("url", &["dicom"], "archives are talked to in dicom::web alone"),
    ("ipnet", &["dicom"], "archives are talked to in dicom::web alone"),
    ("multer", &["dicom"], "archives are talked to in dicom::web alone"),
    ("backon", &["dicom"], "archives are talked to in dicom::web alone"),
    ("itk_sys", &["itk"], "ITK is called through the safe wrapper alone"),
    ("tch", &["network", "infer", "train", "evaluate"], "tensors stay between network and infer"),
];

/// Which of our modules a module may import.
const IMPORTS: &[(&str, &[&str])] = &[
    ("volume", &[]),
    ("monitor", &[]),
    ("plane", &[]),
    ("network", &[]),
    ("column", &["volume"]),
    ("itk", &["volume", "monitor"]),
    ("dicom", &["volume", "monitor"]),
    ("preprocess", &["volume", "monitor", "itk", "column"]),
    ("postprocess", &["volume", "monitor", "itk"]),
    ("overlay", &["volume", "plane", "monitor", "itk", "postprocess"]),
    ("infer", &["volume", "plane", "monitor", "network", "preprocess"]),
    ("pipeline", &["dicom", "preprocess", "infer", "postprocess", "overlay", "volume", "monitor", "itk"]),
    ("worker", &["pipeline", "monitor"]),
    ("service", &["worker", "pipeline", "monitor", "volume", "postprocess", "itk", "dicom"]),
    ("watch", &["worker", "pipeline", "monitor", "dicom"]),
    ("train", &["network", "preprocess", "itk", "infer", "volume", "plane", "monitor", "dicom"]),
    (
        "evaluate",
        &[
            "network",
            "train",
            "infer",
            "pipeline",
            "postprocess",
            "overlay",
            "dicom",
            "itk",
            "plane",
            "monitor",
            "volume",
        ],
    ),
    (
        "cli",
        &[
            "service",
            "watch",
            "worker",
            "pipeline",
            "train",
            "evaluate",
            "infer",
            "dicom",
            "itk",
            "monitor",
            "postprocess",
            "volume",
            "plane",
        ],
    ),
];

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// (module, file, the file's text without its tests and comments)
fn modules() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files
        .into_iter()
        .map(|file| {
            let inside = file.strip_prefix(&src).unwrap().to_path_buf();
            let module = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let code: Vec<&str> = code.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
            (module, inside, code.join("\n"))
        })
        .filter(|(module, _, _)| module != "lib" && module != "main")
        .collect()
}

/// Whether `code` names the path segment `name` followed by `::`.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// First segments of every `crate::…` path, also inside `use crate::{a, b}`.
fn imported(code: &str) -> Vec<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find("};").unwrap_or(list.len())];
                found.extend(list.split(',').map(|item| word(item.trim())));
            }
            None => found.push(word(rest)),
        }
    }
    found
}

#[test]
fn every_module_has_its_rule() {
    let rules: BTreeMap<_, _> = IMPORTS.iter().copied().collect();
    for (module, file, _) in modules() {
        assert!(rules.contains_key(module.as_str()), "{}: no rule for module {module}", file.display());
    }
}

#[test]
fn crates_stay_behind_their_fence() {
    for (module, file, code) in modules() {
        for (name, allowed, why) in CRATES {
            assert!(
                allowed.contains(&module.as_str()) || !names(&code, name),
                "{} names {name}: {why}",
                file.display()
            );
        }
    }
}

#[test]
fn modules_import_only_what_lies_below_them() {
    let rules: BTreeMap<_, _> = IMPORTS.iter().copied().collect();
    for (module, file, code) in modules() {
        for other in imported(&code).iter().filter(|o| **o != module && rules.contains_key(o.as_str())) {
            let allowed = rules[module.as_str()];
            assert!(
                allowed.contains(&other.as_str()),
                "{}: {module} may import {allowed:?}, not {other}",
                file.display()
            );
        }
    }
}

/// The service hands requests on to archives; it reads and writes no DICOM itself.
#[test]
fn the_service_knows_of_dicom_only_its_archives() {
    for (module, file, code) in modules().into_iter().filter(|(module, _, _)| module == "service") {
        for (at, _) in code.match_indices("dicom::") {
            let named = &code[at..];
            assert!(named.starts_with("dicom::web"), "{}: {module} names {named:.40}", file.display());
        }
    }
}

#[test]
fn unsafe_stays_in_the_itk_wrapper() {
    for (module, file, code) in modules() {
        assert!(module == "itk" || !code.contains("unsafe "), "{}: unsafe outside src/itk", file.display());
    }
}

#[test]
fn files_stay_small() {
    for (_, file, _) in modules() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&file);
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines; a file has one purpose and at most 400", file.display());
    }
}

#[test]
fn the_fences_can_fail() {
    assert!(names("use tch::nn;", "tch"));
    assert!(!names("use crate::watch::x;", "tch"));
    assert_eq!(
        imported("use crate::{volume::Grid, itk};\nuse crate::infer::Model;"),
        ["volume", "itk", "infer"]
    );
}
