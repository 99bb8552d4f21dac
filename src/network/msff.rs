//! The whole network.

use super::aspp::Aspp;
use super::blocks::{ConvBn, Kernel, bilinear, slice_size};
use super::config::{AsppInput, Module, MsffConfig, NetworkError};
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::ffm::Ffm;
use super::lprab::Lprab;
use super::rbrab::Rbrab;
use super::rcbam::Rcbam;
use super::sem::Sem;
use tch::{Tensor, nn};

/// The multi-scale feature-fusion network: B×C×H×W in [−1, 1] → B×1×H×W logits, C slices
/// of which the middle one is meant; the paper has one.
#[derive(Debug)]
pub struct Msff {
    encoder: Encoder,
    ffm: Option<Ffm>,
    sem: Option<Vec<Sem>>,
    reduce: Vec<ConvBn>,
    aspp: Pyramid,
    rcbam: Option<Rcbam>,
    rbrab: Option<Rbrab>,
    lprab: Option<Lprab>,
    decoder: Decoder,
    aspp_input: AsppInput,
}

/// ASPP, or the 1×1 convolution that an ablation puts in its place.
#[derive(Debug)]
enum Pyramid {
    Aspp(Aspp),
    Point(ConvBn),
}

impl Msff {
    /// Adds the network's variables below `p`, freshly initialised (seed with `tch::manual_seed`).
    pub fn new(p: &nn::Path, config: &MsffConfig) -> Result<Self, NetworkError> {
        config.check()?;
        let w = config.width;
        let channels = [2 * w, 4 * w, 8 * w, 16 * w];
        let joined = match config.aspp_input {
            AsppInput::Concat => 4 * w,
            AsppInput::Sum => w,
        };
        let scales = || channels.iter().copied().enumerate();
        let sems = || scales().map(|(i, c)| Sem::new(&(p / "sem" / i), c)).collect();
        let aspp = if config.has(Module::Aspp) {
            Pyramid::Aspp(Aspp::new(&(p / "aspp"), joined, config))
        } else {
            Pyramid::Point(ConvBn::new(&(p / "aspp"), joined, w, Kernel::ONE))
        };
        Ok(Self {
            encoder: Encoder::new(&(p / "encoder"), config.channels(), w),
            ffm: config.has(Module::Ffm).then(|| Ffm::new(&(p / "ffm"), &channels)),
            sem: config.has(Module::Sem).then(sems),
            reduce: scales().map(|(i, c)| ConvBn::new(&(p / "reduce" / i), c, w, Kernel::ONE)).collect(),
            aspp,
            rcbam: config.has(Module::Rcbam).then(|| Rcbam::new(&(p / "rcbam"), w)),
            rbrab: config.has(Module::Rbrab).then(|| Rbrab::new(&(p / "rbrab"), w, config.attention_pool)),
            lprab: config.has(Module::Lprab).then(|| Lprab::new(&(p / "lprab"), w)),
            decoder: Decoder::new(&(p / "decoder"), w, config.skips),
            aspp_input: config.aspp_input,
        })
    }

    /// The four encoder maps, fused and gated, side by side or added at the slice's own size.
    fn features(&self, slices: &Tensor, train: bool) -> Tensor {
        let mut maps = self.encoder.forward(slices, train);
        if let Some(ffm) = &self.ffm {
            maps = ffm.forward(&maps, train);
        }
        if let Some(sem) = &self.sem {
            maps = sem.iter().zip(&maps).map(|(gate, map)| gate.forward(map)).collect();
        }
        let size = slice_size(slices);
        let wide = self.reduce.iter().zip(&maps).map(|(layer, map)| bilinear(&layer.relu(map, train), size));
        match self.aspp_input {
            AsppInput::Concat => Tensor::cat(&wide.collect::<Vec<_>>(), 1),
            AsppInput::Sum => {
                wide.reduce(|mut sum, map| sum.g_add_(&map)).unwrap_or_else(|| slices.shallow_clone())
            }
        }
    }
}

impl nn::ModuleT for Msff {
    /// Rows and columns must be multiples of 16: the encoder halves four times.
    fn forward_t(&self, slices: &Tensor, train: bool) -> Tensor {
        let mut xs = self.features(slices, train);
        xs = match &self.aspp {
            Pyramid::Aspp(aspp) => aspp.forward(&xs, train),
            Pyramid::Point(layer) => layer.relu(&xs, train),
        };
        if let Some(rcbam) = &self.rcbam {
            xs = rcbam.forward(&xs, train);
        }
        if let Some(rbrab) = &self.rbrab {
            xs = rbrab.forward(&xs, train);
        }
        if let Some(lprab) = &self.lprab {
            xs = lprab.forward(&xs, train);
        }
        self.decoder.forward(&xs, train)
    }
}

#[cfg(test)]
mod tests {
    use super::super::weights::parameter_count;
    use super::*;
    use tch::Device;

    fn count(config: &MsffConfig) -> usize {
        let store = nn::VarStore::new(Device::Cpu);
        Msff::new(&store.root(), config).unwrap();
        parameter_count(&store)
    }

    #[test]
    fn parameters_by_width() {
        for (width, expected) in [(64, 23_878_077), (32, 5_975_825), (16, 1_497_805), (8, 376_557)] {
            assert_eq!(count(&MsffConfig::with_width(width)), expected, "width {width}");
        }
    }

    #[test]
    fn parameters_by_module() {
        let store = nn::VarStore::new(Device::Cpu);
        Msff::new(&store.root(), &MsffConfig::default()).unwrap();
        let variables = store.variables();
        for (module, expected) in [
            ("encoder", 18_846_016),
            ("ffm", 3_690_240),
            ("sem", 176_120),
            ("reduce", 123_392),
            ("aspp", 496_320),
            ("rcbam", 206_178),
            ("rbrab", 86_401),
            ("lprab", 78_145),
            ("decoder", 175_265),
        ] {
            let own = variables
                .iter()
                .filter(|(name, _)| name.split('.').next() == Some(module) && !name.contains(".running_"));
            assert_eq!(own.map(|(_, t)| t.numel()).sum::<usize>(), expected, "{module}");
        }
    }
}
