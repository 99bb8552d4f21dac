//! Models whose answer is the mean of several models', say one that reads axial slices and one that
//! reads sagittal slices. A fusion's folder holds a `config.json` with `fuse` and no weights.

use super::config::ConfigError;
use super::device::DeviceChoice;
use super::model::{Model, ModelError};
use crate::network::Architecture;
use crate::preprocess::Recipe;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use thiserror::Error;

/// Most members. Each holds its own weights in memory.
const MEMBER_LIMIT: usize = 8;

/// The `config.json` of a fusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionConfig {
    /// As of any model.
    pub name: String,
    /// As of any model.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// Folders of 2 to 8 models, relative to this file's own.
    pub fuse: Vec<String>,
    /// Mean probability from which a voxel counts as fracture.
    pub threshold: f64,
    /// Smaller components are dropped.
    pub minimum_component_mm3: f64,
}

/// Why models cannot be fused.
#[derive(Debug, Error)]
pub enum FusionError {
    /// Too few or too many members.
    #[error("config.json: fuse names {found} folders: it must name 2 to {MEMBER_LIMIT}")]
    Count {
        /// How many it names.
        found: usize,
    },
    /// A member cannot be loaded.
    #[error("{member}: {source}")]
    Member {
        /// As `fuse` names it.
        member: String,
        /// Why.
        source: Box<ModelError>,
    },
    /// A member is itself a fusion.
    #[error("{member} is itself a fusion: name its members instead")]
    Nested {
        /// As `fuse` names it.
        member: String,
    },
    /// A CT would have to be prepared twice.
    #[error(
        "{member} has {key} {found}, the first member {expected}: the members of a fusion must prepare a CT alike"
    )]
    Recipe {
        /// As `fuse` names it.
        member: String,
        /// The key of `config.json`.
        key: &'static str,
        /// The first member's value.
        expected: String,
        /// This member's value.
        found: String,
    },
}

impl FusionConfig {
    /// Parses a `config.json` that has `fuse`; `None` for any other text.
    pub fn from_json(json: &str) -> Result<Option<Self>, ConfigError> {
        let fuses = serde_json::from_str::<serde_json::Value>(json).is_ok_and(|v| v.get("fuse").is_some());
        let parse = || serde_json::from_str(json).map_err(|e| ConfigError::Json { reason: e.to_string() });
        fuses.then(parse).transpose()
    }

    /// Loads the members and makes one model of them.
    pub(super) fn load(&self, folder: &Path, choice: &DeviceChoice) -> Result<Model, ModelError> {
        let [first, others @ ..] = self.fuse.as_slice() else {
            return Err(FusionError::Count { found: 0 }.into());
        };
        if !(1..MEMBER_LIMIT).contains(&others.len()) {
            return Err(FusionError::Count { found: self.fuse.len() }.into());
        }
        let first = load_member(folder, first, choice)?;
        let mut members = Vec::with_capacity(others.len());
        for name in others {
            let member = load_member(folder, name, choice)?;
            agree(&first, &member, name)?;
            members.push(member);
        }
        let mut config = first.config().clone();
        (config.name, config.version) = (self.name.clone(), self.version.clone());
        config.description.clone_from(&self.description);
        (config.threshold, config.minimum_component_mm3) = (self.threshold, self.minimum_component_mm3);
        // A member's peak is one of its own probabilities, not of a mean.
        config.peak_probability = 0.0;
        config.check()?;
        let weights_sha256 = joint_hash(std::iter::once(&first).chain(&members));
        Ok(first.fused(members, config, weights_sha256))
    }
}

fn load_member(folder: &Path, name: &str, choice: &DeviceChoice) -> Result<Model, FusionError> {
    let failed = |source| FusionError::Member { member: name.to_owned(), source: Box::new(source) };
    match Model::load_single(&folder.join(name), choice).map_err(failed)? {
        Some(member) => Ok(member),
        None => Err(FusionError::Nested { member: name.to_owned() }),
    }
}

/// Refuses a member that would need the CT prepared in another way.
fn agree(first: &Model, member: &Model, name: &str) -> Result<(), FusionError> {
    let keys = |model: &Model| {
        // By name, so that a key that is added to the recipe cannot be forgotten here.
        let Recipe { spacing_mm, window_hu, bone_hu, bone_margin_mm, spine_reach_mm } =
            model.config().recipe();
        [
            ("spacing_mm", format!("{spacing_mm:?}")),
            ("window_hu", format!("{window_hu:?}")),
            ("bone_hu", format!("{bone_hu:?}")),
            ("bone_margin_mm", format!("{bone_margin_mm:?}")),
            ("spine_reach_mm", format!("{spine_reach_mm:?}")),
        ]
    };
    match keys(first).into_iter().zip(keys(member)).find(|(a, b)| a != b) {
        None => Ok(()),
        Some(((key, expected), (_, found))) => {
            Err(FusionError::Recipe { member: name.to_owned(), key, expected, found })
        }
    }
}

/// SHA-256 over the members' hashes, each as 64 lower-case hexadecimal digits, in order.
fn joint_hash<'a>(members: impl Iterator<Item = &'a Model>) -> String {
    let mut hash = Sha256::new();
    for member in members {
        hash.update(member.weights_sha256().as_bytes());
    }
    hex::encode(hash.finalize())
}

impl Model {
    /// The planes that the model reads, for people: `sagittal`, or `axial + sagittal` for a fusion.
    pub fn planes(&self) -> String {
        joined(self.members().map(|member| member.config().plane.name()))
    }

    /// The networks that the model is made of, for people: `msff`, or `msff + unet` for a fusion.
    pub fn architectures(&self) -> String {
        joined(self.members().map(|member| Architecture::kind(&member.config().architecture)))
    }
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    names.join(" + ")
}
