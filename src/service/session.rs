//! What all requests share, and the ids of those that are being worked on.

use super::config::ServeConfig;
use super::error::RequestError;
use crate::dicom::web::Archives;
use crate::worker::Worker;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use uuid::Uuid;

/// What all requests share.
pub(super) struct Shared {
    pub config: ServeConfig,
    pub worker: Worker,
    pub archives: Archives,
    pub sessions: Sessions,
}

/// The ids of the requests that are being worked on.
#[derive(Default)]
pub(super) struct Sessions {
    ids: Mutex<HashSet<Uuid>>,
    count: watch::Sender<usize>,
}

impl Sessions {
    /// Takes an id until the guard is dropped.
    pub(super) fn enter(shared: &Arc<Shared>, id: Uuid) -> Result<Guard, RequestError> {
        if !shared.sessions.change(|ids| ids.insert(id)) {
            return Err(RequestError::Duplicate { request_id: id.to_string() });
        }
        Ok(Guard { shared: shared.clone(), id })
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<Uuid>) -> bool) -> bool {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut ids);
        self.count.send_replace(ids.len());
        changed
    }

    /// Waits until no request is left.
    pub(super) async fn idle(&self) {
        // An error means that the sender is gone, and it is ours.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Keeps an id taken.
pub(super) struct Guard {
    shared: Arc<Shared>,
    id: Uuid,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.sessions.change(|ids| ids.remove(&self.id));
    }
}
