//! DICOM JSON (PS3.18 F) as far as answers of QIDO-RS and STOW-RS need it.

use super::error::WebError;
use dicom_core::Tag;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A data set: `ggggeeee` → attribute.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct DataSet(BTreeMap<String, Attribute>);

#[derive(Debug, Clone, Default, Deserialize)]
struct Attribute {
    #[serde(rename = "Value", default)]
    value: Vec<Value>,
}

/// A list of data sets; an empty body is an empty list (HTTP 204).
pub(super) fn data_sets(what: &'static str, body: &[u8]) -> Result<Vec<DataSet>, WebError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    serde_json::from_slice(body).map_err(|error| malformed(what, &error))
}

/// One data set.
pub(super) fn data_set(what: &'static str, body: &[u8]) -> Result<DataSet, WebError> {
    serde_json::from_slice(body).map_err(|error| malformed(what, &error))
}

/// serde_json's own words quote the text, which may name a patient.
fn malformed(what: &'static str, error: &serde_json::Error) -> WebError {
    if error.is_eof() {
        return WebError::unreachable(what, "the answer was cut off");
    }
    WebError::malformed(what, format!("no DICOM JSON (line {}, column {})", error.line(), error.column()))
}

impl DataSet {
    fn values(&self, tag: Tag) -> &[Value] {
        let key = format!("{:04X}{:04X}", tag.group(), tag.element());
        self.0.get(&key).map_or(&[], |attribute| &attribute.value)
    }

    /// All values as DICOM writes them, with backslashes between; none for an empty attribute.
    pub fn text(&self, tag: Tag) -> Option<String> {
        let texts: Vec<String> = self.values(tag).iter().map(text).collect();
        Some(texts.join("\\")).filter(|text| !text.is_empty())
    }

    /// A number, also one written as text, as some archives do.
    pub fn number(&self, tag: Tag) -> Option<u64> {
        self.text(tag)?.trim().parse().ok()
    }

    /// Items of a sequence; what is no item is left out.
    pub fn items(&self, tag: Tag) -> Vec<DataSet> {
        self.values(tag).iter().filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        // Person names come as {"Alphabetic": …, "Ideographic": …}.
        Value::Object(name) => name.get("Alphabetic").map(text).unwrap_or_default(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_dictionary_std::tags;

    #[test]
    fn values_of_every_kind_become_text() {
        let body = br#"[{"00080060": {"vr": "CS", "Value": ["CT"]}, "00080061": {"vr": "CS", "Value": ["CT", "SEG"]},
            "00201209": {"vr": "IS", "Value": [12]}, "00201206": {"vr": "IS", "Value": ["3"]}, "00080005": {"vr": "CS"},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}, "0008103E": {"vr": "LO", "Value": [null]},
            "00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}]}}]"#;
        let found = data_sets("it", body).unwrap().remove(0);
        assert_eq!(found.text(tags::MODALITY).as_deref(), Some("CT"));
        assert_eq!(found.text(tags::MODALITIES_IN_STUDY).as_deref(), Some("CT\\SEG"));
        assert_eq!(found.number(tags::NUMBER_OF_SERIES_RELATED_INSTANCES), Some(12));
        assert_eq!(found.number(tags::NUMBER_OF_STUDY_RELATED_SERIES), Some(3));
        assert_eq!(found.text(tags::PATIENT_NAME).as_deref(), Some("A^B"));
        for none in [tags::SPECIFIC_CHARACTER_SET, tags::SERIES_DESCRIPTION, tags::PATIENT_ID] {
            assert_eq!(found.text(none), None);
        }
        let items = found.items(tags::REFERENCED_SOP_SEQUENCE);
        assert_eq!(items[0].text(tags::REFERENCED_SOP_INSTANCE_UID).as_deref(), Some("1.2"));
    }

    #[test]
    fn an_empty_body_is_an_empty_list_and_a_cut_one_may_come_whole_next_time() {
        assert!(data_sets("it", b"  ").unwrap().is_empty());
        assert!(data_sets("it", b"[{\"00080060\": {").unwrap_err().is_transient());
        let error = data_sets("it", b"<html>Jane Doe</html>").unwrap_err();
        assert!(!error.is_transient() && !error.to_string().contains("Jane"), "{error}");
    }
}
