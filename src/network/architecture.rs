//! Which network a model is made of. Training and inference know networks through this file alone.

use super::baselines::{BaseWidth, DeepLab, Fcn8s, SegNet, SpineGan, UNet, UNetPlusPlus};
use super::config::{Module, MsffConfig, NetworkError};
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
    /// [`UNet`].
    UNet(BaseWidth<64>),
    /// [`UNetPlusPlus`].
    #[serde(rename = "unetpp")]
    UNetPlusPlus(BaseWidth<32>),
    /// [`Fcn8s`].
    Fcn8s(BaseWidth<64>),
    /// [`SpineGan`].
    SpineGan(BaseWidth<32>),
    /// [`SegNet`].
    SegNet(BaseWidth<64>),
    /// [`DeepLab`].
    #[serde(rename = "deeplabv3plus")]
    DeepLab(BaseWidth<64>),
}

impl Architecture {
    /// Names that [`Architecture::named`] knows.
    pub fn names() -> Vec<String> {
        let variants = Module::ALL.map(|module| format!("msff-no-{}", module.name()));
        std::iter::once("msff".to_owned())
            .chain(variants)
            .chain(baselines(None).into_iter().map(|(_, network)| network.kind().to_owned()))
            .collect()
    }

    /// A network by its [kind](Self::kind), or `msff-no-ffm` and so on for an ablation, as published or
    /// at another base width; `None` for an unknown name.
    pub fn named(name: &str, width: Option<i64>) -> Option<Self> {
        if let Some(without) = name.strip_prefix("msff-no-") {
            let module = Module::ALL.into_iter().find(|module| module.name() == without)?;
            return Some(Self::Msff(MsffConfig { without: vec![module], ..msff(width) }));
        }
        let paper = Self::Msff(msff(width));
        let mut known =
            std::iter::once(paper).chain(baselines(width).into_iter().map(|(_, network)| network));
        known.find(|network| network.kind() == name)
    }

    /// The network's short name, as in `config.json`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Msff(_) => "msff",
            Self::UNet(_) => "unet",
            Self::UNetPlusPlus(_) => "unetpp",
            Self::Fcn8s(_) => "fcn8s",
            Self::SpineGan(_) => "spinegan",
            Self::SegNet(_) => "segnet",
            Self::DeepLab(_) => "deeplabv3plus",
        }
    }

    /// Channels of the first stage, which all others follow.
    pub fn width(&self) -> i64 {
        match self {
            Self::Msff(config) => config.width,
            Self::UNet(config) | Self::Fcn8s(config) | Self::SegNet(config) | Self::DeepLab(config) => {
                config.width
            }
            Self::UNetPlusPlus(config) | Self::SpineGan(config) => config.width,
        }
    }

    /// Slices on either side that are read with each slice.
    pub fn neighbours(&self) -> usize {
        match self {
            Self::Msff(config) => config.neighbours.unsigned_abs() as usize,
            _ => 0,
        }
    }

    /// A slice and its neighbours.
    pub fn channels(&self) -> usize {
        2 * self.neighbours() + 1
    }

    /// What rows and columns of a slice must be a multiple of.
    pub fn size_multiple(&self) -> usize {
        match self {
            // VGG halves five times.
            Self::Fcn8s(_) | Self::SegNet(_) => 2 * SIZE_MULTIPLE,
            _ => SIZE_MULTIPLE,
        }
    }

    /// Whether the network learns from a [`Discriminator`](super::Discriminator) too.
    pub fn is_adversarial(&self) -> bool {
        matches!(self, Self::SpineGan(_))
    }

    /// Refuses what cannot be built.
    pub fn check(&self) -> Result<(), NetworkError> {
        match self {
            Self::Msff(config) => config.check(),
            Self::UNet(config) | Self::Fcn8s(config) | Self::SegNet(config) | Self::DeepLab(config) => {
                config.check()
            }
            Self::UNetPlusPlus(config) | Self::SpineGan(config) => config.check(),
        }
    }

    /// Adds the network's variables below `p`, freshly initialised (seed with `tch::manual_seed`).
    pub fn build(&self, p: &Path) -> Result<Network, NetworkError> {
        self.check()?;
        let width = self.width();
        let layers: Box<dyn ModuleT> = match self {
            Self::Msff(config) => Box::new(Msff::new(p, config)?),
            Self::UNet(_) => Box::new(UNet::new(p, width)),
            Self::UNetPlusPlus(_) => Box::new(UNetPlusPlus::new(p, width)),
            Self::Fcn8s(_) => Box::new(Fcn8s::new(p, width)),
            Self::SpineGan(_) => Box::new(SpineGan::new(p, width)),
            Self::SegNet(_) => Box::new(SegNet::new(p, width)),
            Self::DeepLab(_) => Box::new(DeepLab::new(p, width)),
        };
        Ok(Network { layers, channels: self.channels() as i64, multiple: self.size_multiple() as i64 })
    }
}

fn msff(width: Option<i64>) -> MsffConfig {
    let published = MsffConfig::default();
    MsffConfig { width: width.unwrap_or(published.width), ..published }
}

/// The paper's name for its own network, in both tables.
pub const PROPOSED: &str = "Proposed Model";

/// The rows of the paper's Table 1, top to bottom: its words, and the network.
pub fn ablations(width: Option<i64>) -> Vec<(&'static str, Architecture)> {
    let without = |module| Architecture::Msff(MsffConfig { without: vec![module], ..msff(width) });
    vec![
        (PROPOSED, Architecture::Msff(msff(width))),
        ("No FFM", without(Module::Ffm)),
        ("No SEM", without(Module::Sem)),
        ("No ASPP", without(Module::Aspp)),
        ("No RCBAM", without(Module::Rcbam)),
        ("No RBRAB", without(Module::Rbrab)),
        ("No LPRAB", without(Module::Lprab)),
    ]
}

/// The rows of the paper's Table 2 but the last, top to bottom: its words, and the network. The last is
/// the first of [`ablations`].
pub fn baselines(width: Option<i64>) -> Vec<(&'static str, Architecture)> {
    vec![
        ("U-Net", Architecture::UNet(BaseWidth::new(width))),
        ("U-Net++", Architecture::UNetPlusPlus(BaseWidth::new(width))),
        ("FCN", Architecture::Fcn8s(BaseWidth::new(width))),
        ("SpineGAN", Architecture::SpineGan(BaseWidth::new(width))),
        ("SegNet", Architecture::SegNet(BaseWidth::new(width))),
        ("DeepLabv3+", Architecture::DeepLab(BaseWidth::new(width))),
    ]
}

/// Any network: B×C×H×W in [−1, 1] → B×1×H×W logits; C: [`Architecture::channels`].
#[derive(Debug)]
pub struct Network {
    layers: Box<dyn ModuleT>,
    channels: i64,
    multiple: i64,
}

impl Network {
    /// B×C×H×W → B×1×H×W logits, after checking the shape. `train` selects batch statistics.
    ///
    /// # Panics
    /// When libtorch fails (no memory); `infer` turns that into an error.
    pub fn logits(&self, slices: &Tensor, train: bool) -> Result<Tensor, NetworkError> {
        let shape = slices.size();
        let (channels, multiple) = (self.channels, self.multiple);
        let (rows, columns) = match *shape.as_slice() {
            [batch, c, rows, columns] if batch > 0 && c == channels => (rows, columns),
            _ => return Err(NetworkError::InputShape { channels, found: shape }),
        };
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
