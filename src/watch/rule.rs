//! Which series are wanted.

use crate::dicom::web::SeriesRecord;
use globset::{GlobBuilder, GlobMatcher};
use std::str::FromStr;
use thiserror::Error;

/// `Keyword=pattern`: an attribute of the series by its DICOM keyword, and what it must look like: `*` for
/// anything, `?` for one character, `{a,b}` for either; upper and lower case are alike.
#[derive(Debug, Clone)]
pub struct Pattern {
    keyword: String,
    glob: GlobMatcher,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no pattern: write Keyword=pattern, such as BodyPartExamined=*SPINE*")]
pub struct PatternError {
    /// As given.
    text: String,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let bad = || PatternError { text: text.to_owned() };
        let (keyword, glob) = text.split_once('=').ok_or_else(bad)?;
        if keyword.is_empty() || !keyword.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(bad());
        }
        let glob = GlobBuilder::new(glob).case_insensitive(true).build().map_err(|_| bad())?;
        Ok(Self { keyword: keyword.to_owned(), glob: glob.compile_matcher() })
    }
}

impl Pattern {
    /// An attribute that the archive does not give counts as empty.
    fn fits(&self, series: &SeriesRecord) -> bool {
        self.glob.is_match(series.get(&self.keyword).unwrap_or_default())
    }
}

/// All of `take`, none of `skip`, and enough instances.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// All must fit.
    pub take: Vec<Pattern>,
    /// None may fit.
    pub skip: Vec<Pattern>,
    /// Fewest instances.
    pub instances: u64,
}

impl Rule {
    /// Whether a series is wanted. One whose archive does not count instances is never too small.
    pub fn takes(&self, series: &SeriesRecord) -> bool {
        series.instances.is_none_or(|n| n >= self.instances)
            && self.take.iter().all(|pattern| pattern.fits(series))
            && !self.skip.iter().any(|pattern| pattern.fits(series))
    }

    /// The attributes that it looks at.
    pub fn keywords(&self) -> Vec<&str> {
        self.take.iter().chain(&self.skip).map(|pattern| pattern.keyword.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(instances: Option<u64>) -> SeriesRecord {
        let attributes = [("BodyPartExamined", "LSPINE"), ("SeriesDescription", "Bone/thin 1.0")];
        SeriesRecord::new(["1.2", "1.2.3", "CT"], instances, attributes)
    }

    fn rule(take: &[&str], skip: &[&str]) -> Rule {
        let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Rule { take: parsed(take), skip: parsed(skip), instances: 10 }
    }

    #[test]
    fn patterns_name_attributes_and_what_they_look_like() {
        let wanted = |take: &[&str], skip: &[&str]| rule(take, skip).takes(&series(Some(100)));
        assert!(wanted(&[], &[]));
        assert!(wanted(&["BodyPartExamined=*spine"], &[]));
        assert!(wanted(&["SeriesDescription=bone*", "BodyPartExamined={CSPINE,LSPINE}"], &[]));
        assert!(!wanted(&["SeriesDescription=bone*", "BodyPartExamined=CHEST"], &[]));
        assert!(!wanted(&["BodyPartExamined=*spine"], &["SeriesDescription=*thin*"]));
        assert!(!wanted(&["ProtocolName=?*"], &[]), "an absent attribute is empty");
        assert_eq!(rule(&["A=1"], &["B=2"]).keywords(), ["A", "B"]);
    }

    #[test]
    fn small_series_are_left_out() {
        assert!(!rule(&[], &[]).takes(&series(Some(9))));
        assert!(rule(&[], &[]).takes(&series(Some(10))));
        assert!(rule(&[], &[]).takes(&series(None)));
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for bad in ["", "spine", "=x", "Body Part=x", "A={x"] {
            assert_eq!(bad.parse::<Pattern>().unwrap_err().text, bad);
        }
    }
}
