//! The commands of the `spinefx` program.

mod compute;
mod evaluate;
mod graft;
mod log;
mod mask;
mod memory;
mod models;
mod phantom;
mod reproduce;
mod segment;
mod serve;
mod show;
mod stop;
mod train;
mod truth;
mod watch;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Spine-fracture masks on CT. Research only; not for diagnosis.
#[derive(Debug, Parser)]
#[command(name = "spinefx", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer segmentation requests over gRPC
    Serve(serve::Serve),
    /// Follow an archive and segment every new CT
    Watch(watch::WatchCommand),
    /// Segment one CT and write mask, DICOM SEG, findings and pictures
    Segment(segment::Segment),
    /// Train a model on pairs of CT and mask
    Train(train::Train),
    /// Compare a model's masks with the truth of a set
    Evaluate(evaluate::Evaluate),
    /// Train the networks of the paper's tables and print its figures beside ours
    Reproduce(reproduce::Reproduce),
    /// Generate synthetic spine CTs with known fractures
    Phantom(phantom::Phantom),
    /// Make known fractures in a real CT whose vertebrae are labelled
    Graft(graft::Graft),
    /// List the models that this program can serve
    Models(models::Models),
}

/// The error and its causes, each once: most of ours already say what caused them.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |all, cause| match all.as_str() {
        "" => cause,
        said if said.contains(&cause) => all,
        _ => format!("{all}: {cause}"),
    })
}

/// Bad configuration or arguments, as BSD's sysexits calls it (EX_USAGE).
const EXIT_USAGE: u8 = 64;

/// Parses the arguments and runs a command. Errors end on standard error, never as a panic.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // clap's own exit code for a mistake is 2; --help and --version are no mistakes.
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Serve(command) => return serve::run(&command),
        Command::Watch(command) => watch::run(&command),
        Command::Segment(command) => segment::run(&command),
        Command::Train(command) => train::run(&command),
        Command::Evaluate(command) => evaluate::run(&command),
        Command::Reproduce(command) => reproduce::run(&command),
        Command::Phantom(command) => phantom::run(&command),
        Command::Graft(command) => graft::run(&command),
        Command::Models(command) => models::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("spinefx: {}", sentence(&e));
            ExitCode::FAILURE
        }
    }
}
