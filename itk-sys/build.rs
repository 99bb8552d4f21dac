//! Compiles the C++ shim against the system's ITK 5 and links the few ITK libraries it uses.

use std::env;
use std::path::{Path, PathBuf};

const LIBRARIES: [&str; 13] = [
    "ITKIONIFTI",
    "ITKIONRRD",
    "ITKIOMeta",
    "ITKIOImageBase",
    "ITKMetaIO",
    "ITKniftiio",
    "ITKSmoothing",
    "ITKTransform",
    "ITKStatistics",
    "ITKCommon",
    "itksys",
    "itkvnl_algo",
    "itkvnl",
];

fn main() {
    for file in ["call.h", "files.cpp", "filters.cpp", "spinefx_itk.h"] {
        println!("cargo:rerun-if-changed=shim/{file}");
    }
    println!("cargo:rerun-if-env-changed=SPINEFX_ITK_PREFIX");
    let prefix = PathBuf::from(env::var_os("SPINEFX_ITK_PREFIX").unwrap_or_else(|| "/usr".into()));
    let Some((include, version)) = newest_headers(&prefix.join("include")) else {
        missing(&format!("no {}/include/ITK-5.*", prefix.display()));
    };
    let common = format!("libITKCommon-{version}.so");
    let Some(folder) = library_folders(&prefix).into_iter().find(|f| f.join(&common).exists()) else {
        missing(&format!("the headers are in {}, but {common} is nowhere", include.display()));
    };
    compile(&include);
    println!("cargo:rustc-link-search=native={}", folder.display());
    for library in LIBRARIES.map(|name| format!("{name}-{version}")) {
        if folder.join(format!("lib{library}.so")).exists() {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
}

/// `/usr/include/ITK-5.3` and "5.3", the newest there is.
fn newest_headers(folder: &Path) -> Option<(PathBuf, String)> {
    std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix("ITK-")?.to_owned();
            let minor: u32 = version.strip_prefix("5.")?.parse().ok()?;
            entry.path().join("itkImage.h").exists().then_some((minor, entry.path(), version))
        })
        .max()
        .map(|(_, path, version)| (path, version))
}

/// Debian keeps ITK in /usr/lib, Ubuntu in the multiarch folder, source builds in lib or lib64.
fn library_folders(prefix: &Path) -> Vec<PathBuf> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    ["lib".to_owned(), format!("lib/{architecture}-linux-gnu"), "lib64".to_owned()]
        .map(|folder| prefix.join(folder))
        .to_vec()
}

fn compile(include: &Path) {
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        // ITK's headers trip -Wall; as system headers they stay quiet and ours do not.
        .flag("-isystem")
        .flag(include)
        .warnings(true)
        // Templates this deep are unusable at -O0, whatever the Rust profile.
        .opt_level(2)
        .debug(false)
        .files(["shim/filters.cpp", "shim/files.cpp"])
        .compile("spinefx_itk");
}

fn missing(what: &str) -> ! {
    println!("cargo:warning=ITK 5 was not found ({what}): run scripts/setup.sh");
    eprintln!("ITK 5 was not found ({what}): run scripts/setup.sh (Debian: libinsighttoolkit5-dev)");
    std::process::exit(1);
}
