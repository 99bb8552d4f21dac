//! The whole way from an upload to a mask, readable from top to bottom.

mod encode;
mod error;
mod store;
mod web_error;

pub use encode::{Artifact, Output};
pub use error::{ErrorKind, PipelineError};
pub use store::Store;

use crate::dicom::{ReadOptions, Series, SeriesReader, SourceSeries};
use crate::infer::{InferOptions, Model};
use crate::itk::{self, FileFormat};
use crate::monitor::{Monitor, Stage};
use crate::postprocess::{self, Finding, Masked, Rule};
use crate::preprocess;
use crate::volume::Volume;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What a client sends.
#[derive(Debug)]
pub enum Input {
    /// Voxels in HU on a grid.
    Voxels(Volume<i16>),
    /// DICOM Part 10 instances of one series, each with a name for messages.
    Instances(Vec<(String, Vec<u8>)>),
    /// One encoded file.
    File {
        /// NIfTI, NRRD or MetaImage.
        format: FileFormat,
        /// The whole file.
        bytes: Vec<u8>,
    },
    /// A series that was read already (in-process use).
    Series(Box<Series>),
}

/// What the client asks for beyond the input.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Probability from which a voxel is fracture; the model's own when absent.
    pub threshold: Option<f32>,
    /// Smallest finding in mm³; the model's own when absent.
    pub minimum_component_mm3: Option<f64>,
    /// Accept uneven slice spacing and gantry tilt by resampling onto an even grid.
    pub resample_uneven: bool,
    /// Series to take when the instances hold several.
    pub series_uid: Option<String>,
    /// Leave out slices without bone. On by default; off only to show that it changes nothing.
    pub keep_empty_slices: bool,
    /// Wanted outputs.
    pub outputs: BTreeSet<Output>,
    /// Largest volume accepted, in voxels.
    pub maximum_voxels: Option<u64>,
    /// Most bytes of all DICOM instances that are read for it.
    pub maximum_bytes: Option<u64>,
    /// Most DICOM instances.
    pub maximum_instances: Option<u64>,
}

/// The answer.
#[derive(Debug)]
pub struct Segmentation {
    /// 0 or 1 on the source grid.
    pub mask: Volume<u8>,
    /// Largest first.
    pub findings: Vec<Finding>,
    /// What the mask was cut from, on the model's grid; `None` without bone.
    pub probabilities: Option<Volume<f32>>,
    /// The DICOM series that the mask belongs to.
    pub source: Option<SourceSeries>,
    /// The outputs that were asked for, encoded.
    pub artifacts: Vec<Artifact>,
    /// Wall time per stage.
    pub timings: Vec<(Stage, Duration)>,
    /// What was unusual about the input: duplicates left out, tags repaired, nothing to segment.
    pub notes: Vec<String>,
}

/// A CT with the identity of its series, where it has one.
struct Source {
    ct_hu: Volume<i16>,
    series: Option<SourceSeries>,
    notes: Vec<String>,
}

/// Runs every stage in turn. Blocks: call it from a worker thread, never from an async one.
pub fn segment(
    model: &Model,
    input: Input,
    options: &Options,
    monitor: &Monitor,
) -> Result<Segmentation, PipelineError> {
    let mut clock = Clock::start();
    let Source { ct_hu, series, mut notes } = decode(input, options, monitor)?;
    clock.end(Stage::Decode);

    let config = model.config();
    let prepared = preprocess::prepare(&ct_hu, &config.recipe(), monitor)?;
    clock.end(Stage::Preprocess);

    let probabilities = if let Some(prepared) = prepared {
        let run = InferOptions { skip_empty: !options.keep_empty_slices };
        Some(model.probabilities(&prepared.normalised, &prepared.gate, run, monitor)?)
    } else {
        notes.push(format!("no voxel reaches {} HU: there is no bone to look at", config.bone_hu));
        None
    };
    clock.end(Stage::Infer);

    let rule = Rule {
        threshold: options.threshold.unwrap_or(config.threshold as f32),
        // Whoever asks for a threshold of their own wants what reaches it.
        peak: if options.threshold.is_some() { 0.0 } else { config.peak_probability as f32 },
        minimum_component_mm3: options.minimum_component_mm3.unwrap_or(config.minimum_component_mm3),
    };
    let Masked { mask, findings } = match &probabilities {
        Some(probabilities) => postprocess::mask(probabilities, ct_hu.grid(), rule, monitor)?,
        None => Masked { mask: Volume::filled(ct_hu.grid().clone(), 0), findings: Vec::new() },
    };
    clock.end(Stage::Postprocess);

    let made =
        encode::Made { model, ct_hu: &ct_hu, mask: &mask, findings: &findings, series: series.as_ref() };
    let artifacts = encode::artifacts(&made, probabilities.as_ref(), &options.outputs, &mut notes, monitor)?;
    clock.end(Stage::Encode);
    let timings = clock.timings;
    Ok(Segmentation { mask, findings, probabilities, source: series, artifacts, timings, notes })
}

fn decode(input: Input, options: &Options, monitor: &Monitor) -> Result<Source, PipelineError> {
    monitor.step(Stage::Decode, 0, 1)?;
    let source = match input {
        Input::Voxels(ct_hu) => Source { ct_hu, series: None, notes: Vec::new() },
        Input::File { format, bytes } => {
            let ct_hu = itk::read_volume_bytes(format, &bytes, options.voxel_limit())?;
            Source { ct_hu, series: None, notes: Vec::new() }
        }
        Input::Instances(instances) => {
            let mut reader = SeriesReader::new(options.read_options());
            let total = instances.len();
            for (n, (name, bytes)) in instances.into_iter().enumerate() {
                reader.push(&name, bytes)?;
                monitor.step(Stage::Decode, n + 1, total)?;
            }
            from_series(reader.finish(monitor)?)
        }
        Input::Series(series) => from_series(*series),
    };
    let voxels = source.ct_hu.grid().len() as u64;
    if voxels > options.voxel_limit() {
        return Err(PipelineError::too_large(voxels, options.voxel_limit()));
    }
    monitor.step(Stage::Decode, 1, 1)?;
    Ok(source)
}

fn from_series(Series { volume, source }: Series) -> Source {
    Source { ct_hu: volume, notes: source.notes().to_vec(), series: Some(source) }
}

impl Options {
    fn voxel_limit(&self) -> u64 {
        self.maximum_voxels.unwrap_or(u64::MAX)
    }

    /// How DICOM instances are to be read for these options.
    pub fn read_options(&self) -> ReadOptions {
        let mut read = ReadOptions {
            series_uid: self.series_uid.clone(),
            resample_uneven: self.resample_uneven,
            ..ReadOptions::default()
        };
        let limits = &mut read.limits;
        limits.max_voxels = limits.max_voxels.min(self.voxel_limit());
        limits.max_total_bytes = limits.max_total_bytes.min(self.maximum_bytes.unwrap_or(u64::MAX));
        let instances = self.maximum_instances.map_or(usize::MAX, |most| most as usize);
        limits.max_files = limits.max_files.min(instances);
        read
    }
}

/// Wall time per stage.
struct Clock {
    last: Instant,
    timings: Vec<(Stage, Duration)>,
}

impl Clock {
    fn start() -> Self {
        Self { last: Instant::now(), timings: Vec::new() }
    }

    fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        self.timings.push((stage, now - self.last));
        tracing::debug!(stage = stage.name(), seconds = (now - self.last).as_secs_f64(), "stage ended");
        self.last = now;
    }
}
