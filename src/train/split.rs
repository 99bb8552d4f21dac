//! Training, validation and test patients: 70 / 10 / 20 % as in the paper (section "Model Training
//! Parameters"). All pairs of a patient stay on one side.

use super::dataset::{DatasetError, Entry, shuffle};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the file in the output folder.
pub const SPLIT_FILE: &str = "split.json";

/// Pairs of the three parts.
#[derive(Debug, Clone)]
pub struct Split {
    /// Trained on.
    pub train: Vec<Entry>,
    /// Steers the learning rate and the stop.
    pub validation: Vec<Entry>,
    /// Touched by `evaluate` only.
    pub test: Vec<Entry>,
}

/// `split.json`: ids of pairs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    train: Vec<String>,
    validation: Vec<String>,
    test: Vec<String>,
}

/// Splits by patient: sorted names, shuffled with a seeded ChaCha generator.
pub fn draw(entries: &[Entry], seed: u64) -> Result<Split, DatasetError> {
    let mut patients: Vec<&str> = entries.iter().map(|e| e.patient.as_str()).collect();
    patients.sort_unstable();
    patients.dedup();
    if patients.len() < 5 {
        return Err(DatasetError::TooFew { patients: patients.len() });
    }
    shuffle(&mut patients, &mut ChaCha12Rng::seed_from_u64(seed));
    let count = patients.len() as f64;
    let train = (count * 0.7).round() as usize;
    let validation = ((count * 0.1).round() as usize).max(1);
    let of = |part: &[&str]| entries.iter().filter(|e| part.contains(&e.patient.as_str())).cloned().collect();
    Ok(Split {
        train: of(&patients[..train]),
        validation: of(&patients[train..train + validation]),
        test: of(&patients[train + validation..]),
    })
}

/// Follows a `split.json`: it must name every pair once and no other, and keep patients together.
pub fn follow(path: &Path, entries: &[Entry]) -> Result<Split, DatasetError> {
    let refuse = |reason: String| DatasetError::Split { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| refuse(e.to_string()))?;
    let ids: Ids = serde_json::from_str(&text).map_err(|e| refuse(e.to_string()))?;
    let mut part_of: BTreeMap<&str, usize> = BTreeMap::new();
    for (part, ids) in [&ids.train, &ids.validation, &ids.test].into_iter().enumerate() {
        for id in ids {
            if part_of.insert(id, part).is_some() {
                return Err(refuse(format!("{id} is named twice")));
            }
        }
    }
    let (mut parts, mut patients) = ([(); 3].map(|()| Vec::new()), BTreeMap::new());
    for entry in entries {
        let part = part_of.remove(entry.id.as_str());
        let part = part.ok_or_else(|| refuse(format!("it does not name {}", entry.id)))?;
        if *patients.entry(&entry.patient).or_insert(part) != part {
            return Err(refuse(format!("pairs of patient {} are in two parts", entry.patient)));
        }
        parts[part].push(entry.clone());
    }
    if let Some(id) = part_of.keys().next() {
        return Err(refuse(format!("it names {id}, which the data does not hold")));
    }
    let [train, validation, test] = parts;
    Ok(Split { train, validation, test })
}

impl Split {
    /// As `split.json` holds it.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let ids = |part: &[Entry]| part.iter().map(|e| e.id.clone()).collect();
        let ids = Ids { train: ids(&self.train), validation: ids(&self.validation), test: ids(&self.test) };
        serde_json::to_string_pretty(&ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Two pairs each of `patients` patients.
    fn entries(patients: usize) -> Vec<Entry> {
        let pair = |n: usize, series: char| Entry {
            id: format!("p{n:02}/{series}"),
            patient: format!("p{n:02}"),
            ct: "ct".into(),
            mask: "mask".into(),
            kinds: String::new(),
            repeat: None,
        };
        (0..patients).flat_map(|n| ['a', 'b'].map(|series| pair(n, series))).collect()
    }

    fn patients(part: &[Entry]) -> BTreeSet<String> {
        part.iter().map(|e| e.patient.clone()).collect()
    }

    #[test]
    fn a_split_keeps_patients_apart_and_repeats() {
        let split = draw(&entries(20), 7).unwrap();
        let parts = [patients(&split.train), patients(&split.validation), patients(&split.test)];
        assert_eq!(parts.each_ref().map(BTreeSet::len), [14, 2, 4]);
        assert_eq!(parts.iter().flatten().collect::<BTreeSet<_>>().len(), 20, "no patient in two parts");
        assert_eq!(split.train.len(), 28);
        assert_eq!(patients(&draw(&entries(20), 7).unwrap().test), parts[2]);
        assert!(matches!(draw(&entries(4), 0), Err(DatasetError::TooFew { patients: 4 })));
    }

    #[test]
    fn a_written_split_is_followed_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SPLIT_FILE);
        let drawn = draw(&entries(10), 1).unwrap();
        std::fs::write(&path, drawn.to_json().unwrap()).unwrap();
        let followed = follow(&path, &entries(10)).unwrap();
        assert_eq!((followed.train, followed.test), (drawn.train, drawn.test));
        for (count, reason) in [(11, "does not name p10/a"), (9, "which the data does not hold")] {
            let error = follow(&path, &entries(count)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        std::fs::write(&path, r#"{"train": ["p00/a"], "validation": ["p00/b"], "test": []}"#).unwrap();
        let error = follow(&path, &entries(1)).unwrap_err().to_string();
        assert!(error.contains("patient p00 are in two parts"), "{error}");
    }
}
