//! What a training ran on, as far as it explains its time; never the machine's own name.

use tch::Device;

/// Processor, threads and device.
pub fn describe(device: Device) -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let device = format!("{device:?}").to_lowercase();
    format!("{}, {threads} threads, computing on {device}", processor())
}

/// The processor's name for itself, from Linux.
pub fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}
