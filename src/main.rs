//! The `spinefx` program.

fn main() {}
