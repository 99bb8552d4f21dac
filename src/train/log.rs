//! `log.csv`: one line per epoch.

use super::error::TrainError;
use crate::network::replace_file;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file in the output folder.
pub const LOG_FILE: &str = "log.csv";

/// One line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Mean validation loss.
    pub validation_loss: f64,
    /// Pooled Dice similarity coefficient over the validation slices, threshold 0.5.
    pub dsc: f64,
    /// Pooled intersection over union; always DSC / (2 − DSC).
    pub iou: f64,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
    /// Wall time.
    pub seconds: f64,
}

/// Writes the whole log anew, so that a run that goes on neither repeats nor loses a line.
pub fn write(folder: &Path, log: &[Epoch]) -> Result<(), TrainError> {
    let path = folder.join(LOG_FILE);
    replace_file(&path, &lines(log)?).map_err(|source| TrainError::Write { path, source })
}

fn lines(log: &[Epoch]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    log.iter().try_for_each(|line| writer.serialize(line))?;
    writer.into_inner().map_err(|e| e.into_error().into())
}

/// The log inside a checkpoint: the same lines as text, whose numbers come back exactly.
pub(super) mod text {
    use super::Epoch;
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::train) fn serialize<S: Serializer>(log: &[Epoch], to: S) -> Result<S::Ok, S::Error> {
        let bytes = super::lines(log).map_err(S::Error::custom)?;
        String::from_utf8(bytes).map_err(S::Error::custom)?.serialize(to)
    }

    pub(in crate::train) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Epoch>, D::Error> {
        let text = String::deserialize(from)?;
        let lines = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        lines.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}
