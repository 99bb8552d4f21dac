//! Whether a series is whole: DICOM has no word for it, so one that has stopped growing counts as whole.

use crate::dicom::web::SeriesRecord;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Remembers since when each series has had its number of instances.
pub(super) struct Settling {
    settle: Duration,
    since: HashMap<String, (Option<u64>, Instant)>,
    held: HashMap<String, Instant>,
}

impl Settling {
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, since: HashMap::new(), held: HashMap::new() }
    }

    /// Whether it has not grown for long enough, by what was seen up to `now`.
    pub(super) fn is_settled(&mut self, series: &SeriesRecord, now: Instant) -> bool {
        let entry = self.since.entry(series.series_uid.clone()).or_insert((series.instances, now));
        if entry.0 != series.instances {
            *entry = (series.instances, now);
        }
        let held = self.held.get(&series.series_uid).is_some_and(|until| now < *until);
        !held && now.duration_since(entry.1) >= self.settle
    }

    /// Lets a series that failed wait.
    pub(super) fn hold(&mut self, series: &SeriesRecord, until: Instant) {
        self.held.insert(series.series_uid.clone(), until);
    }

    /// Forgets series that the archive no longer names.
    pub(super) fn keep(&mut self, named: &[SeriesRecord]) {
        let named: std::collections::HashSet<_> = named.iter().map(|s| s.series_uid.as_str()).collect();
        self.since.retain(|uid, _| named.contains(uid.as_str()));
        self.held.retain(|uid, _| named.contains(uid.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_grows_has_to_wait_again() {
        let series = |n| SeriesRecord::new(["1", "1.1", "CT"], Some(n), []);
        let mut settling = Settling::new(Duration::from_secs(10));
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert!(!settling.is_settled(&series(5), at(0)));
        assert!(!settling.is_settled(&series(6), at(9)));
        assert!(!settling.is_settled(&series(6), at(18)));
        assert!(settling.is_settled(&series(6), at(19)));
        settling.hold(&series(6), at(25));
        assert!(!settling.is_settled(&series(6), at(24)) && settling.is_settled(&series(6), at(25)));
        settling.keep(&[]);
        assert!(!settling.is_settled(&series(6), at(30)), "forgotten when the archive forgot it");
    }
}
