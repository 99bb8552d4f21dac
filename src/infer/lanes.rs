//! Passes side by side. On a CPU, passes of one tile each run on a thread of their own: libtorch's own
//! threads would share every convolution of one tile and wait for each other at its end, the longer the
//! busier the machine is with something else.

use super::device::DeviceChoice;
use super::model::{InferError, ModelError};
use crate::network::Network;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, PoisonError};

/// Rounds hold several passes for each thread, so that one that is slow costs the others little.
const PASSES_PER_THREAD: usize = 4;

/// How the passes of a model are run.
#[derive(Debug)]
pub(super) enum Lanes {
    /// One after the other, each with all of libtorch's threads: on a GPU, and for large batches.
    One {
        /// The network.
        network: Network,
        /// Those threads.
        threads: usize,
    },
    /// As many at a time as there are threads.
    Many {
        /// The threads, for each of which libtorch has no other.
        pool: ThreadPool,
        /// A network for each of them, all with the same weights in memory: libtorch's tensors may not be
        /// used by two threads at a time.
        networks: Vec<Mutex<Network>>,
    },
}

impl Lanes {
    /// * `twin`: another network that shares the weights of `network`
    /// * `count`: passes at a time; 1 leaves the threads to libtorch
    pub fn new(
        network: Network,
        twin: impl Fn() -> Result<Network, ModelError>,
        count: usize,
        choice: &DeviceChoice,
    ) -> Result<Self, ModelError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|n| format!("infer-{n}"))
            .start_handler(|_| libtorch_threads(1));
        let pool = if count > 1 { pool.build().ok() } else { None };
        // A machine that gives no more threads still computes.
        let Some(pool) = pool else {
            return Ok(Self::One { network, threads: choice.thread_count() });
        };
        let twins: Vec<Network> = (1..count).map(|_| twin()).collect::<Result<_, _>>()?;
        let networks = std::iter::once(network).chain(twins).map(Mutex::new).collect();
        Ok(Self::Many { pool, networks })
    }

    /// How many passes to collect before they are run.
    pub fn round(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::Many { networks, .. } => networks.len() * PASSES_PER_THREAD,
        }
    }

    /// Runs `pass` on every item; an error stops the rest.
    pub fn run<T: Send>(
        &self,
        items: &mut [T],
        pass: impl Fn(&Network, &mut T) -> Result<(), InferError> + Send + Sync,
    ) -> Result<(), InferError> {
        match self {
            Self::One { network, threads } => {
                libtorch_threads(*threads);
                items.iter_mut().try_for_each(|item| pass(network, item))
            }
            Self::Many { pool, networks } => pool.install(|| {
                items.par_iter_mut().try_for_each(|item| {
                    let lane = rayon::current_thread_index().unwrap_or(0);
                    let network = networks[lane].lock().unwrap_or_else(PoisonError::into_inner);
                    pass(&network, item)
                })
            }),
        }
    }
}

/// How many threads libtorch may use for the work of the calling one. Asking first matters: at its first
/// work, libtorch gives a thread the number that any thread has set last.
fn libtorch_threads(count: usize) {
    let _ = tch::get_num_threads();
    tch::set_num_threads(count as i32);
}
