//! Time per stage, peak memory and the forward pass alone, on a generated spine and, where it is
//! present, on the real chest CT S01. Prints Markdown; `make bench` keeps it in docs/performance.md.

use spinefx::dicom;
use spinefx::evaluate::tables::machine::processor;
use spinefx::infer::{DeviceChoice, InferOptions, Model, ModelConfig, Place, Precision};
use spinefx::monitor::Monitor;
use spinefx::pipeline::{self, Input, Options, Output};
use spinefx::preprocess;
use spinefx::train::phantom::{self, PhantomConfig};
use spinefx::volume::{Grid, Volume};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Repeats of the forward pass; the median is printed.
const REPEATS: usize = 7;
/// Tiles of one such pass.
const TILES: usize = 32;

fn main() {
    let model = Model::embedded(&cpu(None)).expect("the built-in model loads");
    println!("# Performance\n");
    println!("Made by `make bench`; every figure is from one run on one machine.\n");
    machine();
    println!("Model: {} (weights {}…).\n", model.config().name, &model.weights_sha256()[..12]);
    forward();
    let spine =
        phantom::generate(&PhantomConfig { seed: 20261, prevalence: 1.0, ..PhantomConfig::default() }, 9)
            .expect("phantom");
    volume("generated spine", &model, spine.ct);
    match s01() {
        Some(ct) => volume("S01, a real chest CT", &model, ct),
        None => println!("S01 is not here: its part is left out.\n"),
    }
}

fn cpu(precision: Option<Precision>) -> DeviceChoice {
    DeviceChoice { place: Place::Cpu, precision, threads: None }
}

fn machine() {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|l| l.starts_with("flags"));
    let bf16 = if flags.is_some_and(|l| l.contains("avx512_bf16")) { "with" } else { "without" };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("Machine: {}, {cores} cores, {bf16} AVX512-BF16, no GPU used.\n", processor());
}

/// The network alone, per tile, as number format, batch and threads change.
fn forward() {
    let config = ModelConfig::from_json(include_str!("../models/msff-lite/config.json")).expect("config");
    let weights = include_bytes!("../models/msff-lite/weights.safetensors");
    let [rows, columns] = config.tile_vox;
    println!("## Forward pass alone\n");
    println!(
        "Milliseconds per tile of {rows} × {columns} on {TILES} slices of one tile each, median of {REPEATS}; \
        ratio to the first row. Batches of one tile run side by side, a thread for each.\n"
    );
    println!("| precision | batch | threads | ms per tile | ratio |\n|---|---:|---:|---:|---:|");
    let grid = Grid::axis_aligned([TILES, columns, rows], config.spacing_mm, [0.0; 3]).expect("grid");
    let (air, gate) = (Volume::filled(grid.clone(), -1.0), Volume::filled(grid, 1));
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut base = None;
    for precision in [Precision::Fp32, Precision::Bf16] {
        for (batch, threads) in [(1, 1), (1, all), (4, all), (8, all)] {
            let choice = DeviceChoice { threads: Some(threads), ..cpu(Some(precision)) };
            let config = ModelConfig { batch, ..config.clone() };
            let model = Model::from_parts(config, weights, &choice).expect("model");
            let pass = || {
                let started = Instant::now();
                let all = InferOptions::default();
                model.probabilities(&air, &gate, all, &Monitor::default()).expect("probabilities");
                started.elapsed().as_secs_f64() * 1e3 / TILES as f64
            };
            // The first one allocates.
            let mut times: Vec<f64> = (0..=REPEATS).map(|_| pass()).skip(1).collect();
            times.sort_by(f64::total_cmp);
            let ms = times[REPEATS / 2];
            let base = *base.get_or_insert(ms);
            println!("| {precision:?} | {batch} | {threads} | {ms:.1} | {:.2} |", ms / base);
        }
    }
    println!();
}

fn volume(name: &str, model: &Model, ct_hu: Volume<i16>) {
    let (size, spacing) = (ct_hu.grid().size(), ct_hu.grid().spacing_mm());
    println!("## {name}\n");
    println!(
        "{} × {} × {} voxels of {:.2} × {:.2} × {:.2} mm, {:.0} MB in memory.\n",
        size[0],
        size[1],
        size[2],
        spacing[0],
        spacing[1],
        spacing[2],
        ct_hu.grid().len() as f64 * 2e-6
    );
    skipping(model, &ct_hu);
    let outputs = BTreeSet::from([Output::Nifti, Output::DicomSeg, Output::FindingsJson]);
    let before = reset_peak();
    let started = Instant::now();
    let options = Options { outputs, ..Options::default() };
    let made =
        pipeline::segment(model, Input::Voxels(ct_hu), &options, &Monitor::default()).expect("segment");
    let total = started.elapsed().as_secs_f64();
    println!("| stage | s | share |\n|---|---:|---:|");
    for (stage, took) in &made.timings {
        println!(
            "| {} | {:.2} | {:.0} % |",
            stage.name(),
            took.as_secs_f64(),
            took.as_secs_f64() / total * 100.0
        );
    }
    println!("| whole | {total:.2} | 100 % |\n");
    println!(
        "{:.3} s per source slice. Peak memory {:.0} MB, of which {:.0} MB were held before the request.\n",
        total / size[2] as f64,
        peak(),
        before
    );
}

/// What leaving out tiles without bone saves: the ratio in one run.
fn skipping(model: &Model, ct_hu: &Volume<i16>) {
    let monitor = Monitor::default();
    let prepared =
        preprocess::prepare(ct_hu, &model.config().recipe(), &monitor).expect("prepare").expect("bone");
    let time = |skip_empty| {
        let started = Instant::now();
        let p =
            model.probabilities(&prepared.normalised, &prepared.gate, InferOptions { skip_empty }, &monitor);
        (started.elapsed().as_secs_f64(), p.expect("probabilities"))
    };
    let ((with, a), (without, b)) = (time(true), time(false));
    assert!(a == b, "leaving out tiles changed the result");
    println!(
        "Network over the volume: {with:.1} s leaving out tiles without bone, {without:.1} s over all of them \
        (ratio {:.2}), with identical probabilities.\n",
        with / without
    );
}

fn s01() -> Option<Volume<i16>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-out/s01");
    let read = || dicom::read_path(&folder, dicom::ReadOptions::default(), &Monitor::default());
    folder.is_dir().then(|| read().expect("S01 reads").volume)
}

/// Forgets the peak so far and returns what is held now, MB.
fn reset_peak() -> f64 {
    let _ = fs::write("/proc/self/clear_refs", "5");
    status("VmRSS")
}

fn peak() -> f64 {
    status("VmHWM")
}

fn status(field: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
