//! How a training program holds its memory.
//!
//! Every map of a training step is a block of megabytes. By default the C library gives each one back to
//! the kernel and takes fresh pages, zeroed one by one, for the next: a third of a step's time on a CPU.
//! Kept, the blocks are used again. A server keeps the default: what a request needed is free after it.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where glibc (2.26 and later) reads its allocator's settings, once, before a program's first line.
const VARIABLE: &str = "GLIBC_TUNABLES";

/// Never map a block on its own, never give the heap's end back.
const KEEP: &str = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776";

/// Starts this program anew, in this process, so that memory once used is kept for reuse. Returns where
/// that is done already, where the caller has settings of their own, and where it fails: it only costs
/// time. Must come before threads and files.
pub fn keep() {
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let name = std::env::args_os().next().unwrap_or_else(|| program.clone().into());
    let error = Command::new(program).arg0(name).args(std::env::args_os().skip(1)).env(VARIABLE, KEEP).exec();
    tracing::debug!(%error, "memory is given back after every step");
}
