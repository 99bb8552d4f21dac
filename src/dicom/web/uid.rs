//! Unique identifiers that come from outside and go into addresses.

use super::error::WebError;

/// Longest UID (PS3.5 9.1).
const MAX_BYTES: usize = 64;

/// A series by its UIDs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef {
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
}

impl SeriesRef {
    /// Fails on anything that is no UID: it would become part of an address.
    pub fn new(study_uid: impl Into<String>, series_uid: impl Into<String>) -> Result<Self, WebError> {
        let series = Self { study_uid: study_uid.into(), series_uid: series_uid.into() };
        series.check()?;
        Ok(series)
    }

    /// The fields are public, so whoever builds an address asks again.
    pub(super) fn check(&self) -> Result<(), WebError> {
        check("study_uid", &self.study_uid)?;
        check("series_uid", &self.series_uid)
    }
}

/// Numbers with single dots between them, 64 bytes at most. A number that begins with 0 is against the
/// standard and in use, and does no harm here.
pub(super) fn is_uid(value: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    value.len() <= MAX_BYTES && value.split('.').all(number)
}

/// The value is not quoted: a client may have sent a name in the wrong field.
pub(super) fn check(what: &'static str, value: &str) -> Result<(), WebError> {
    if is_uid(value) { Ok(()) } else { Err(WebError::BadUid { what }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_between_dots_are_uids() {
        for good in ["1", "1.2.840.10008.1.2", "2.25.0", &"1".repeat(64)] {
            assert!(is_uid(good), "{good}");
        }
        let long = "1".repeat(65);
        for bad in ["", ".", "..", "1.", ".1", "1..2", "1.2/3", "1.2%2f", "1.2 ", "1.a", "１.2", &long] {
            assert!(!is_uid(bad), "{bad}");
        }
    }
}
