//! Building data sets: one short call per attribute, numbers as DICOM wants them written.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::uids;
use dicom_object::meta::FileMetaTableBuilder;
use dicom_object::{FileDicomObject, InMemDicomObject};
use uuid::Uuid;

/// A data set in memory.
pub(super) type DataSet = InMemDicomObject;

/// Root of the name-based UIDs below; any fixed UUID serves.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f1c_0f0e_6a3b_4d7e_9d0a_2b7c_51e4_a8d3);

/// A decimal string holds 16 bytes (PS3.5 table 6.2-1).
const DECIMAL_STRING_BYTES: usize = 16;

/// The UID 2.25.<UUID version 5 of `name`>: the same name gives the same UID (PS3.5 B.2).
pub(super) fn uid_of(name: &str) -> String {
    format!("2.25.{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).as_u128())
}

/// A UID nobody has used: 2.25.<UUID version 4>.
pub(super) fn fresh_uid() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

/// Text of any VR; empty text is an attribute without a value (type 2).
pub(super) fn text(to: &mut DataSet, tag: Tag, vr: VR, value: &str) {
    let value = if value.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::from(value) };
    to.put(DataElement::new(tag, vr, value));
}

/// Unsigned short.
pub(super) fn short(to: &mut DataSet, tag: Tag, value: u16) {
    to.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
}

/// Decimal strings.
pub(super) fn decimals(to: &mut DataSet, tag: Tag, values: &[f64]) {
    let written: Vec<String> = values.iter().map(|v| decimal_string(*v)).collect();
    text(to, tag, VR::DS, &written.join("\\"));
}

/// A sequence of items.
pub(super) fn sequence(to: &mut DataSet, tag: Tag, items: Vec<DataSet>) {
    to.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// Adds preamble and meta information for Explicit VR Little Endian.
pub(super) fn as_file(data_set: DataSet) -> Result<FileDicomObject<DataSet>, String> {
    data_set
        .with_meta(
            FileMetaTableBuilder::new()
                .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
                .implementation_class_uid(uid_of("implementation"))
                .implementation_version_name("SPINEFX"),
        )
        .map_err(|error| error.to_string())
}

/// The most exact decimal of at most 16 bytes.
fn decimal_string(value: f64) -> String {
    let shortest = format!("{value}");
    if shortest.len() <= DECIMAL_STRING_BYTES {
        return shortest;
    }
    let fits = |written: String| (written.len() <= DECIMAL_STRING_BYTES).then_some(written);
    let fixed = (0..=14).rev().find_map(|digits| fits(format!("{value:.digits$}")));
    let scientific = (0..=10).rev().find_map(|digits| fits(format!("{value:.digits$e}")));
    let error = |written: &String| written.parse::<f64>().map_or(f64::INFINITY, |v| (v - value).abs());
    [fixed, scientific]
        .into_iter()
        .flatten()
        .min_by(|a, b| error(a).total_cmp(&error(b)))
        .unwrap_or_else(|| "0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_string_keeps_what_fits_in_16_bytes() {
        assert_eq!(decimal_string(-615.800_049), "-615.800049");
        for value in [0.1 + 0.2, -1.0 / 3.0, 1.234_567_890_123e-9, -123_456.789_012_345, 1e300] {
            let written = decimal_string(value);
            assert!(written.len() <= 16, "{written}");
            let back: f64 = written.parse().unwrap();
            assert!((back - value).abs() <= value.abs() * 1e-9, "{value} became {written}");
        }
    }

    #[test]
    fn uids_are_legal_and_depend_on_the_name_alone() {
        assert_eq!(uid_of("a"), uid_of("a"));
        assert_ne!(uid_of("a"), uid_of("b"));
        assert!(fresh_uid().len() <= 64 && fresh_uid() != fresh_uid());
    }
}
