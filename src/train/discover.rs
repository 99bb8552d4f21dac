//! Finding pairs of CT and mask in a folder, by an index or by how it is laid out.
//!
//! ```text
//! DIR/index.csv                               columns id, ct, mask [, patient, kinds, repeat]
//! DIR/<patient>/ct.nii.gz, fracture.nii.gz    or .nii, .nrrd, .mha; mask.* is the same as fracture.*
//! DIR/<patient>/<series>/ct.nii.gz, …         several series of a patient
//! DIR/<patient>/…/*.dcm                       CT series, each with the DICOM SEG that refers to it
//! ```

use super::dataset::{DatasetError, Entry};
use super::problem::{Problem, Problems};
use crate::dicom::{self, Limits, Segmentation, Survey};
use crate::itk::FileFormat;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const INDEX_FILE: &str = "index.csv";

/// What was found of a set: pairs, and why others are none.
type Found = (Vec<Entry>, Problems);

/// Every pair of a folder or CSV file, sorted by id.
pub fn discover(path: &Path) -> Result<Found, DatasetError> {
    let index = if path.is_dir() { path.join(INDEX_FILE) } else { path.to_owned() };
    let (mut entries, mut problems) =
        if index.is_file() { (csv(&index)?, Problems::default()) } else { layout(path)? };
    if entries.is_empty() && problems.0.is_empty() {
        return Err(DatasetError::NothingFound { path: path.to_owned() });
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &entries {
        *times.entry(&entry.id).or_default() += 1;
    }
    let twice = times.into_iter().filter(|(_, times)| *times > 1);
    problems.0.extend(twice.map(|(id, times)| (id.to_owned(), Problem::DuplicateId { times })));
    Ok((entries, problems))
}

fn csv(path: &Path) -> Result<Vec<Entry>, DatasetError> {
    let wrap = |source| DatasetError::Index { path: path.to_owned(), source };
    let reader = csv::Reader::from_path(path).map_err(wrap)?;
    let mut entries: Vec<Entry> = reader.into_deserialize().collect::<Result<_, _>>().map_err(wrap)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for entry in &mut entries {
        entry.ct = folder.join(&entry.ct);
        entry.mask = folder.join(&entry.mask);
        if entry.patient.is_empty() {
            entry.patient.clone_from(&entry.id);
        }
    }
    Ok(entries)
}

fn layout(path: &Path) -> Result<Found, DatasetError> {
    let (mut entries, mut problems) = (Vec::new(), Problems::default());
    for folder in folders(path)? {
        let patient = name(&folder);
        let series = folders(&folder)?;
        let files: Vec<(String, Entry)> =
            std::iter::once(&folder).chain(&series).filter_map(|f| pair_of_files(&patient, f)).collect();
        if !files.is_empty() {
            let several = files.len() > 1;
            entries.extend(files.into_iter().map(|(series, entry)| named(entry, &series, several)));
            continue;
        }
        match dicom::survey(&folder, &Limits::default()) {
            Ok(survey) => pairs_of_dicom(&patient, &survey, &mut entries, &mut problems),
            Err(e) => problems.0.push((patient, Problem::told(&folder, &e))),
        }
    }
    Ok((entries, problems))
}

/// `ct.*` and `fracture.*` (or `mask.*`) of a folder. A mask that is not there is found missing later.
fn pair_of_files(patient: &str, folder: &Path) -> Option<(String, Entry)> {
    let find = |stem: &str| {
        FileFormat::ALL.iter().map(|f| folder.join(format!("{stem}{}", f.extension()))).find(|p| p.exists())
    };
    let ct = find("ct")?;
    let mask = find("fracture").or_else(|| find("mask")).unwrap_or_else(|| folder.join("fracture.nii.gz"));
    Some((name(folder), entry(patient, ct, mask)))
}

/// Each segmentation with the series that it refers to. Series without one are left out where another
/// series of the patient has one: scanners make several of one scan.
fn pairs_of_dicom(patient: &str, survey: &Survey, entries: &mut Vec<Entry>, problems: &mut Problems) {
    let several = survey.segmentations.len() > 1;
    let mut trouble = |problem| problems.0.push((patient.to_owned(), problem));
    for mask in &survey.segmentations {
        let uid = match Segmentation::open(mask, &Limits::default()) {
            Ok(seg) => seg.referenced_series_uid(),
            Err(e) => {
                trouble(Problem::told(mask, &e));
                continue;
            }
        };
        let only = survey.ct.values().next().filter(|_| survey.ct.len() == 1);
        match uid.as_ref().map_or(only, |uid| survey.ct.get(uid)) {
            Some(ct) => entries.push(named(entry(patient, ct.clone(), mask.clone()), &name(ct), several)),
            None => trouble(Problem::NoCt { mask: mask.clone() }),
        }
    }
    if survey.segmentations.is_empty() {
        survey.ct.values().for_each(|ct| trouble(Problem::NoMask { ct: ct.clone() }));
    }
}

fn entry(patient: &str, ct: PathBuf, mask: PathBuf) -> Entry {
    Entry {
        id: patient.to_owned(),
        patient: patient.to_owned(),
        ct,
        mask,
        kinds: String::new(),
        repeat: None,
    }
}

/// Where a patient has several pairs, the series is part of the name.
fn named(mut entry: Entry, series: &str, several: bool) -> Entry {
    if several {
        entry.id = format!("{}/{series}", entry.patient);
    }
    entry
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Sub-folders in the order of their names; hidden ones are none.
fn folders(path: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let failed = |source| DatasetError::Folder { path: path.to_owned(), source };
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut folders = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    folders.retain(|path| path.is_dir() && !name(path).starts_with('.'));
    folders.sort();
    Ok(folders)
}
