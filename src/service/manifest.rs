//! What the plugin says of itself: `plugin-manifest/plugin.json`, read once, with the limits, models and
//! payloads of the running server put in.

use super::config::ServeConfig;
use super::pb;
use crate::worker::ModelInfo;

/// `plugin-manifest/plugin.json`, as built in.
pub const PLUGIN_JSON: &str = include_str!("../../plugin-manifest/plugin.json");

/// The manifest as built in. The messages are generated with `deny_unknown_fields`, so the file and the
/// protocol cannot disagree.
pub fn embedded() -> Result<pb::Manifest, serde_json::Error> {
    serde_json::from_str(PLUGIN_JSON)
}

/// The manifest of a server: as built in, but with its own limits and models.
pub fn of_server(config: &ServeConfig, models: &[ModelInfo]) -> Result<pb::Manifest, serde_json::Error> {
    let mut manifest = embedded()?;
    manifest.limits = Some(limits(config));
    if config.archives.is_empty() {
        manifest.input.iter_mut().for_each(|input| input.payloads.retain(|payload| payload != "dicomweb"));
    }
    let known = std::mem::take(&mut manifest.models);
    manifest.models = models.iter().enumerate().map(|(n, info)| model(info, n == 0, &known)).collect();
    Ok(manifest)
}

fn limits(config: &ServeConfig) -> pb::Limits {
    pb::Limits {
        message_bytes: config.limits.message_bytes,
        upload_bytes: config.limits.upload_bytes,
        voxels: config.limits.voxels,
        instances: config.limits.instances,
        concurrent_requests: config.workers,
        queue_length: config.queue_length,
        deadline_s: config.deadline_s,
        upload_idle_s: config.upload_idle_s,
    }
}

/// What is known of a model. Statements about training and accuracy hold for the very weights they were
/// made about, so they are repeated only where the hash agrees.
fn model(info: &ModelInfo, default: bool, known: &[pb::Model]) -> pb::Model {
    let stated = known.iter().find(|m| m.weights_sha256 == info.weights_sha256 && m.name == info.name);
    pb::Model {
        name: info.name.clone(),
        version: info.version.clone(),
        description: info.description.clone(),
        default,
        architecture: info.architecture.clone(),
        plane: info.plane.clone(),
        spacing_mm: info.spacing_mm.to_vec(),
        weights_sha256: info.weights_sha256.clone(),
        training_data: stated.map(|m| m.training_data.clone()).unwrap_or_default(),
        accuracy: stated.map(|m| m.accuracy.clone()).unwrap_or_default(),
    }
}
