//! QIDO-RS: which series there are, and of which instances a series consists.

use super::allowance::Total;
use super::archives::Archive;
use super::body;
use super::error::WebError;
use super::exchange::{Ask, retried, success};
use super::json::{self, DataSet};
use super::uid::{SeriesRef, is_uid};
use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// Answers asked for at a time. Archives that give fewer at a time are asked more often.
const PAGE: usize = 1000;

/// Most bytes of one page: 64 KiB an answer, more than any archive sends.
const MAX_PAGE_BYTES: u64 = 64 << 20;

/// Most series of one search.
const MAX_SERIES: usize = 200_000;

const JSON: &str = "application/dicom+json";

/// A series that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRecord {
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// Modality (0008,0060); empty when the archive does not say.
    pub modality: String,
    /// Number of Series Related Instances (0020,1209).
    pub instances: Option<u64>,
    included: BTreeMap<String, String>,
}

impl SeriesRecord {
    /// A record that no archive gave: for judging rules.
    pub fn new<const N: usize>(
        [study_uid, series_uid, modality]: [&str; 3],
        instances: Option<u64>,
        included: [(&str, &str); N],
    ) -> Self {
        Self {
            study_uid: study_uid.to_owned(),
            series_uid: series_uid.to_owned(),
            modality: modality.to_owned(),
            instances,
            included: included.map(|(keyword, value)| (keyword.to_owned(), value.to_owned())).into(),
        }
    }

    /// An attribute that was asked for by its keyword; several values have a backslash between them.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.included.get(keyword).map(String::as_str)
    }

    fn read(what: &'static str, found: &DataSet, include: &[(&str, Tag)]) -> Result<Self, WebError> {
        let uid = |tag| found.text(tag).filter(|uid| is_uid(uid));
        let (Some(study_uid), Some(series_uid)) =
            (uid(tags::STUDY_INSTANCE_UID), uid(tags::SERIES_INSTANCE_UID))
        else {
            return Err(WebError::malformed(what, "a series without its UIDs"));
        };
        let included =
            include.iter().filter_map(|(keyword, tag)| Some(((*keyword).to_owned(), found.text(*tag)?)));
        Ok(Self {
            study_uid,
            series_uid,
            modality: found.text(tags::MODALITY).unwrap_or_default(),
            instances: found.number(tags::NUMBER_OF_SERIES_RELATED_INSTANCES),
            included: included.collect(),
        })
    }
}

impl Archive {
    /// All series that match, in the archive's order, page by page until its end.
    ///
    /// * `filters`: attribute keyword → value, as QIDO-RS matches them (`Modality` = `CT`, `StudyDate` =
    ///   `20260101-`).
    /// * `include`: keywords of attributes to bring, see [`SeriesRecord::get`].
    pub async fn series(
        &self,
        filters: &[(&str, &str)],
        include: &[&str],
    ) -> Result<Vec<SeriesRecord>, WebError> {
        const WHAT: &str = "the search for series";
        let include: Vec<(&str, Tag)> =
            include.iter().filter_map(|keyword| Some((*keyword, tag_of(keyword)?))).collect();
        let mut url = self.below(&["series"]);
        for (keyword, value) in filters {
            url.query_pairs_mut().append_pair(keyword, value);
        }
        for keyword in
            ["NumberOfSeriesRelatedInstances"].into_iter().chain(include.iter().map(|(keyword, _)| *keyword))
        {
            url.query_pairs_mut().append_pair("includefield", keyword);
        }
        let found = self.pages(WHAT, &url, tags::SERIES_INSTANCE_UID, MAX_SERIES).await?;
        found.iter().map(|found| SeriesRecord::read(WHAT, found, &include)).collect()
    }

    /// Modality of a series; none when the archive does not know it.
    pub(super) async fn modality(&self, series: &SeriesRef) -> Result<Option<String>, WebError> {
        const WHAT: &str = "the search for the series";
        let mut url = self.below(&["studies", &series.study_uid, "series"]);
        url.query_pairs_mut().append_pair("SeriesInstanceUID", &series.series_uid);
        let found = self.pages(WHAT, &url, tags::SERIES_INSTANCE_UID, MAX_SERIES).await;
        let found = match found {
            Err(WebError::Http { status: 404, .. }) => Vec::new(),
            found => found?,
        };
        // An archive may ignore the filter.
        let ours = |found: &&DataSet| {
            found.text(tags::SERIES_INSTANCE_UID).as_deref() == Some(series.series_uid.as_str())
        };
        Ok(found.iter().find(ours).map(|found| found.text(tags::MODALITY).unwrap_or_default()))
    }

    /// SOP Instance UIDs of a series, each once.
    pub(super) async fn instances(&self, series: &SeriesRef, most: usize) -> Result<Vec<String>, WebError> {
        const WHAT: &str = "the list of instances";
        let url = self.below(&["studies", &series.study_uid, "series", &series.series_uid, "instances"]);
        let found = match self.pages(WHAT, &url, tags::SOP_INSTANCE_UID, most).await {
            Err(WebError::Http { status: 404, .. }) => Vec::new(),
            found => found?,
        };
        let uid = |found: &DataSet| found.text(tags::SOP_INSTANCE_UID).filter(|uid| is_uid(uid));
        let uids: Option<Vec<String>> = found.iter().map(uid).collect();
        uids.ok_or_else(|| WebError::malformed(WHAT, "an instance without its UID"))
    }

    /// All pages of a search. The end is a page that brings nothing new: some archives give fewer
    /// answers at a time than asked for, others all of them every time.
    async fn pages(
        &self,
        what: &'static str,
        url: &Url,
        key: Tag,
        most: usize,
    ) -> Result<Vec<DataSet>, WebError> {
        let (mut all, mut seen, mut offset) = (Vec::new(), BTreeSet::new(), 0);
        loop {
            let mut page = url.clone();
            page.query_pairs_mut()
                .append_pair("limit", &PAGE.to_string())
                .append_pair("offset", &offset.to_string());
            let found = self.page(what, page).await?;
            offset += found.len();
            let before = all.len();
            all.extend(found.into_iter().filter(|found| seen.insert(found.text(key))));
            if all.len() > most {
                return Err(WebError::Limit { what: "answers to a search", limit: most as u64 });
            }
            if all.len() == before {
                return Ok(all);
            }
        }
    }

    async fn page(&self, what: &'static str, url: Url) -> Result<Vec<DataSet>, WebError> {
        let ask = Ask { what, url, accept: JSON, body: None };
        let total = Total::new(MAX_PAGE_BYTES, MAX_PAGE_BYTES);
        retried(|| async {
            let answer = success(what, self.ask(&ask).await?)?;
            json::data_sets(what, &body::whole(what, answer, &mut total.allowance()).await?)
        })
        .await
    }
}

fn tag_of(keyword: &str) -> Option<Tag> {
    StandardDataDictionary.by_name(keyword).map(DataDictionaryEntry::tag)
}
