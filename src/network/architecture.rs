//! Which network a model is made of. Training and inference know networks through this file alone.

use super::config::{MsffConfig, NetworkError};
use super::msff::Msff;
use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::{ModuleT, Path};

/// Rows and columns of a slice must be multiples of this: no network halves fewer than four times.
pub const SIZE_MULTIPLE: usize = 16;

/// A kind of network, and its shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Architecture {
    /// The paper's network, [`Msff`].
    Msff(MsffConfig),
}

impl Architecture {
    /// A network by its [kind](Self::kind), as published or at another base width; `None` for an
    /// unknown kind.
    pub fn named(kind: &str, width: Option<i64>) -> Option<Self> {
        let msff = MsffConfig::default();
        match kind {
            "msff" => Some(Self::Msff(MsffConfig { width: width.unwrap_or(msff.width), ..msff })),
            _ => None,
        }
    }

    /// The network's short name, as in `config.json`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Msff(_) => "msff",
        }
    }

    /// Channels of the first stage, which all others follow.
    pub fn width(&self) -> i64 {
        match self {
            Self::Msff(config) => config.width,
        }
    }

    /// What rows and columns of a slice must be a multiple of.
    pub fn size_multiple(&self) -> usize {
        match self {
            Self::Msff(_) => SIZE_MULTIPLE,
        }
    }

    /// Refuses what cannot be built.
    pub fn check(&self) -> Result<(), NetworkError> {
        match self {
            Self::Msff(config) => config.check(),
        }
    }

    /// Adds the network's variables below `p`, freshly initialised (seed with `tch::manual_seed`).
    pub fn build(&self, p: &Path) -> Result<Network, NetworkError> {
        let layers: Box<dyn ModuleT> = match self {
            Self::Msff(config) => Box::new(Msff::new(p, config)?),
        };
        Ok(Network { layers, multiple: self.size_multiple() as i64 })
    }
}

/// Any network: B×1×H×W in [−1, 1] → B×1×H×W logits.
#[derive(Debug)]
pub struct Network {
    layers: Box<dyn ModuleT>,
    multiple: i64,
}

impl Network {
    /// B×1×H×W → B×1×H×W logits, after checking the shape. `train` selects batch statistics.
    ///
    /// # Panics
    /// When libtorch fails (no memory); `infer` turns that into an error.
    pub fn logits(&self, slices: &Tensor, train: bool) -> Result<Tensor, NetworkError> {
        let shape = slices.size();
        let &[batch, 1, rows, columns] = shape.as_slice() else {
            return Err(NetworkError::InputShape { found: shape });
        };
        if batch < 1 {
            return Err(NetworkError::InputShape { found: shape });
        }
        let multiple = self.multiple;
        let fits = |n: i64| n > 0 && n % multiple == 0;
        if !(fits(rows) && fits(columns)) {
            return Err(NetworkError::InputSize { rows, columns, multiple });
        }
        Ok(self.forward_t(slices, train))
    }
}

impl ModuleT for Network {
    /// As [`Network::logits`], without its checks.
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        self.layers.forward_t(slices, train)
    }
}
