//! One source for what the plugin says of itself.

mod fake;

use fake::{Running, config, model};
use serde_json::Value;
use spinefx::dicom::web::ArchiveSettings;
use spinefx::service::manifest::{PLUGIN_JSON, embedded};
use spinefx::service::{ServeConfig, pb, sha256_hex};
use spinefx::worker::ModelInfo;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn plugin() -> Value {
    serde_json::from_str(PLUGIN_JSON).unwrap()
}

fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string(root().join("plugin-manifest/plugin.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn plugin_json_obeys_its_schema() {
    let schema = schema();
    let errors: Vec<_> =
        schema.iter_errors(&plugin()).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

type Change = fn(&mut Value);

/// A schema that lets everything pass would prove nothing.
#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema = schema();
    let changes: [(&str, Change); 8] = [
        ("no licence", |v| drop(v.as_object_mut().unwrap().remove("license"))),
        ("unknown field", |v| v["colour"] = "red".into()),
        ("another protocol", |v| v["protocol"] = "segplugin.v2".into()),
        ("short hash", |v| v["models"][0]["weights_sha256"] = "abc".into()),
        ("no default model", |v| v["models"][0]["default"] = false.into()),
        ("colour out of range", |v| v["segments"][0]["color_srgb"][0] = 256.into()),
        ("opacity out of range", |v| v["segments"][0]["opacity"] = 1.5.into()),
        ("no limit", |v| v["limits"]["voxels"] = 0.into()),
    ];
    for (name, change) in changes {
        let mut wrong = plugin();
        change(&mut wrong);
        assert!(!schema.is_valid(&wrong), "{name}");
    }
}

fn info(model: &pb::Model) -> ModelInfo {
    ModelInfo {
        name: model.name.clone(),
        version: model.version.clone(),
        description: model.description.clone(),
        architecture: model.architecture.clone(),
        plane: model.plane.clone(),
        spacing_mm: model.spacing_mm.as_slice().try_into().unwrap(),
        weights_sha256: model.weights_sha256.clone(),
    }
}

/// A server with the default limits, an archive and the very models says what the file says, field by field.
#[tokio::test]
async fn get_manifest_says_what_plugin_json_says() {
    let models = embedded().unwrap().models.iter().map(info).collect();
    let archive = ArchiveSettings { root: "http://localhost/dicom-web".into(), ..Default::default() };
    let server = Running::with_models(ServeConfig { archives: vec![archive], ..config() }, models).await;
    let answer = server.client().await.get_manifest(pb::GetManifestRequest {}).await.unwrap().into_inner();
    let said = serde_json::to_value(answer.manifest.unwrap()).unwrap();
    let (said, file) = (said.as_object().unwrap().clone(), plugin().as_object().unwrap().clone());
    assert_eq!(said.keys().collect::<Vec<_>>(), file.keys().collect::<Vec<_>>());
    for (field, value) in file {
        assert_eq!(said[&field], value, "{field}");
    }
}

/// Figures were measured with certain weights; other weights must not borrow them.
#[tokio::test]
async fn other_weights_do_not_borrow_the_figures() {
    let name = embedded().unwrap().models[0].name.clone();
    let mut limited = config();
    limited.limits.voxels = 1234;
    let server = Running::with_models(limited, vec![model(&name)]).await;
    let answer = server.client().await.get_manifest(pb::GetManifestRequest {}).await.unwrap().into_inner();
    let manifest = answer.manifest.unwrap();
    let payloads = manifest.input.unwrap().payloads;
    assert!(!payloads.contains(&"dicomweb".into()), "without an archive: {payloads:?}");
    assert_eq!(manifest.limits.unwrap().voxels, 1234, "limits are the server's own");
    assert_eq!(manifest.models[0].weights_sha256, model("any").weights_sha256);
    assert_eq!(manifest.models[0].training_data, "");
    assert!(manifest.models[0].accuracy.is_empty());
}

#[test]
fn versions_agree() {
    assert_eq!(plugin()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(plugin()["license"], env!("CARGO_PKG_LICENSE"));
}

#[test]
fn stated_weights_are_the_weights() {
    for model in embedded().unwrap().models {
        let folder = root().join("models").join(&model.name);
        let Ok(weights) = std::fs::read(folder.join("weights.safetensors")) else {
            assert!(std::env::var_os("CI").is_none(), "{} has no weights", folder.display());
            eprintln!("SKIP: {} has no weights yet", folder.display());
            continue;
        };
        let hash = sha256_hex(&weights);
        assert_eq!(model.weights_sha256, hash, "{}: plugin.json states another hash", model.name);
        let config: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
        for field in ["name", "version", "description", "plane", "spacing_mm"] {
            assert_eq!(
                serde_json::to_value(&model).unwrap()[field],
                config[field],
                "{}: {field}",
                model.name
            );
        }
    }
}

/// The names that requests use, in the file and in the protocol.
#[test]
fn outputs_and_options_are_the_protocol_s() {
    let manifest = embedded().unwrap();
    let kinds: Vec<String> = (1..)
        .map_while(|n| pb::OutputKind::try_from(n).ok())
        .map(|kind| kind.as_str_name().trim_start_matches("OUTPUT_KIND_").to_ascii_lowercase())
        .collect();
    assert_eq!(manifest.outputs.iter().map(|o| o.kind.clone()).collect::<Vec<_>>(), kinds);
    let outputs = manifest.options.iter().find(|o| o.name == "outputs").unwrap();
    assert_eq!(outputs.allowed, kinds);
    let proto = std::fs::read_to_string(root().join("proto/segplugin/v1/segmentation_plugin.proto")).unwrap();
    let fields = proto.split("message SegmentOptions {").nth(1).unwrap().split('}').next().unwrap();
    let fields: Vec<&str> = fields
        .lines()
        .filter_map(|line| line.split(" = ").next().filter(|_| line.contains(" = ")))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(manifest.options.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), fields);
}
