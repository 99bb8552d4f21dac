//! `config.json`: what travels with a model's weights.

use crate::network::{Architecture, NetworkError, SIZE_MULTIPLE, is_default};
use crate::plane::Plane;
use crate::preprocess::Recipe;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest side of a tile. A larger one needs more memory than any slice of a CT is worth.
const TILE_LIMIT: usize = 2048;
/// Most tiles per forward pass.
const BATCH_LIMIT: usize = 256;
/// More overlap than this only repeats work: every pixel is then covered by 16 tiles.
const OVERLAP_LIMIT: f64 = 0.75;

/// The number format of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// bfloat16 weights and maps; batch normalisation stays fp32, as do the probabilities.
    Bf16,
}

/// A model's `config.json`.
///
/// Unknown keys are refused: a misspelt one would otherwise silently take its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Lower-case letters, digits, `-`, `_` and `.`; equals the folder's name.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// `{"kind": "msff", "width": 16, …}`.
    pub architecture: Architecture,
    /// Slices the network sees.
    pub plane: Plane,
    /// Voxel spacing, i (left) j (posterior) k (superior), of the oriented volume it was trained on.
    pub spacing_mm: [f64; 3],
    /// Rows and columns of one input: multiples of 16, for FCN-8s and SegNet of 32.
    pub tile_vox: [usize; 2],
    /// Least share of a tile that its neighbour covers too: 0 to 0.75.
    pub tile_overlap: f64,
    /// Tiles per forward pass.
    pub batch: usize,
    /// HU that become −1 and 1; beyond them values are clipped.
    pub window_hu: [f64; 2],
    /// From this HU on, a voxel may be bone.
    pub bone_hu: f64,
    /// A voxel farther than this from every such voxel is never called fracture.
    pub bone_margin_mm: f64,
    /// Only bone within this distance of the spine's course counts ([`crate::column`]); absent: all bone,
    /// shoulders and hips included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spine_reach_mm: Option<f64>,
    /// Sigma of the mean over neighbouring slices; 0: every slice stands alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub slice_sigma_mm: f64,
    /// Probability from which a voxel counts as fracture.
    pub threshold: f64,
    /// A component whose greatest probability is below this is dropped, too (Canny's two thresholds:
    /// doi 10.1109/TPAMI.1986.4767851); 0: none. A request with a threshold of its own asks for all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub peak_probability: f64,
    /// Smaller components are dropped.
    pub minimum_component_mm3: f64,
    /// Number format unless the user chooses another.
    pub precision: Precision,
}

/// Why a `config.json` is refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ConfigError {
    /// Not JSON, an unknown key, a missing key or a wrong type.
    #[error("config.json: {reason}")]
    Json {
        /// Line, column and what is wrong.
        reason: String,
    },
    /// A value that cannot be used.
    #[error("config.json: {key} is {found}: it must be {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        wanted: &'static str,
    },
    /// The architecture cannot be built.
    #[error("config.json: architecture: {0}")]
    Architecture(#[from] NetworkError),
}

impl ModelConfig {
    /// A configuration for a network that is to be trained as the paper's was: sagittal tiles of
    /// 256 × 256 at 0.8 mm. docs/training.md and the design give reasons for what the paper leaves open.
    pub fn untrained(name: &str, architecture: Architecture) -> Self {
        Self {
            name: name.to_owned(),
            version: "0.1.0".into(),
            description: "Trained by spinefx train".into(),
            architecture,
            plane: Plane::Sagittal,
            spacing_mm: [0.8; 3],
            tile_vox: [256; 2],
            tile_overlap: 0.25,
            batch: 1,
            window_hu: [-200.0, 1300.0],
            bone_hu: 200.0,
            bone_margin_mm: 16.0,
            spine_reach_mm: None,
            slice_sigma_mm: 0.0,
            threshold: 0.5,
            peak_probability: 0.0,
            minimum_component_mm3: 300.0,
            precision: Precision::Fp32,
        }
    }

    /// How a CT is prepared for this model.
    pub fn recipe(&self) -> Recipe {
        Recipe {
            spacing_mm: self.spacing_mm,
            window_hu: self.window_hu,
            bone_hu: self.bone_hu,
            bone_margin_mm: self.bone_margin_mm,
            spine_reach_mm: self.spine_reach_mm,
        }
    }

    /// Parses and checks.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let config: Self =
            serde_json::from_str(json).map_err(|e| ConfigError::Json { reason: e.to_string() })?;
        config.check()?;
        Ok(config)
    }

    /// The same as indented JSON.
    pub fn to_json(&self) -> Result<String, ConfigError> {
        serde_json::to_string_pretty(self).map_err(|e| ConfigError::Json { reason: e.to_string() })
    }

    /// Refuses values that cannot be used. [`ModelConfig::from_json`] has done so already.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.architecture.check()?;
        self.check_identity()?;
        self.check_geometry()?;
        self.check_values()
    }

    fn check_identity(&self) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let named = (1..=64).contains(&self.name.len()) && self.name.chars().all(plain);
        let rule = "1 to 64 of a-z, 0-9, '-', '_', '.', the first no '.'";
        require("name", &self.name, named && !self.name.starts_with('.'), rule)?;
        let versioned = (1..=64).contains(&self.version.len());
        require("version", &self.version, versioned, "1 to 64 bytes")
    }

    fn check_geometry(&self) -> Result<(), ConfigError> {
        let spaced = self.spacing_mm.iter().all(|s| s.is_finite() && (0.05..=20.0).contains(s));
        require("spacing_mm", &self.spacing_mm, spaced, "three values of 0.05 to 20")?;
        let multiple = self.architecture.size_multiple();
        let tile = |n: &usize| (multiple..=TILE_LIMIT).contains(n) && n.is_multiple_of(multiple);
        let tiled = self.tile_vox.iter().all(tile);
        let wanted = if multiple == SIZE_MULTIPLE {
            "two multiples of 16, each 16 to 2048"
        } else {
            "two multiples of 32, each 32 to 2048, for this architecture"
        };
        require("tile_vox", &self.tile_vox, tiled, wanted)?;
        let overlap = (0.0..=OVERLAP_LIMIT).contains(&self.tile_overlap);
        require("tile_overlap", &self.tile_overlap, overlap, "0 to 0.75")?;
        require("batch", &self.batch, (1..=BATCH_LIMIT).contains(&self.batch), "1 to 256")
    }

    fn check_values(&self) -> Result<(), ConfigError> {
        let [low, high] = self.window_hu;
        let window = low.is_finite() && high.is_finite() && low < high;
        require("window_hu", &self.window_hu, window, "two finite HU, the first lower")?;
        require("bone_hu", &self.bone_hu, self.bone_hu.is_finite(), "finite")?;
        let margin = (0.0..=1000.0).contains(&self.bone_margin_mm);
        require("bone_margin_mm", &self.bone_margin_mm, margin, "0 to 1000")?;
        let reach = self.spine_reach_mm.is_none_or(|mm| (30.0..=1000.0).contains(&mm));
        require("spine_reach_mm", &self.spine_reach_mm, reach, "30 to 1000, or absent")?;
        let sigma = (0.0..=20.0).contains(&self.slice_sigma_mm);
        require("slice_sigma_mm", &self.slice_sigma_mm, sigma, "0 to 20")?;
        let threshold = self.threshold > 0.0 && self.threshold < 1.0;
        require("threshold", &self.threshold, threshold, "between 0 and 1")?;
        let peak = (0.0..1.0).contains(&self.peak_probability);
        require("peak_probability", &self.peak_probability, peak, "0 to below 1")?;
        let least = self.minimum_component_mm3.is_finite() && self.minimum_component_mm3 >= 0.0;
        require("minimum_component_mm3", &self.minimum_component_mm3, least, "finite and at least 0")
    }
}

fn require(
    key: &'static str,
    found: &dyn std::fmt::Debug,
    holds: bool,
    wanted: &'static str,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Value { key, found: format!("{found:?}"), wanted }) }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::network::MsffConfig;

    /// A tiny model's configuration.
    pub fn example() -> ModelConfig {
        let architecture = Architecture::Msff(MsffConfig::with_width(8));
        ModelConfig {
            name: "example".into(),
            version: "0".into(),
            description: "For tests.".into(),
            architecture,
            plane: Plane::Sagittal,
            spacing_mm: [1.0; 3],
            tile_vox: [32, 48],
            tile_overlap: 0.25,
            batch: 4,
            window_hu: [-200.0, 1300.0],
            bone_hu: 150.0,
            bone_margin_mm: 5.0,
            spine_reach_mm: None,
            slice_sigma_mm: 0.0,
            threshold: 0.5,
            peak_probability: 0.8,
            minimum_component_mm3: 100.0,
            precision: Precision::Fp32,
        }
    }

    #[test]
    fn survives_json() {
        let config = example();
        let json = config.to_json().unwrap();
        assert!(json.contains("\"kind\": \"msff\"") && json.contains("\"plane\": \"sagittal\""), "{json}");
        assert_eq!(ModelConfig::from_json(&json).unwrap(), config);
    }

    #[test]
    fn refuses_misspelt_keys_at_both_levels() {
        let json = example().to_json().unwrap();
        for (from, to) in [("\"threshold\"", "\"treshold\""), ("\"skips\"", "\"skip\"")] {
            let error = ModelConfig::from_json(&json.replace(from, to)).unwrap_err();
            assert!(
                matches!(&error, ConfigError::Json { reason } if reason.contains(to.trim_matches('"'))),
                "{error}"
            );
        }
    }

    #[test]
    fn names_the_key_that_cannot_be_used() {
        type Spoil = fn(&mut ModelConfig);
        let cases: [(&str, Spoil); 12] = [
            ("name", |c| c.name = "../up".into()),
            ("spacing_mm", |c| c.spacing_mm[1] = f64::NAN),
            ("tile_vox", |c| c.tile_vox = [40, 32]),
            ("tile_overlap", |c| c.tile_overlap = 1.0),
            ("batch", |c| c.batch = 0),
            ("window_hu", |c| c.window_hu = [300.0, 300.0]),
            ("bone_margin_mm", |c| c.bone_margin_mm = -1.0),
            ("spine_reach_mm", |c| c.spine_reach_mm = Some(10.0)),
            ("slice_sigma_mm", |c| c.slice_sigma_mm = -1.0),
            ("threshold", |c| c.threshold = 1.0),
            ("peak_probability", |c| c.peak_probability = 1.0),
            ("minimum_component_mm3", |c| c.minimum_component_mm3 = f64::INFINITY),
        ];
        for (key, spoil) in cases {
            let mut config = example();
            spoil(&mut config);
            let error = config.check().unwrap_err();
            assert!(matches!(error, ConfigError::Value { key: k, .. } if k == key), "{key}: {error}");
        }
        let mut config = example();
        config.architecture = Architecture::Msff(MsffConfig::with_width(7));
        assert_eq!(
            config.check(),
            Err(ConfigError::Architecture(NetworkError::Width { found: 7, multiple: 2 }))
        );
    }
}
