//! The `spinefx` program.

fn main() -> std::process::ExitCode {
    spinefx::cli::run()
}
