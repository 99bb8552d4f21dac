//! How a program that runs on and on is told to stop.

use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// Ready at SIGTERM or Ctrl-C. Call it inside a runtime.
pub fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
