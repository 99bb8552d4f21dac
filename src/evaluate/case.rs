//! What is evaluated: a CT, its truth, and what else lies beside it.

use crate::itk::{self, Interpolation};
use crate::monitor::Monitor;
use crate::train::dataset::{self, Entry, MAXIMUM_VOXELS, Pair};
use crate::train::phantom::Truth;
use crate::volume::{Grid, Volume};
use std::path::{Path, PathBuf};

use super::EvaluateError;

/// Name of a vertebra labelmap beside a CT.
const VERTEBRAE_FILE: &str = "vertebrae.nii.gz";
/// Name of a phantom's truth beside its CT.
const TRUTH_FILE: &str = "truth.json";

/// One CT with its truth, on disk.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of the pair.
    pub id: String,
    /// Whom it shows; the id when nobody said.
    pub patient: String,
    /// Kinds of fracture, `wedge;linear`; empty for none or unknown.
    pub kinds: String,
    /// Image file or DICOM folder.
    pub ct: PathBuf,
    /// Fracture mask on the CT's grid, a file or a DICOM SEG; `None`: the spine is healthy, and every
    /// voxel found is false.
    pub mask: Option<PathBuf>,
    /// Labels or segments of the mask that mean fracture. Empty: 1, and nothing but 0 and 1 is accepted.
    pub labels: Vec<i16>,
}

impl From<Entry> for Case {
    fn from(entry: Entry) -> Self {
        let Entry { id, patient, ct, mask, kinds, .. } = entry;
        Self { id, patient, kinds, ct, mask: Some(mask), labels: Vec::new() }
    }
}

/// A case in memory; all volumes share one grid.
pub struct Loaded {
    /// HU.
    pub ct_hu: Volume<i16>,
    /// 1 in a fracture.
    pub truth: Volume<u8>,
    /// Labels of vertebrae, where they are known.
    pub vertebrae: Option<Volume<i16>>,
    /// Places of the fractures, where they are known.
    pub places: Option<Truth>,
}

/// Which volumes of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All.
    All,
    /// The test part of the split that training made with this seed.
    TestOf(u64),
    /// The patients that a `split.json` lists under a name.
    Listed {
        /// The file.
        split: PathBuf,
        /// `train`, `validation` or `test`.
        part: String,
    },
}

/// Cases of a set that `train::dataset` can read.
pub fn of_set(set: &Path, part: &Part) -> Result<Vec<Case>, EvaluateError> {
    let entries = match part {
        Part::All => dataset::index(set)?,
        Part::TestOf(seed) => dataset::split(set, *seed)?.test,
        Part::Listed { split, part } => {
            let ids = listed(split, part)?;
            let entries = dataset::index(set)?;
            if let Some(id) = ids.iter().find(|id| entries.iter().all(|e| e.id != **id)) {
                let reason = format!("{part} names {id}, whom {} does not hold", set.display());
                return Err(EvaluateError::Split { path: split.clone(), reason });
            }
            entries.into_iter().filter(|e| ids.contains(&e.id)).collect()
        }
    };
    Ok(entries.into_iter().map(Case::from).collect())
}

fn listed(path: &Path, part: &str) -> Result<Vec<String>, EvaluateError> {
    let wrap = |reason: String| EvaluateError::Split { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| wrap(e.to_string()))?;
    let split: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrap(e.to_string()))?;
    let ids = split.get(part).ok_or_else(|| wrap(format!("there is no part {part:?}")))?;
    serde_json::from_value(ids.clone()).map_err(|e| wrap(format!("{part}: {e}")))
}

/// Healthy CTs: those of a set (their masks are not looked at), or one image file, DICOM folder or zip.
pub fn healthy(path: &Path) -> Result<Vec<Case>, EvaluateError> {
    if path.join("index.csv").is_file() {
        let entries = dataset::index(path)?;
        return Ok(entries
            .into_iter()
            .map(|e| Case { mask: None, kinds: String::new(), ..e.into() })
            .collect());
    }
    let id = path.file_name().map_or_else(|| "ct".into(), |name| name.to_string_lossy().into_owned());
    let (patient, ct) = (id.clone(), path.to_owned());
    Ok(vec![Case { id, patient, kinds: String::new(), ct, mask: None, labels: Vec::new() }])
}

impl Case {
    /// Reads everything of it; CT and mask as training reads them.
    pub fn load(&self, monitor: &Monitor) -> Result<Loaded, EvaluateError> {
        let unusable = |problem| EvaluateError::Pair { id: self.id.clone(), problem };
        let Pair { ct_hu, mask: truth } = if let Some(mask) = &self.mask {
            dataset::read(&self.ct, mask, &self.labels).map_err(unusable)?
        } else {
            let ct_hu = dataset::read_ct(&self.ct, None).map_err(unusable)?;
            let mask = Volume::filled(ct_hu.grid().clone(), 0);
            Pair { ct_hu, mask }
        };
        let vertebrae = self.vertebrae(ct_hu.grid(), monitor)?;
        let places = if self.mask.is_some() { self.places()? } else { None };
        Ok(Loaded { ct_hu, truth, vertebrae, places })
    }

    fn beside(&self, name: &str) -> Option<PathBuf> {
        let path = self.ct.parent()?.join(name);
        path.is_file().then_some(path)
    }

    /// The labelmap beside the CT, brought onto the CT's grid where it has another.
    fn vertebrae(&self, grid: &Grid, monitor: &Monitor) -> Result<Option<Volume<i16>>, EvaluateError> {
        let Some(path) = self.beside(VERTEBRAE_FILE) else { return Ok(None) };
        let labels = itk::read_labelmap(&path, MAXIMUM_VOXELS)?;
        if labels.grid().same_place(grid, 0.01) {
            return Ok(Some(labels));
        }
        Ok(Some(itk::resample(&labels, grid, Interpolation::Nearest, 0, monitor)?))
    }

    fn places(&self) -> Result<Option<Truth>, EvaluateError> {
        let Some(path) = self.beside(TRUTH_FILE) else { return Ok(None) };
        let wrap = |reason: String| EvaluateError::Truth { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|e| wrap(e.to_string()))?;
        serde_json::from_str(&text).map(Some).map_err(|e| wrap(e.to_string()))
    }
}
