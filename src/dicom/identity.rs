//! Patient and study attributes that a derived object copies, made legal on the way.
//!
//! A finished mask must never be lost to a malformed tag of its source, so a value that breaks its VR
//! (PS3.5 6.2) is repaired or left out, and a note names the attribute without its value. Identifiers
//! are never shortened: a shortened identifier is somebody else's.

use super::attributes::text;
use super::elements::{DataSet, text as put};
use super::error::tag_name;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// What happens to a value that is too long.
#[derive(Clone, Copy, PartialEq)]
enum TooLong {
    Cut,
    Drop,
}
use TooLong::{Cut, Drop};

/// Attributes of type 2: written empty when the source has no usable value.
const ALWAYS: [(Tag, VR, TooLong); 9] = [
    (tags::PATIENT_NAME, VR::PN, Cut),
    (tags::PATIENT_ID, VR::LO, Drop),
    (tags::PATIENT_BIRTH_DATE, VR::DA, Drop),
    (tags::PATIENT_SEX, VR::CS, Drop),
    (tags::STUDY_DATE, VR::DA, Drop),
    (tags::STUDY_TIME, VR::TM, Drop),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN, Cut),
    (tags::STUDY_ID, VR::SH, Drop),
    (tags::ACCESSION_NUMBER, VR::SH, Drop),
];

/// Attributes copied when present. A lossy source makes a lossy segmentation (PS3.3 C.8.20.2).
const OPTIONAL: [(Tag, VR, TooLong); 13] = [
    (tags::ISSUER_OF_PATIENT_ID, VR::LO, Drop),
    (tags::PATIENT_AGE, VR::AS, Drop),
    (tags::PATIENT_SIZE, VR::DS, Drop),
    (tags::PATIENT_WEIGHT, VR::DS, Drop),
    (tags::PATIENT_IDENTITY_REMOVED, VR::CS, Drop),
    (tags::DEIDENTIFICATION_METHOD, VR::LO, Cut),
    (tags::STUDY_DESCRIPTION, VR::LO, Cut),
    (tags::POSITION_REFERENCE_INDICATOR, VR::LO, Cut),
    (tags::BODY_PART_EXAMINED, VR::CS, Drop),
    (tags::PATIENT_POSITION, VR::CS, Drop),
    (tags::LOSSY_IMAGE_COMPRESSION, VR::CS, Drop),
    (tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, Drop),
    (tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, Drop),
];

/// Copies what a derived object needs, and notes what was wrong with it.
pub(super) fn copy(from: &DataSet, notes: &mut Vec<String>) -> DataSet {
    let mut to = DataSet::new_empty();
    for (rule, always) in
        ALWAYS.iter().map(|rule| (rule, true)).chain(OPTIONAL.iter().map(|rule| (rule, false)))
    {
        let (tag, vr, too_long) = *rule;
        let value = text(from, tag);
        let legal = value.as_deref().and_then(|value| legal(tag, vr, value, too_long));
        if value.is_some() && value != legal {
            let how = if legal.is_some() { "repaired" } else { "left out" };
            notes.push(format!("{} of the source is malformed and was {how}", tag_name(tag)));
        }
        if always || legal.is_some() {
            put(&mut to, tag, vr, legal.as_deref().unwrap_or_default());
        }
    }
    lossy(&mut to, notes);
    to
}

/// A UID as it stands, or `None` when it is absent or cannot be written. Breaches of the grammar alone
/// are kept, because a reference has to equal what it refers to.
pub(super) fn uid(of: &DataSet, tag: Tag) -> Option<String> {
    text(of, tag).filter(|uid| uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// Ratio and method have to come with the flag (type 1C).
fn lossy(to: &mut DataSet, notes: &mut Vec<String>) {
    let flagged = text(to, tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01");
    let parts = [tags::LOSSY_IMAGE_COMPRESSION_RATIO, tags::LOSSY_IMAGE_COMPRESSION_METHOD];
    let complete = flagged && parts.iter().all(|tag| text(to, *tag).is_some());
    if !complete {
        for tag in parts {
            to.remove_element(tag);
        }
        put(to, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    }
    if flagged {
        let how = if complete { "" } else { "; it does not say how, so the result is not marked as such" };
        notes.push(format!("the source was compressed with loss{how}"));
    }
}

/// The value in a form its VR allows.
fn legal(tag: Tag, vr: VR, value: &str, too_long: TooLong) -> Option<String> {
    if value.chars().any(char::is_control) {
        return None;
    }
    match vr {
        VR::DA => date(value),
        VR::TM => time(value),
        VR::AS => {
            let (digits, unit) = value.split_at_checked(3)?;
            (digits.bytes().all(|b| b.is_ascii_digit()) && matches!(unit, "D" | "W" | "M" | "Y"))
                .then(|| value.to_owned())
        }
        VR::DS => value
            .split('\\')
            .all(|part| part.len() <= 16 && part.trim().parse::<f64>().is_ok_and(f64::is_finite))
            .then(|| value.to_owned()),
        VR::CS => code(tag, value),
        VR::PN => name(value),
        VR::SH => shortened(value, 16, too_long),
        _ => shortened(value, 64, too_long),
    }
}

/// Several values may be legal elsewhere; here each attribute has one, except the two of compression.
fn shortened(value: &str, limit: usize, too_long: TooLong) -> Option<String> {
    let value = value.split('\\').next().unwrap_or_default().trim();
    if value.chars().count() > limit && too_long == Drop {
        return None;
    }
    Some(value.chars().take(limit).collect::<String>()).filter(|value| !value.is_empty())
}

fn code(tag: Tag, value: &str) -> Option<String> {
    let legal = |part: &str| {
        part.len() <= 16 && part.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_'))
    };
    let known = match tag {
        tags::PATIENT_SEX => matches!(value, "M" | "F" | "O"),
        tags::PATIENT_IDENTITY_REMOVED => matches!(value, "YES" | "NO"),
        tags::LOSSY_IMAGE_COMPRESSION => matches!(value, "00" | "01"),
        _ => true,
    };
    (known && value.split('\\').all(legal)).then(|| value.to_owned())
}

/// Up to three groups (alphabetic, ideographic, phonetic) of 64 characters and five components.
fn name(value: &str) -> Option<String> {
    let first = value.split('\\').next().unwrap_or_default();
    let group = |group: &str| -> String {
        let parts: Vec<&str> = group.splitn(6, '^').take(5).collect();
        parts.join("^").chars().take(64).collect()
    };
    let groups: Vec<String> = first.split('=').take(3).map(group).collect();
    Some(groups.join("=")).filter(|name| !name.trim_matches(['^', '=', ' ']).is_empty())
}

/// `YYYYMMDD`, also from the old `YYYY.MM.DD`.
fn date(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(|c| *c != '.').collect();
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<u32>().ok();
    let all = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit());
    let month = number(4..6)?;
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (all && (1..=days).contains(&number(6..8)?)).then_some(digits)
}

/// `HH[MM[SS[.F…]]]`, also from the old `HH:MM:SS`.
fn time(value: &str) -> Option<String> {
    let plain: String = value.chars().filter(|c| *c != ':').collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, "0"));
    let part =
        |range: std::ops::Range<usize>| whole.get(range).map_or(Some(0), |v: &str| v.parse::<u32>().ok());
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let in_range = part(0..2)? < 24 && part(2..4)? < 60 && part(4..6)? <= 60;
    let shape = matches!(whole.len(), 2 | 4 | 6)
        && (1..=6).contains(&fraction.len())
        && (whole.len() == 6 || !plain.contains('.'));
    (shape && in_range && digits(whole) && digits(fraction)).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_values_are_repaired_or_left_out_and_noted() {
        let mut from = DataSet::new_empty();
        put(&mut from, tags::PATIENT_NAME, VR::PN, &"N".repeat(90));
        put(&mut from, tags::PATIENT_ID, VR::LO, &"7".repeat(80));
        put(&mut from, tags::PATIENT_BIRTH_DATE, VR::LO, "1950.02.03");
        put(&mut from, tags::STUDY_DATE, VR::LO, "20230231x");
        put(&mut from, tags::STUDY_TIME, VR::LO, "10:61:00");
        put(&mut from, tags::PATIENT_SEX, VR::CS, "female");
        put(&mut from, tags::STUDY_ID, VR::SH, "42");
        let mut notes = Vec::new();
        let to = copy(&from, &mut notes);
        assert_eq!(text(&to, tags::PATIENT_NAME).unwrap().len(), 64);
        assert_eq!(text(&to, tags::PATIENT_BIRTH_DATE).as_deref(), Some("19500203"));
        assert_eq!(text(&to, tags::STUDY_ID).as_deref(), Some("42"));
        for tag in [tags::PATIENT_ID, tags::STUDY_DATE, tags::STUDY_TIME, tags::PATIENT_SEX] {
            assert!(to.get(tag).is_some() && text(&to, tag).is_none(), "{tag}");
        }
        assert_eq!(notes.len(), 6);
        let all = notes.join("\n");
        assert!(!all.contains("NN") && !all.contains("77") && !all.contains("1950"), "{all}");
    }

    #[test]
    fn dates_and_times() {
        for good in ["20240229", "19000101"] {
            assert_eq!(date(good).as_deref(), Some(good));
        }
        for bad in ["20241301", "20240230", "2024022", "2024-2-1", ""] {
            assert_eq!(date(bad), None, "{bad}");
        }
        for good in ["10", "1059", "105959", "105959.123456"] {
            assert_eq!(time(good).as_deref(), Some(good));
        }
        for bad in ["24", "1060", "1", "10595", "105959.", "10.5", "ab"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
