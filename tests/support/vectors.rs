//! Signers for the requests of the vector files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

#[allow(unused_imports, reason = "a bench uses one of them")]
pub(crate) use super::vector_files::{body, config_yaml, lines, path};
use super::{Scratch, Signer, Transport};

/// Lines by the `config.yaml` of their network: a signer serves one of them.
pub(crate) fn by_config(lines: Vec<Value>) -> BTreeMap<String, Vec<Value>> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in lines {
        groups
            .entry(config_yaml(&line["config"]))
            .or_default()
            .push(line);
    }
    groups
}

/// A running signer with this network and the secret keys of these lines.
pub(crate) fn signer(
    name: &str,
    transport: Transport,
    config: &str,
    lines: &[Value],
) -> (Scratch, Signer) {
    let scratch = Scratch::new(name);
    let secrets: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line["secret_key"].as_str())
        .collect();
    let documents: Vec<String> = secrets
        .iter()
        .map(|secret| format!("type: file-raw\nkeyType: BLS\nprivateKey: \"{secret}\"\n"))
        .collect();
    scratch.write("keys/keys.yaml", documents.join("---\n"));
    let (config, keys) = (
        scratch.write("config.yaml", config),
        scratch.path().join("keys"),
    );
    let keys = keys.to_str().expect("a plain path");
    let signer = Signer::start_over(
        transport,
        &["--network", &config, "--key-config-path", keys],
    );
    signer.wait_loaded();
    (scratch, signer)
}
