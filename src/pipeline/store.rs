//! The models a program can run: the built-in one and those in a folder.

use super::PipelineError;
use crate::infer::{CONFIG_FILE, DeviceChoice, Model, ModelError};
use std::collections::BTreeMap;
use std::path::Path;

/// Models by name.
pub struct Store {
    models: BTreeMap<String, Model>,
    default: String,
}

impl Store {
    /// Loads the built-in model and, from `dir`, every sub-folder that holds a `config.json`. A model
    /// in the folder takes the place of a built-in one of the same name.
    pub fn open(dir: Option<&Path>, device: &DeviceChoice) -> Result<Self, ModelError> {
        let embedded = Model::embedded(device)?;
        let default = embedded.config().name.clone();
        let mut models = BTreeMap::from([(default.clone(), embedded)]);
        for folder in dir.map(folders).transpose()?.unwrap_or_default() {
            let model = Model::load(&folder, device)?;
            models.insert(model.config().name.clone(), model);
        }
        Ok(Self { models, default })
    }

    /// A model by name; the default one for an empty name.
    pub fn model(&self, name: &str) -> Result<&Model, PipelineError> {
        let wanted = if name.is_empty() { &self.default } else { name };
        self.models.get(wanted).ok_or_else(|| PipelineError::unknown_model(wanted, self.models.keys()))
    }

    /// All models by name.
    pub fn all(&self) -> impl Iterator<Item = &Model> {
        self.models.values()
    }

    /// Name of the default model.
    pub fn default_name(&self) -> &str {
        &self.default
    }
}

fn folders(dir: &Path) -> Result<Vec<std::path::PathBuf>, ModelError> {
    let unreadable =
        |e: std::io::Error| ModelError::Io { path: dir.display().to_string(), reason: e.to_string() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join(CONFIG_FILE).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
