//! Passes side by side. On a CPU, passes of one tile each run on a thread of their own: libtorch's own
//! threads would share every convolution of one tile and wait for each other at its end, the longer the
//! busier the machine is with something else.

use super::device::libtorch_threads;
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
    /// * `threads`: of the CPU, for all passes together
    /// * `side_by_side`: a pass for each of them, rather than all of them for each pass
    pub fn new(
        network: Network,
        twin: impl Fn() -> Result<Network, ModelError>,
        threads: usize,
        side_by_side: bool,
    ) -> Result<Self, ModelError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|n| format!("infer-{n}"))
            .start_handler(|_| libtorch_threads(1));
        let pool = if side_by_side && threads > 1 { pool.build().ok() } else { None };
        // A machine that gives no more threads still computes.
        let Some(pool) = pool else {
            return Ok(Self::One { network, threads });
        };
        let twins: Vec<Network> = (1..threads).map(|_| twin()).collect::<Result<_, _>>()?;
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
