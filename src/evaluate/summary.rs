//! All volumes' figures together, each with how sure it is.

use super::EvaluateOptions;
use super::bootstrap::{self, Estimate, deviation, estimate, mean};
use super::calibration::{Bin, Reliability};
use super::overlap::Overlap;
use super::score::{self, VolumeScore};
use super::slices::SliceScore;
use crate::infer::Model;
use crate::plane::Plane;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Why the paper's two columns cannot be of one pair of masks.
pub const CONVENTIONS: &str = "For one pair of masks IoU = DSC / (2 − DSC), which is never above DSC, and so for any \
    common average; the paper's Tables 1 and 2 mostly give IoU above DSC (91.87 and 93.36 for its model, where DSC \
    91.87 means IoU 84.96). Averaging the IoU over fracture and background lifts it, but not far enough for every \
    row, so the paper's two columns were probably pooled differently. Both conventions are given here.";
/// What happens to volumes without a fracture.
pub const EMPTY_MASKS: &str = "A volume without a fracture has no DSC, IoU or distance: it counts in the pooled \
    figures and under 'healthy' only. A missed fracture counts as DSC 0 and IoU 0 and has no distance.";

/// A mean over volumes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean and its interval.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Standard deviation over the volumes.
    pub deviation: Option<f64>,
    /// Volumes that have the figure.
    pub volumes: usize,
}

/// Slices of one plane.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlaneSummary {
    /// The plane.
    pub plane: Plane,
    /// Slices that show a fracture.
    pub positive: usize,
    /// Mean DSC over them.
    pub dsc: Option<Estimate>,
    /// Mean IoU over them.
    pub iou: Option<Estimate>,
    /// Slices that show none.
    pub negative: usize,
    /// Share of those with a voxel in the mask.
    pub false_positive_rate: Option<Estimate>,
}

/// Fractures of one kind, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionSummary {
    /// Fractures.
    pub lesions: usize,
    /// Fractures found.
    pub found: usize,
    /// Found of all.
    pub sensitivity: Option<Estimate>,
    /// DSC over their voxels and the mask's voxels nearest to them.
    pub dsc: Option<Estimate>,
}

/// Volumes and vertebrae without a fracture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthySummary {
    /// Volumes without a fracture.
    pub volumes: usize,
    /// Of those, volumes with an empty mask.
    pub clean: usize,
    /// Mean false-positive volume over them, mm³.
    pub false_positive_mm3: Option<Estimate>,
    /// Vertebrae without a fracture in all volumes that have a labelmap.
    pub vertebrae: usize,
    /// Of those, vertebrae without a false positive.
    pub clean_vertebrae: usize,
    /// Mean false-positive volume over them, mm³.
    pub per_vertebra_mm3: Option<Estimate>,
    /// False-positive volume at the labelled vertebrae, over all such volumes, mm³.
    pub near_spine_mm3: f64,
    /// False-positive volume away from them, mm³.
    pub away_mm3: f64,
}

/// Whether probabilities mean what they say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationSummary {
    /// Voxels that the gate keeps.
    pub voxels: u64,
    /// Expected calibration error, 15 bins.
    pub ece: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// The reliability table.
    pub bins: Vec<Bin>,
}

/// What was measured, and under which rules.
#[derive(Debug, Clone, Serialize)]
pub struct Conditions {
    /// The model's name.
    pub model: String,
    /// SHA-256 of its weights file.
    pub weights_sha256: String,
    /// Probability threshold of the masks.
    pub threshold: f32,
    /// Smaller components are dropped.
    pub minimum_component_mm3: f64,
    /// Share of a lesion that must be covered.
    pub lesion_overlap: f64,
    /// Bootstrap: sets drawn, share inside the interval, seed.
    pub bootstrap: (usize, f64, u64),
    /// [`CONVENTIONS`].
    pub conventions: &'static str,
    /// [`EMPTY_MASKS`].
    pub empty_masks: &'static str,
}

impl Conditions {
    fn of(model: &Model, options: &EvaluateOptions) -> Self {
        let config = model.config();
        Self {
            model: config.name.clone(),
            weights_sha256: model.weights_sha256().to_owned(),
            threshold: options.threshold.unwrap_or(config.threshold as f32),
            minimum_component_mm3: options.minimum_component_mm3.unwrap_or(config.minimum_component_mm3),
            lesion_overlap: options.lesion_overlap,
            bootstrap: (bootstrap::RESAMPLES, bootstrap::CONFIDENCE, bootstrap::SEED),
            conventions: CONVENTIONS,
            empty_masks: EMPTY_MASKS,
        }
    }
}

/// Everything measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Model and rules.
    #[serde(flatten)]
    pub conditions: Conditions,
    /// Patients.
    pub patients: usize,
    /// Volumes with a fracture.
    pub fractured: usize,
    /// Of those, volumes of which no voxel was found.
    pub missed: usize,
    /// Mean DSC over volumes with a fracture.
    pub dsc: Option<Spread>,
    /// Mean IoU over volumes with a fracture.
    pub iou: Option<Spread>,
    /// Mean HD95 over volumes in which both masks hold something, mm.
    pub hd95_mm: Option<Spread>,
    /// Mean ASSD over the same, mm.
    pub assd_mm: Option<Spread>,
    /// All voxels of all volumes as if one.
    pub pooled: Overlap,
    /// DSC of all voxels pooled.
    pub pooled_dsc: Option<Estimate>,
    /// IoU of all voxels pooled.
    pub pooled_iou: Option<Estimate>,
    /// Mean over volumes of the DSC averaged over fracture and background.
    pub dsc_2class: Option<Spread>,
    /// "Paper-like, includes background": the same for IoU.
    pub miou_2class: Option<Spread>,
    /// DSC averaged over the two classes, all voxels pooled.
    pub pooled_dsc_2class: Option<Estimate>,
    /// IoU averaged over the two classes, all voxels pooled.
    pub pooled_miou_2class: Option<Estimate>,
    /// Slices by plane.
    pub slices: Vec<PlaneSummary>,
    /// All fractures.
    pub lesions: LesionSummary,
    /// Fractures by kind.
    pub by_kind: BTreeMap<String, LesionSummary>,
    /// Regions of the masks.
    pub regions: usize,
    /// Share of them that are right.
    pub precision: Option<Estimate>,
    /// Regions that are wrong, per volume.
    pub false_positives_per_volume: Option<Estimate>,
    /// Volumes and vertebrae without a fracture.
    pub healthy: HealthySummary,
    /// Calibration.
    pub calibration: CalibrationSummary,
    /// Each volume, in the order of the set.
    pub volumes: Vec<VolumeScore>,
}

/// A patient's volumes, drawn together.
type Patient<'a> = Vec<&'a VolumeScore>;

/// Puts all volumes together.
pub fn summarise(model: &Model, options: &EvaluateOptions, volumes: Vec<VolumeScore>) -> Report {
    let all = patients(&volumes);
    let fractured: Vec<&VolumeScore> = volumes.iter().filter(|v| v.is_fractured()).collect();
    let kinds: BTreeSet<&str> =
        volumes.iter().flat_map(|v| v.lesions.lesions.iter().map(|l| l.kind.as_str())).collect();
    let regions = |v: &VolumeScore| v.lesions.regions as f64;
    let wrong = |v: &VolumeScore| (v.lesions.regions - v.lesions.right_regions) as f64;
    Report {
        conditions: Conditions::of(model, options),
        patients: all.len(),
        fractured: fractured.len(),
        missed: fractured.iter().filter(|v| v.overlap.both == 0).count(),
        dsc: spread(&all, |v| v.dsc.filter(|_| v.is_fractured())),
        iou: spread(&all, |v| v.iou.filter(|_| v.is_fractured())),
        hd95_mm: spread(&all, |v| Some(v.surface?.hd95_mm)),
        assd_mm: spread(&all, |v| Some(v.surface?.assd_mm)),
        pooled: volumes.iter().map(|v| v.overlap).sum(),
        pooled_dsc: pooled(&all, |v| v.overlap, Overlap::dsc),
        pooled_iou: pooled(&all, |v| v.overlap, Overlap::iou),
        dsc_2class: spread(&all, |v| v.dsc_2class.filter(|_| v.is_fractured())),
        miou_2class: spread(&all, |v| v.iou_2class.filter(|_| v.is_fractured())),
        pooled_dsc_2class: pooled(&all, |v| v.overlap, Overlap::dsc_2class),
        pooled_miou_2class: pooled(&all, |v| v.overlap, Overlap::iou_2class),
        slices: score::planes(model).into_iter().map(|plane| plane_summary(&all, plane)).collect(),
        lesions: lesion_summary(&all, None),
        by_kind: kinds.into_iter().map(|k| (k.to_owned(), lesion_summary(&all, Some(k)))).collect(),
        regions: volumes.iter().map(|v| v.lesions.regions).sum(),
        precision: ratio(&all, |v| regions(v) - wrong(v), regions),
        false_positives_per_volume: ratio(&all, wrong, |_| 1.0),
        healthy: healthy_summary(&all, &volumes),
        calibration: calibration_summary(&volumes),
        volumes,
    }
}

/// Groups volumes by patient, in the order of their first volume.
fn patients(volumes: &[VolumeScore]) -> Vec<Patient<'_>> {
    let mut groups: Vec<Patient> = Vec::new();
    let mut place = BTreeMap::new();
    for volume in volumes {
        let at = *place.entry(&volume.patient).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(volume);
    }
    groups
}

fn volumes<'a>(drawn: &'a [&Patient]) -> impl Iterator<Item = &'a VolumeScore> {
    drawn.iter().flat_map(|patient| patient.iter().copied())
}

fn spread(all: &[Patient], figure: impl Fn(&VolumeScore) -> Option<f64> + Sync) -> Option<Spread> {
    let values: Vec<f64> = all.iter().flatten().copied().filter_map(&figure).collect();
    let estimate = estimate(all, |drawn| mean(volumes(drawn).filter_map(&figure)))?;
    Some(Spread { estimate, deviation: deviation(&values), volumes: values.len() })
}

fn pooled(
    all: &[Patient],
    part: impl Fn(&VolumeScore) -> Overlap + Sync,
    figure: fn(&Overlap) -> Option<f64>,
) -> Option<Estimate> {
    estimate(all, |drawn| figure(&volumes(drawn).map(&part).sum()))
}

/// Sum of one thing over the sum of another.
fn ratio(
    all: &[Patient],
    part: impl Fn(&VolumeScore) -> f64 + Sync,
    whole: impl Fn(&VolumeScore) -> f64 + Sync,
) -> Option<Estimate> {
    estimate(all, |drawn| {
        let whole: f64 = volumes(drawn).map(&whole).sum();
        (whole > 0.0).then(|| volumes(drawn).map(&part).sum::<f64>() / whole)
    })
}

/// Sums over a patient's slices, so that drawing patients need not walk all slices again.
#[derive(Default)]
struct SliceSums {
    positive: f64,
    dsc: f64,
    iou: f64,
    negative: f64,
    touched: f64,
}

impl SliceSums {
    fn of(patient: &Patient, plane: Plane) -> Self {
        let mut sums = Self::default();
        for SliceScore { overlap, .. } in patient.iter().flat_map(|v| &v.slices).filter(|s| s.plane == plane)
        {
            if overlap.truth > 0 {
                sums.positive += 1.0;
                sums.dsc += overlap.dsc().unwrap_or_default();
                sums.iou += overlap.iou().unwrap_or_default();
            } else {
                sums.negative += 1.0;
                sums.touched += f64::from(u8::from(overlap.found > 0));
            }
        }
        sums
    }
}

fn plane_summary(all: &[Patient], plane: Plane) -> PlaneSummary {
    let groups: Vec<SliceSums> = all.iter().map(|patient| SliceSums::of(patient, plane)).collect();
    let share = |part: fn(&SliceSums) -> f64, whole: fn(&SliceSums) -> f64| {
        estimate(&groups, |drawn| {
            let whole: f64 = drawn.iter().map(|s| whole(s)).sum();
            (whole > 0.0).then(|| drawn.iter().map(|s| part(s)).sum::<f64>() / whole)
        })
    };
    PlaneSummary {
        plane,
        positive: groups.iter().map(|s| s.positive as usize).sum(),
        dsc: share(|s| s.dsc, |s| s.positive),
        iou: share(|s| s.iou, |s| s.positive),
        negative: groups.iter().map(|s| s.negative as usize).sum(),
        false_positive_rate: share(|s| s.touched, |s| s.negative),
    }
}

fn lesion_summary(all: &[Patient], kind: Option<&str>) -> LesionSummary {
    let of = |v: &VolumeScore| -> (f64, f64, Overlap) {
        let lesions = v.lesions.lesions.iter().filter(|l| kind.is_none_or(|k| l.kind == k));
        lesions.fold((0.0, 0.0, Overlap::default()), |(count, found, mut overlap), lesion| {
            overlap += lesion.overlap;
            (count + 1.0, found + f64::from(u8::from(lesion.found)), overlap)
        })
    };
    let sum =
        |part: fn((f64, f64, Overlap)) -> f64| -> f64 { all.iter().flatten().map(|v| part(of(v))).sum() };
    LesionSummary {
        lesions: sum(|(count, _, _)| count) as usize,
        found: sum(|(_, found, _)| found) as usize,
        sensitivity: ratio(all, |v| of(v).1, |v| of(v).0),
        dsc: pooled(all, |v| of(v).2, Overlap::dsc),
    }
}

fn healthy_summary(all: &[Patient], volumes: &[VolumeScore]) -> HealthySummary {
    let healthy: Vec<&VolumeScore> = volumes.iter().filter(|v| !v.is_fractured()).collect();
    let spines = || volumes.iter().filter_map(|v| v.spine.as_ref());
    let vertebrae = || spines().flat_map(|s| &s.healthy);
    let near = |v: &VolumeScore| -> f64 {
        v.spine.iter().flat_map(|s| &s.healthy).map(|h| h.false_positive_mm3).sum()
    };
    HealthySummary {
        volumes: healthy.len(),
        clean: healthy.iter().filter(|v| v.overlap.found == 0).count(),
        false_positive_mm3: ratio(
            all,
            |v| if v.is_fractured() { 0.0 } else { v.false_positive_mm3 },
            |v| f64::from(u8::from(!v.is_fractured())),
        ),
        vertebrae: vertebrae().count(),
        clean_vertebrae: vertebrae().filter(|h| h.false_positive_mm3 == 0.0).count(),
        per_vertebra_mm3: ratio(all, near, |v| v.spine.as_ref().map_or(0.0, |s| s.healthy.len() as f64)),
        near_spine_mm3: volumes.iter().map(near).sum::<f64>()
            + spines().map(|s| s.at_fractured_mm3).sum::<f64>(),
        away_mm3: spines().map(|s| s.away_mm3).sum(),
    }
}

fn calibration_summary(volumes: &[VolumeScore]) -> CalibrationSummary {
    let mut sums = Reliability::default();
    for volume in volumes {
        sums += volume.reliability;
    }
    CalibrationSummary {
        voxels: sums.voxels(),
        ece: sums.ece(),
        brier: sums.brier(),
        bins: sums.bins.to_vec(),
    }
}
