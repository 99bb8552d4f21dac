//! How many bytes may still come: of one answer, and of all answers of a series together.

use super::error::WebError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all answers together; those of an attempt that failed do not count.
#[derive(Debug, Clone)]
pub(super) struct Total {
    taken: Arc<AtomicU64>,
    limit: u64,
    each: u64,
}

impl Total {
    /// * `each`: most bytes of one answer; `limit`: of all.
    pub fn new(each: u64, limit: u64) -> Self {
        Self { taken: Arc::default(), limit, each }
    }

    /// Most bytes of one answer.
    pub fn each(&self) -> u64 {
        self.each
    }

    /// For one answer.
    pub fn allowance(&self) -> Allowance {
        Allowance { total: self.clone(), taken: 0, kept: false }
    }
}

/// Counts one answer while it comes. Dropped unkept, it gives its bytes back.
#[derive(Debug)]
pub(super) struct Allowance {
    total: Total,
    taken: u64,
    kept: bool,
}

impl Allowance {
    /// Counts bytes that came.
    pub fn take(&mut self, bytes: usize) -> Result<(), WebError> {
        let bytes = bytes as u64;
        self.taken += bytes;
        let all = self.total.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        for (what, limit, found) in
            [("bytes of one answer", self.total.each, self.taken), ("bytes", self.total.limit, all)]
        {
            if found > limit {
                return Err(WebError::Limit { what, limit });
            }
        }
        Ok(())
    }

    /// The answer came as a whole.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        if !self.kept {
            self.total.taken.fetch_sub(self.taken, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_attempts_give_their_bytes_back() {
        let total = Total::new(6, 10);
        assert!(total.allowance().take(7).is_err());
        for _ in 0..5 {
            total.allowance().take(6).unwrap();
        }
        let mut first = total.allowance();
        first.take(6).unwrap();
        first.keep();
        let mut second = total.allowance();
        second.take(4).unwrap();
        assert_eq!(second.take(1), Err(WebError::Limit { what: "bytes", limit: 10 }));
    }
}
