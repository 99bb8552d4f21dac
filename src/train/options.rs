//! What to train on and how. The defaults are the paper's where the paper states a value.

use super::adam::AdamOptions;
use super::adversarial::AdversaryOptions;
use super::augment::Augment;
use super::dataset::DataOptions;
use super::plateau::PlateauOptions;
use super::schedule::Schedule;
use crate::infer::{ModelConfig, Precision};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tch::Device;

/// What to do with an output folder that holds a run or a model already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Refuse it.
    Fresh,
    /// Go on with the run in it, or begin where there is none.
    Resume,
    /// Begin anew and lose what is there.
    Overwrite,
}

/// A run of training.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Pairs of CT and mask.
    pub data: DataOptions,
    /// Folder that receives `config.json`, `weights.safetensors`, `split.json`, `log.csv`, `curves.png`
    /// and `checkpoint.safetensors`.
    pub output: PathBuf,
    /// What to do when it holds a run.
    pub start: Start,
    /// Network, plane, spacing and window.
    pub model: ModelConfig,
    /// Weights to begin with; random ones when absent.
    pub init: Option<PathBuf>,
    /// Most epochs.
    pub epochs: usize,
    /// Slices per step.
    pub batch: usize,
    /// Forward passes that share a step, for less memory. Batch normalisation sees a pass only.
    pub accumulate: usize,
    /// Adam's constants.
    pub adam: AdamOptions,
    /// What sets the learning rate.
    pub schedule: Schedule,
    /// When the learning rate falls, when training stops.
    pub plateau: PlateauOptions,
    /// Least share of a slice that its fracture weighs in the cross-entropy; see [`loss`](super::loss).
    pub foreground_share: f64,
    /// For networks that learn against one; see [`TrainOptions::adversary`].
    pub adversary: AdversaryOptions,
    /// Most slices per epoch; all positives and as many negatives when absent.
    pub slices_per_epoch: Option<usize>,
    /// How strongly slices are changed.
    pub augment: Augment,
    /// Split, orders, crops, augmentation and initial weights.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
    /// Number format of the network's passes; weights and moments stay 32-bit floats.
    pub precision: Precision,
    /// Longest time between checkpoints inside an epoch. There is one after every epoch anyway.
    pub checkpoint_every: Duration,
}

impl TrainOptions {
    /// Everything that the weights depend on, by the name of its flag. A run goes on only with the same
    /// values. More epochs, another folder or machine make no other run.
    pub fn decisive(&self) -> BTreeMap<String, String> {
        let mut value = json!({
            "model": self.model,
            "label": self.data.labels,
            "init": self.init,
            "batch": self.batch,
            "accumulate": self.accumulate,
            "adam": self.adam,
            "plateau": self.plateau,
            "slices_per_epoch": self.slices_per_epoch,
            "augment": self.augment,
            "seed": self.seed,
            "precision": self.precision,
        });
        if let Some(adversary) = self.adversary() {
            value["adversary"] = json!(adversary);
        }
        if self.foreground_share > 0.0 {
            value["foreground_share"] = json!(self.foreground_share);
        }
        if self.schedule == Schedule::Cosine {
            // The rate of every step follows from the number of epochs.
            value["schedule"] = json!({ "kind": self.schedule, "epochs": self.epochs });
        }
        let mut flat = BTreeMap::new();
        flatten("", &value, &mut flat);
        flat
    }

    /// The adversary that the network learns against: SpineGAN's, unless its weight is 0.
    pub fn adversary(&self) -> Option<AdversaryOptions> {
        let wanted = self.model.architecture.is_adversarial() && self.adversary.weight > 0.0;
        wanted.then_some(self.adversary)
    }

    /// What the network learns from, in words: the common loss ([`loss`](super::loss)), or that and more.
    pub fn losses(&self) -> String {
        self.adversary().map_or("common".into(), |a| format!("common + {} × adversary", a.weight))
    }
}

/// `{"adam": {"beta1": 0.9}}` → `{"adam.beta1": "0.9"}`. Text compares exactly, whatever JSON's reader
/// does to the last bit of a number.
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, member, into);
            }
        }
        leaf => {
            into.insert(name.to_owned(), leaf.to_string());
        }
    }
}

/// `batch was 16, now 8`, for every value that differs.
pub fn differences(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let show = |value: Option<&String>| value.cloned().unwrap_or_else(|| "absent".to_owned());
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| format!("{name} was {}, now {}", show(before.get(name)), show(now.get(name))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_both_values() {
        let flat = |value: Value| {
            let mut flat = BTreeMap::new();
            flatten("", &value, &mut flat);
            flat
        };
        let before = flat(json!({ "batch": 16, "adam": { "beta1": 0.9, "beta2": 0.999 } }));
        let now = flat(json!({ "batch": 8, "adam": { "beta1": 0.9 }, "seed": 1 }));
        let expected = ["adam.beta2 was 0.999, now absent", "batch was 16, now 8", "seed was absent, now 1"];
        assert_eq!(differences(&before, &now), expected);
        assert!(differences(&now, &now).is_empty());
    }
}
