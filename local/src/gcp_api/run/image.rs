//! Images: out of the registry beside this, unpacked, and their program checked.

use super::{
    deploy::Broken,
    source::{blocking, check, command, open, outside, relative, unpack, within},
};
use crate::gcp_api::{Cloud, registry};
use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Puts the image's files into `directory`, and tells what is run.
pub(super) async fn import(
    cloud: &Cloud,
    container: &Value,
    directory: PathBuf,
) -> Result<Value, Broken> {
    let image = container["image"].as_str().unwrap_or_default();
    let missing = || Broken::new("CONTAINER_MISSING", format!("Image '{image}' not found."));
    let damaged = |why: &str| {
        Broken::new("CONTAINER_MISSING", format!("Image '{image}' cannot be used: {why}."))
    };
    let manifest = registry::resolve(cloud, image).ok_or_else(missing)?;
    let digest = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str()?.strip_prefix("sha256:")?;
        registry::is_digest(digest).then(|| cloud.blobs.path(digest))
    };
    let config = digest(&manifest["config"])
        .ok_or_else(|| damaged("its manifest names no configuration"))?;
    let config: Value = std::fs::read(&config)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| damaged("its configuration is not there, or is no JSON"))?;
    if config["architecture"] != "amd64" || config["os"] != "linux" {
        return Err(damaged("Cloud Run runs linux/amd64 only"));
    }
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let layers: Vec<PathBuf> = layers
        .map(digest)
        .collect::<Option<_>>()
        .ok_or_else(|| damaged("a layer has no digest"))?;
    let words = words(container, &config["config"]);
    let Some((program, arguments)) = words.split_first() else {
        return Err(damaged("neither it nor the container has a command"));
    };
    let (program, arguments) = (program.clone(), arguments.to_vec());
    let working = container["workingDir"].as_str().or(config["config"]["WorkingDir"].as_str());
    let working = relative(Path::new(working.unwrap_or_default().trim_start_matches('/')));
    let working =
        directory.join(working.ok_or_else(|| damaged("its working directory leads out of it"))?);
    let environment = environment(&config["config"]["Env"]);
    let name = image.to_owned();
    blocking(move || {
        for layer in layers {
            let unpacked = open(&layer).and_then(|file| unpack(GzDecoder::new(file), &directory));
            unpacked.map_err(|why| {
                Broken::new("CONTAINER_MISSING", format!("Image '{name}' could not be unpacked: {why}."))
            })?;
        }
        std::fs::create_dir_all(&working).ok();
        let path = within(&directory, &working, &program).ok_or_else(|| outside(&program))?;
        check(&path, &program)?;
        Ok(json!({"path": path, "arguments": arguments, "directory": working, "environment": environment}))
    })
    .await
}

/// What is run: the container's command takes the place of the image's entry point, its arguments that of the image's
/// (kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container).
fn words(container: &Value, config: &Value) -> Vec<String> {
    let own = command(container);
    if container["command"].as_array().is_some_and(|command| !command.is_empty()) {
        return own;
    }
    let of = |field: &str| {
        let words = config[field].as_array().into_iter().flatten();
        words.filter_map(|word| Some(word.as_str()?.to_owned())).collect::<Vec<_>>()
    };
    let arguments = if own.is_empty() { of("Cmd") } else { own };
    [of("Entrypoint"), arguments].concat()
}

fn environment(variables: &Value) -> Value {
    let variables = variables.as_array().into_iter().flatten();
    let pairs = variables.filter_map(|pair| pair.as_str()?.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::words;
    use serde_json::json;

    #[test]
    fn a_command_takes_the_place_of_the_images() {
        let config = json!({"Entrypoint": ["/run"], "Cmd": ["a"]});
        assert_eq!(words(&json!({}), &config), ["/run", "a"]);
        assert_eq!(words(&json!({"args": ["b"]}), &config), ["/run", "b"]);
        assert_eq!(words(&json!({"command": ["/other"]}), &config), ["/other"]);
    }
}
