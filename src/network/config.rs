//! What a network is made of.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The modules that an ablation may leave out (the paper's table of ablations).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Module {
    /// Feature fusion; without it every scale keeps its own map.
    Ffm,
    /// Squeeze and excitation; without it channels are not gated.
    Sem,
    /// Atrous spatial pyramid pooling; without it a 1×1 convolution takes its place.
    Aspp,
    /// Residual convolutional block attention.
    Rcbam,
    /// Residual border refinement.
    Rbrab,
    /// Local position attention.
    Lprab,
}

impl Module {
    /// All modules, in the order of the data.
    pub const ALL: [Self; 6] = [Self::Ffm, Self::Sem, Self::Aspp, Self::Rcbam, Self::Rbrab, Self::Lprab];

    /// The paper's abbreviation, in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ffm => "ffm",
            Self::Sem => "sem",
            Self::Aspp => "aspp",
            Self::Rcbam => "rcbam",
            Self::Rbrab => "rbrab",
            Self::Lprab => "lprab",
        }
    }
}

/// How the four reduced maps enter ASPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AsppInput {
    /// Side by side: 4w channels.
    Concat,
    /// Added: w channels, 29 % less work at width 64.
    Sum,
}

/// The network's shape. The default is the paper's network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MsffConfig {
    /// Channels of the first encoder stage (w): even, 4 to 256. The paper: 64.
    pub width: i64,
    /// Slices on either side that are read with each slice, 0 to 4: 2n + 1 channels. The paper: 0.
    #[serde(skip_serializing_if = "is_default")]
    pub neighbours: i64,
    /// Modules to leave out.
    pub without: Vec<Module>,
    /// RBRAB attends to keys and values max-pooled by this factor: 1, 2, 4, 8 or 16.
    pub attention_pool: i64,
    /// Dilations of ASPP's 3×3 branches: 1 to 8 of them, each 1 to 64.
    pub aspp_rates: Vec<i64>,
    /// How the four reduced maps enter ASPP.
    pub aspp_input: AsppInput,
    /// Whether the decoder adds the encoder maps of its own resolution.
    pub skips: bool,
}

/// Whether a key may be left out of `config.json`.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for MsffConfig {
    fn default() -> Self {
        Self {
            width: 64,
            neighbours: 0,
            without: Vec::new(),
            attention_pool: 8,
            aspp_rates: vec![6, 12, 18],
            aspp_input: AsppInput::Concat,
            skips: true,
        }
    }
}

impl MsffConfig {
    /// The paper's network at another width.
    pub fn with_width(width: i64) -> Self {
        Self { width, ..Self::default() }
    }

    /// A slice and its neighbours.
    pub fn channels(&self) -> i64 {
        2 * self.neighbours + 1
    }

    /// Whether a module is part of the network.
    pub fn has(&self, module: Module) -> bool {
        !self.without.contains(&module)
    }

    /// Refuses what cannot be built.
    pub fn check(&self) -> Result<(), NetworkError> {
        NetworkError::check_width(self.width, 2)?;
        if !(0..=4).contains(&self.neighbours) {
            return Err(NetworkError::Neighbours { found: self.neighbours });
        }
        if ![1, 2, 4, 8, 16].contains(&self.attention_pool) {
            return Err(NetworkError::AttentionPool { found: self.attention_pool });
        }
        let rates = &self.aspp_rates;
        if rates.is_empty() || rates.len() > 8 || rates.iter().any(|r| !(1..=64).contains(r)) {
            return Err(NetworkError::AsppRates { found: rates.clone() });
        }
        Ok(())
    }
}

/// Why a network cannot be built or fed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The width is out of range, or gives some layer half a channel.
    #[error("width is {found}: it must be a multiple of {multiple} from 4 to 256")]
    Width {
        /// What was asked for.
        found: i64,
        /// What it must be a multiple of.
        multiple: i64,
    },
    /// Fewer neighbours than none, or so many that they show another part of the vertebra.
    #[error("neighbours is {found}: it must be 0 to 4")]
    Neighbours {
        /// What was asked for.
        found: i64,
    },
    /// The pooling of keys and values does not divide every legal slice.
    #[error("attention_pool is {found}: it must be 1, 2, 4, 8 or 16")]
    AttentionPool {
        /// What was asked for.
        found: i64,
    },
    /// The dilations are unusable.
    #[error("aspp_rates is {found:?}: it must hold 1 to 8 dilations of 1 to 64")]
    AsppRates {
        /// What was asked for.
        found: Vec<i64>,
    },
    /// The input is not a batch of slices with their neighbours.
    #[error("the input has shape {found:?}: it must be B×{channels}×H×W with B at least 1")]
    InputShape {
        /// A slice and its neighbours.
        channels: i64,
        /// The tensor's shape.
        found: Vec<i64>,
    },
    /// Every resolution of the network needs an exact halving.
    #[error("a slice of {rows}×{columns}: both must be multiples of {multiple}, and at least {multiple}")]
    InputSize {
        /// H.
        rows: i64,
        /// W.
        columns: i64,
        /// What both must be multiples of.
        multiple: i64,
    },
}

impl NetworkError {
    /// Refuses a base width that is out of range or no multiple.
    pub(super) fn check_width(width: i64, multiple: i64) -> Result<(), Self> {
        if (4..=256).contains(&width) && width % multiple == 0 {
            Ok(())
        } else {
            Err(Self::Width { found: width, multiple })
        }
    }
}
