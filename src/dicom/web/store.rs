//! STOW-RS: one file into an archive.

use super::allowance::Total;
use super::archives::Archive;
use super::body::whole;
use super::error::WebError;
use super::exchange::{Ask, retried, success};
use super::json::{self, DataSet};
use super::uid::check;
use crate::dicom::{Limits, part10};
use bytes::Bytes;
use dicom_dictionary_std::tags;
use reqwest::Response;
use uuid::Uuid;

const WHAT: &str = "the storing of an instance";

/// Most bytes of an answer, which tells of one instance.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Failure Reason "duplicate SOP instance" (PS3.4 CC.2.3.2): it is there, which is what was wanted.
const DUPLICATE: u16 = 0x0111;

/// An instance that is in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInstance {
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Where WADO-RS gives it: as the archive says, or below the root it was stored to.
    pub retrieve_url: String,
}

impl Archive {
    /// Stores a Part 10 file. Repeating it is harmless, so it is repeated when the line breaks: the
    /// archive knows the instance by its UID.
    pub async fn store(&self, study_uid: &str, part10: Vec<u8>) -> Result<StoredInstance, WebError> {
        check("study_uid", study_uid)?;
        let (series_uid, sop_instance_uid) = uids_of(&part10)?;
        let retrieve_url =
            self.below(&["studies", study_uid, "series", &series_uid, "instances", &sop_instance_uid]);
        let mut stored = StoredInstance {
            study_uid: study_uid.to_owned(),
            series_uid,
            sop_instance_uid,
            retrieve_url: retrieve_url.into(),
        };
        let ask = Ask {
            what: WHAT,
            url: self.below(&["studies", study_uid]),
            accept: "application/dicom+json",
            body: Some(multipart(&part10)),
        };
        let said =
            retried(|| async { outcome(self.ask(&ask).await?, &stored.sop_instance_uid).await }).await?;
        if let Some(url) = said {
            stored.retrieve_url = url;
        }
        Ok(stored)
    }
}

/// Content-Type and body with the file as the only part.
fn multipart(part10: &[u8]) -> (String, Bytes) {
    // 122 random bits: that a file holds them is less likely than that it was damaged on its way.
    let boundary = Uuid::new_v4().simple().to_string();
    let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n");
    let tail = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), part10, tail.as_bytes()].concat();
    (format!("multipart/related; type=\"application/dicom\"; boundary={boundary}"), body.into())
}

/// Reads the archive's answer: stored, and where; or refused, and why.
async fn outcome(answer: Response, sop_instance_uid: &str) -> Result<Option<String>, WebError> {
    let status = answer.status().as_u16();
    // 202 and 409 tell of instances that were not taken.
    if !matches!(status, 200..=299 | 409) {
        return Err(success(WHAT, answer).err().unwrap_or(WebError::malformed(WHAT, "")));
    }
    let mut allowance = Total::new(MAX_ANSWER_BYTES, MAX_ANSWER_BYTES).allowance();
    let body = whole(WHAT, answer, &mut allowance).await?;
    let said = if body.is_empty() { DataSet::default() } else { json::data_set(WHAT, &body)? };
    let of_ours = |item: &DataSet| {
        item.text(tags::REFERENCED_SOP_INSTANCE_UID).is_none_or(|uid| uid == sop_instance_uid)
    };
    let stored = said.items(tags::REFERENCED_SOP_SEQUENCE).into_iter().find(of_ours);
    if let Some(stored) = stored {
        return Ok(stored.text(tags::RETRIEVE_URL));
    }
    let failed = said.items(tags::FAILED_SOP_SEQUENCE).into_iter().find(of_ours);
    let reason_code =
        failed.as_ref().and_then(|item| item.number(tags::FAILURE_REASON)).map(|code| code as u16);
    let in_place = reason_code == Some(DUPLICATE) || (failed.is_none() && status == 200);
    if in_place {
        return Ok(None);
    }
    Err(WebError::StoreRefused { sop_instance_uid: sop_instance_uid.to_owned(), reason_code })
}

/// Series and SOP Instance UID of a file that is about to be sent.
fn uids_of(file: &[u8]) -> Result<(String, String), WebError> {
    let broken = || WebError::malformed(WHAT, "what is to be stored is no DICOM file");
    let parsed = part10::parse(file, Limits::default().max_file_bytes).map_err(|_| broken())?;
    let uid = |tag| {
        let text = parsed.data_set.get(tag)?.to_str().ok()?;
        Some(text.trim_end_matches(['\0', ' ']).to_owned())
    };
    uid(tags::SERIES_INSTANCE_UID).zip(uid(tags::SOP_INSTANCE_UID)).ok_or_else(broken)
}
