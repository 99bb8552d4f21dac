//! The synthetic spine: reproducible, anatomically in range, and true to its own truth.

use spinefx::train::phantom::{PhantomConfig, generate};

/// Writes a set for looking at; not a check.
#[test]
#[ignore]
fn dump() {
    use spinefx::train::phantom::{Format, PhantomOptions, run};
    let out = std::env::var("PHANTOM_OUT").unwrap();
    let sp: f64 = std::env::var("PHANTOM_SPACING").ok().map_or(1.0, |v| v.parse().unwrap());
    let n: u64 = std::env::var("PHANTOM_COUNT").ok().map_or(8, |v| v.parse().unwrap());
    let config = PhantomConfig { spacing_mm: Some([sp; 3]), prevalence: 1.0, ..PhantomConfig::default() };
    let t = std::time::Instant::now();
    for i in 0..2 {
        generate(&config, i).unwrap();
    }
    eprintln!("{:?} each", t.elapsed() / 2);
    run(
        &PhantomOptions { config, first: 0, count: n, out: out.into(), formats: vec![Format::Nifti] },
        |_| (),
    )
    .unwrap();
}
