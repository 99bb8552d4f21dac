//! From a volume to its probabilities: slices, tiles, batches, and back.

use super::model::{InferError, Model};
use super::tiles::Tiling;
use crate::monitor::{Monitor, Stage};
use crate::network::Plane;
use crate::volume::Volume;

/// The normalised value of air, which surrounds a slice that is smaller than a tile.
const OUTSIDE: f32 = -1.0;
/// How far a resampled volume's spacing may be from the model's: rounding, no more.
const SPACING_TOLERANCE_MM: f64 = 1e-4;

/// Choices of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferOptions {
    /// Leave out tiles in which the gate keeps nothing. The result is the same; only tests and
    /// measurements turn it off.
    pub skip_empty: bool,
}

impl Default for InferOptions {
    fn default() -> Self {
        Self { skip_empty: true }
    }
}

impl Model {
    /// The probability of fracture at every voxel that the gate keeps, 0 elsewhere.
    ///
    /// * `normalised`: axes to the Left, Posterior and Superior, at the model's spacing, window_hu
    ///   mapped to [−1, 1]
    /// * `gate`: the same size; not 0 where a probability is kept
    ///
    /// Besides the two volumes and the result, memory holds one batch of tiles and the slices that it
    /// touches. Every pass has exactly `batch` tiles (the last is filled up): libtorch may choose
    /// another algorithm for another batch, and with it another last digit. Steps are slices;
    /// cancellation is noticed between passes.
    pub fn probabilities(
        &self,
        normalised: &Volume<f32>,
        gate: &Volume<u8>,
        options: InferOptions,
        monitor: &Monitor,
    ) -> Result<Volume<f32>, InferError> {
        self.check(normalised, gate)?;
        let mut run = Run::new(self, normalised, gate);
        let slices = self.config().plane.slice_count(run.size);
        for slice in 0..slices {
            run.slice(slice, options, monitor)?;
            monitor.step(Stage::Infer, slice + 1 - run.open.len(), slices)?;
        }
        run.flush(monitor)?;
        monitor.step(Stage::Infer, slices, slices)?;
        Ok(run.result)
    }

    fn check(&self, normalised: &Volume<f32>, gate: &Volume<u8>) -> Result<(), InferError> {
        let (volume, gate) = (normalised.grid().size(), gate.grid().size());
        if volume != gate {
            return Err(InferError::GateSize { gate, volume });
        }
        let (expected, found) = (self.config().spacing_mm, normalised.grid().spacing_mm());
        if (0..3).any(|a| (expected[a] - found[a]).abs() > SPACING_TOLERANCE_MM) {
            return Err(InferError::Spacing { expected, found });
        }
        Ok(())
    }
}

/// A slice that waits for tiles.
struct Open {
    slice: usize,
    gate: Vec<u8>,
    sums: Vec<f32>,
}

/// The state of one run.
struct Run<'a> {
    model: &'a Model,
    plane: Plane,
    size: [usize; 3],
    values: &'a [f32],
    gate: &'a [u8],
    tiling: Tiling,
    /// `batch` tiles, of which the first `queued.len()` are filled.
    tiles: Vec<f32>,
    /// Slice and number of every queued tile.
    queued: Vec<(usize, usize)>,
    open: Vec<Open>,
    result: Volume<f32>,
}

impl<'a> Run<'a> {
    fn new(model: &'a Model, normalised: &'a Volume<f32>, gate: &'a Volume<u8>) -> Self {
        let config = model.config();
        let size = normalised.grid().size();
        let tiling = Tiling::new(config.plane.slice_size(size), config.tile_vox, config.tile_overlap);
        Self {
            model,
            plane: config.plane,
            size,
            values: normalised.voxels(),
            gate: gate.voxels(),
            tiles: vec![OUTSIDE; config.batch * tiling.tile_len()],
            tiling,
            queued: Vec::with_capacity(config.batch),
            open: Vec::new(),
            result: Volume::filled(normalised.grid().clone(), 0.0),
        }
    }

    /// Queues a slice's tiles, running a pass whenever a batch is full.
    fn slice(&mut self, slice: usize, options: InferOptions, monitor: &Monitor) -> Result<(), InferError> {
        let gate = self.plane.extract(self.gate, self.size, slice);
        if options.skip_empty && gate.iter().all(|keep| *keep == 0) {
            return Ok(());
        }
        let values = self.plane.extract(self.values, self.size, slice);
        let wanted: Vec<usize> = (0..self.tiling.count())
            .filter(|n| !options.skip_empty || self.tiling.keeps_any(*n, &gate))
            .collect();
        self.open.push(Open { slice, gate, sums: vec![0.0; self.tiling.slice_len()] });
        for (position, n) in wanted.iter().enumerate() {
            let (length, at) = (self.tiling.tile_len(), self.queued.len());
            let tile = &mut self.tiles[at * length..(at + 1) * length];
            self.tiling.cut(*n, &values, OUTSIDE, tile);
            self.queued.push((slice, *n));
            if self.queued.len() == self.model.config().batch {
                self.pass(monitor)?;
                let complete = position + 1 == wanted.len();
                self.close(if complete { None } else { Some(slice) })?;
            }
        }
        Ok(())
    }

    /// Runs what is queued and closes every slice.
    fn flush(&mut self, monitor: &Monitor) -> Result<(), InferError> {
        if !self.queued.is_empty() {
            let filled = self.queued.len() * self.tiling.tile_len();
            self.tiles[filled..].fill(OUTSIDE);
            self.pass(monitor)?;
        }
        self.close(None)
    }

    /// One forward pass; its answers go to the open slices.
    fn pass(&mut self, monitor: &Monitor) -> Result<(), InferError> {
        monitor.check()?;
        self.model.forward(&mut self.tiles, self.model.config().batch)?;
        let length = self.tiling.tile_len();
        for ((slice, n), tile) in self.queued.drain(..).zip(self.tiles.chunks_exact(length)) {
            if let Some(open) = self.open.iter_mut().find(|open| open.slice == slice) {
                self.tiling.add(n, tile, &mut open.sums);
            }
        }
        Ok(())
    }

    /// Writes the open slices, except one that still waits for tiles, into the result.
    fn close(&mut self, waiting: Option<usize>) -> Result<(), InferError> {
        let (keep, done) =
            std::mem::take(&mut self.open).into_iter().partition(|o: &Open| Some(o.slice) == waiting);
        self.open = keep;
        for Open { slice, gate, mut sums } in done {
            self.tiling.finish(&mut sums, &gate);
            if !sums.iter().all(|value| value.is_finite()) {
                return Err(InferError::NotFinite { plane: format!("{:?}", self.plane), slice });
            }
            self.plane.insert(&sums, self.result.voxels_mut(), self.size, slice);
        }
        Ok(())
    }
}
