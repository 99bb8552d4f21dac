//! Reading attributes: what is absent, what is empty and what is no number.

use super::elements::DataSet;
use super::error::{ReadError, tag_name};
use dicom_core::Tag;

/// Trimmed text; `None` when absent or empty. Several values stay joined by `\`.
pub(super) fn text(of: &DataSet, tag: Tag) -> Option<String> {
    let value = of.get(tag)?.value().primitive()?.to_str();
    let value = value.trim_matches(['\0', ' ']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// A number of any integer VR.
pub(super) fn integer(of: &DataSet, tag: Tag) -> Option<i64> {
    of.get(tag)?.value().to_int().ok()
}

/// Finite numbers, or `Err` when there is text that is none.
fn numbers(of: &DataSet, tag: Tag) -> Result<Option<Vec<f64>>, ()> {
    let Some(element) = of.get(tag) else { return Ok(None) };
    let values = element.value().to_multi_float64().map_err(|_| ())?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err(());
    }
    Ok((!values.is_empty()).then_some(values))
}

/// One number if there is a readable one.
pub(super) fn number(of: &DataSet, tag: Tag) -> Option<f64> {
    numbers(of, tag).ok().flatten().and_then(|values| values.first().copied())
}

/// Items of a sequence, none when absent.
pub(super) fn items(of: &DataSet, tag: Tag) -> &[DataSet] {
    of.get(tag).and_then(|element| element.value().items()).unwrap_or_default()
}

/// Reads what an instance must have, with errors that name the instance.
pub(super) struct Required<'a> {
    /// SOP Instance UID, for the error.
    pub sop_instance_uid: &'a str,
}

impl Required<'_> {
    /// `N` finite numbers.
    pub(super) fn numbers<const N: usize>(&self, of: &DataSet, tag: Tag) -> Result<[f64; N], ReadError> {
        let values = numbers(of, tag).map_err(|()| self.invalid(tag, "is not a finite number"))?;
        let values = values.ok_or_else(|| self.missing(tag))?;
        let found = values.len();
        values.try_into().map_err(|_| self.invalid(tag, format!("has {found} values, not {N}")))
    }

    /// An unsigned short.
    pub(super) fn short(&self, of: &DataSet, tag: Tag) -> Result<u16, ReadError> {
        let value = integer(of, tag).ok_or_else(|| self.missing(tag))?;
        u16::try_from(value).map_err(|_| self.invalid(tag, format!("is {value}")))
    }

    /// Text that is not empty.
    pub(super) fn text(&self, of: &DataSet, tag: Tag) -> Result<String, ReadError> {
        text(of, tag).ok_or_else(|| self.missing(tag))
    }

    /// The error for an absent attribute.
    pub(super) fn missing(&self, tag: Tag) -> ReadError {
        ReadError::MissingAttribute { sop_instance_uid: self.sop_instance_uid.to_owned(), tag: tag_name(tag) }
    }

    /// The error for a value that makes no sense.
    pub(super) fn invalid(&self, tag: Tag, reason: impl Into<String>) -> ReadError {
        ReadError::InvalidAttribute {
            sop_instance_uid: self.sop_instance_uid.to_owned(),
            tag: tag_name(tag),
            reason: reason.into(),
        }
    }
}
