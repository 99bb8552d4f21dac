//! From a volume to its probabilities: slices, tiles, batches, and back.

use super::across;
use super::model::{InferError, Model};
use super::tiles::Tiling;
use crate::monitor::{Monitor, Stage};
use crate::plane::Plane;
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
    /// Besides the two volumes and the result, memory holds a round of batches (`infer/lanes.rs`) and the
    /// slices that it touches. Steps are slices; cancellation is noticed between passes. A fusion's
    /// members answer one after the other, and the result is the mean.
    ///
    /// Skipping changes no bit: a tile has the same place in a batch of the same length whether or not
    /// others are skipped (libtorch's last digit depends on both), and only a pass without any wanted
    /// tile is left out.
    pub fn probabilities(
        &self,
        normalised: &Volume<f32>,
        gate: &Volume<u8>,
        options: InferOptions,
        monitor: &Monitor,
    ) -> Result<Volume<f32>, InferError> {
        self.check(normalised, gate)?;
        let slices = |member: &Self| member.config().plane.slice_count(normalised.grid().size());
        let mut steps = Steps { monitor, done: 0, total: self.members().map(slices).sum() };
        let mut sum = self.own_probabilities(normalised, gate, options, &mut steps)?;
        let mut count = 1.0;
        for member in self.members().skip(1) {
            let more = member.own_probabilities(normalised, gate, options, &mut steps)?;
            sum.voxels_mut().iter_mut().zip(more.voxels()).for_each(|(sum, p)| *sum += p);
            count += 1.0;
        }
        sum.voxels_mut().iter_mut().for_each(|p| *p /= count);
        Ok(sum)
    }

    /// What this network alone says.
    fn own_probabilities(
        &self,
        normalised: &Volume<f32>,
        gate: &Volume<u8>,
        options: InferOptions,
        steps: &mut Steps,
    ) -> Result<Volume<f32>, InferError> {
        let mut run = Run::new(self, normalised, gate);
        let slices = self.config().plane.slice_count(run.size);
        for slice in 0..slices {
            run.slice(slice, options, steps.monitor)?;
            steps.tell(slice + 1 - run.open.len())?;
        }
        run.flush(steps.monitor)?;
        steps.tell(slices)?;
        steps.done += slices;
        let mut result = run.result;
        across::smooth(&mut result, gate, self.config().plane, self.config().slice_sigma_mm);
        Ok(result)
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

/// How far all members together have come.
struct Steps<'a> {
    monitor: &'a Monitor,
    /// Slices of the members before.
    done: usize,
    /// Slices of all members.
    total: usize,
}

impl Steps<'_> {
    fn tell(&self, slices: usize) -> Result<(), InferError> {
        Ok(self.monitor.step(Stage::Infer, self.done + slices, self.total)?)
    }
}

/// A slice that waits for tiles.
struct Open {
    slice: usize,
    gate: Vec<u8>,
    sums: Vec<f32>,
}

/// Tiles that the network sees together.
struct Batch {
    /// Each with its neighbours; a place that nobody wants holds any finite values.
    tiles: Vec<f32>,
    /// Slice and number of the tile at each place so far; `None` where nobody wants the answer.
    queued: Vec<Option<(usize, usize)>>,
}

/// The state of one run.
struct Run<'a> {
    model: &'a Model,
    plane: Plane,
    size: [usize; 3],
    values: &'a [f32],
    gate: &'a [u8],
    tiling: Tiling,
    filling: Batch,
    /// Full batches with a tile that is wanted, for the next round.
    ready: Vec<Batch>,
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
            filling: Batch {
                tiles: vec![OUTSIDE; config.batch * config.architecture.channels() * tiling.tile_len()],
                queued: Vec::new(),
            },
            tiling,
            ready: Vec::new(),
            open: Vec::new(),
            result: Volume::filled(normalised.grid().clone(), 0.0),
        }
    }

    /// Queues a slice's tiles, running a round whenever there are batches enough.
    fn slice(&mut self, slice: usize, options: InferOptions, monitor: &Monitor) -> Result<(), InferError> {
        let gate = self.plane.extract(self.gate, self.size, slice);
        let count = self.tiling.count();
        let wanted = |n| !options.skip_empty || self.tiling.keeps_any(n, &gate);
        let wanted: Vec<bool> = (0..count).map(wanted).collect();
        if !wanted.contains(&true) {
            return (0..count).try_for_each(|n| self.queue(None, n + 1 == count, monitor));
        }
        let neighbours = self.model.config().architecture.neighbours();
        let around = self.plane.around(self.size, slice, neighbours);
        let values: Vec<Vec<f32>> =
            around.map(|slice| self.plane.extract(self.values, self.size, slice)).collect();
        self.open.push(Open { slice, gate, sums: vec![0.0; self.tiling.slice_len()] });
        for (n, wanted) in wanted.into_iter().enumerate() {
            if wanted {
                let Batch { tiles, queued } = &mut self.filling;
                let start = queued.len() * values.len() * self.tiling.tile_len();
                let tiles = tiles[start..].chunks_exact_mut(self.tiling.tile_len());
                values.iter().zip(tiles).for_each(|(values, tile)| self.tiling.cut(n, values, OUTSIDE, tile));
            }
            self.queue(wanted.then_some((slice, n)), n + 1 == count, monitor)?;
        }
        Ok(())
    }

    /// Takes the next place. A full round runs and closes the open slices, the last of them only when
    /// this was its `last` tile.
    fn queue(
        &mut self,
        tile: Option<(usize, usize)>,
        last: bool,
        monitor: &Monitor,
    ) -> Result<(), InferError> {
        self.filling.queued.push(tile);
        if self.filling.queued.len() < self.model.config().batch {
            return Ok(());
        }
        self.fill();
        if self.ready.len() < self.model.lanes.round() {
            return Ok(());
        }
        self.round(monitor)?;
        let waiting = if last { None } else { self.open.pop() };
        self.close()?;
        self.open.extend(waiting);
        Ok(())
    }

    /// Runs what is queued and closes every slice.
    fn flush(&mut self, monitor: &Monitor) -> Result<(), InferError> {
        self.fill();
        self.round(monitor)?;
        self.close()
    }

    /// Makes the batch ready, if anybody wants it, and begins the next one.
    fn fill(&mut self) {
        let queued = std::mem::take(&mut self.filling.queued);
        if queued.iter().any(Option::is_some) {
            let next = vec![OUTSIDE; self.filling.tiles.len()];
            self.ready.push(Batch { tiles: std::mem::replace(&mut self.filling.tiles, next), queued });
        }
    }

    /// One forward pass for each batch that is ready; the answers go to the open slices.
    fn round(&mut self, monitor: &Monitor) -> Result<(), InferError> {
        monitor.check()?;
        let (pass, mut ready) = (self.model.pass(), std::mem::take(&mut self.ready));
        self.model.lanes.run(&mut ready, |network, batch| {
            monitor.check()?;
            pass.forward(network, &mut batch.tiles)
        })?;
        for Batch { tiles, queued } in ready {
            let tiles = tiles.chunks_exact(self.tiling.tile_len());
            for ((slice, n), tile) in queued.into_iter().zip(tiles).filter_map(|(q, t)| Some((q?, t))) {
                if let Some(open) = self.open.iter_mut().find(|open| open.slice == slice) {
                    self.tiling.add(n, tile, &mut open.sums);
                }
            }
        }
        Ok(())
    }

    /// Writes the open slices into the result.
    fn close(&mut self) -> Result<(), InferError> {
        for Open { slice, gate, mut sums } in self.open.drain(..) {
            self.tiling.finish(&mut sums, &gate);
            if !sums.iter().all(|value| value.is_finite()) {
                return Err(InferError::NotFinite { plane: format!("{:?}", self.plane), slice });
            }
            self.plane.insert(&sums, self.result.voxels_mut(), self.size, slice);
        }
        Ok(())
    }
}
