//! tmp
use spinefx::train::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "phantom" {
        let config = phantom::PhantomConfig { seed: a[2].parse().unwrap(), prevalence: a[5].parse().unwrap(), ..Default::default() };
        phantom::run(&phantom::PhantomOptions { config, first: a[6].parse().unwrap(), count: a[3].parse().unwrap(), out: a[4].clone().into(), formats: vec![phantom::Format::Nifti] }, |n| eprintln!("{n}")).unwrap();
        return;
    }
    let model = spinefx::infer::ModelConfig::from_json(&std::fs::read_to_string(&a[3]).unwrap()).unwrap();
    let o = TrainOptions { set: a[1].clone().into(), output: a[2].clone().into(), model, epochs: a[4].parse().unwrap(), batch: 16, learning_rate: 1e-3, stop_patience: 5, plateau_patience: 2, plateau_factor: 0.4, slices_per_epoch: Some(a[5].parse().unwrap()), seed: 0, device: tch::Device::Cpu };
    run(&o, &mut |e| match e { Event::Step(_, s, n, l) if s % 10 == 0 => eprintln!("{s}/{n} {l:.4}"), Event::Epoch(e) => eprintln!("{e:?}"), Event::Loaded(a,b) => eprintln!("loaded {a}/{b}"), _ => {} }).unwrap();
}
