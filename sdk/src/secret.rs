use crate::{env::OMNIFN_SECRETS, platforms};
use omnifn_core::{Environment, Error, Result, Secret};
use std::{env, path::Path};

/// Reads a secret from where the platform keeps it.
///
/// On Google it is the environment variable `name`, into which Cloud Run resolves secrets. On Lambda it is that
/// variable too if it is set, else the secret of Secrets Manager that `OMNIFN_SECRET_<name>` names (or `name`
/// itself), through AWS's parameters-and-secrets extension. Outside a cloud it is that variable, or the file
/// `name` in the folder that `OMNIFN_SECRETS` names; a line feed at its end is cut off.
///
/// Ask for it in [`App::init`](crate::App::init), so that it is read once.
///
/// ```no_run
/// # async fn init() -> omnifn::Result<()> {
/// let url = omnifn::secret("DB_URL").await?;
/// let pool = connect(url.expose());
/// # Ok(())
/// # }
/// # fn connect(_: &str) {}
/// ```
///
/// # Errors
/// When there is no such secret or it cannot be reached: says where it was looked for.
pub async fn secret(name: &str) -> Result<Secret> {
    let names =
        ["AWS_LAMBDA_RUNTIME_API", "AWS_SESSION_TOKEN", "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"];
    let more = ["K_SERVICE", "FUNCTION_TARGET", OMNIFN_SECRETS, name];
    let reference = format!("OMNIFN_SECRET_{name}");
    let environment: Environment = names
        .into_iter()
        .chain(more)
        .chain([reference.as_str()])
        .filter_map(|name| Some((name, env::var(name).ok()?)))
        .collect();
    match platforms::detect(&environment) {
        Some(platform) => platform.secret(name, &environment).await,
        None => local(name, &environment),
    }
}

fn local(name: &str, environment: &Environment) -> Result<Secret> {
    if let Some(value) = environment.get(name) {
        return Ok(Secret::new(value));
    }
    let Some(folder) = environment.get(OMNIFN_SECRETS) else {
        return Err(Error::from(format!(
            "there is no secret `{name}`: set the environment variable of that name, or `{OMNIFN_SECRETS}` to a folder \
             with a file of that name"
        )));
    };
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(Error::from(format!("`{name}` cannot be the name of a secret's file")));
    }
    let path = Path::new(folder).join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Secret::new(text.strip_suffix('\n').unwrap_or(&text))),
        Err(error) => Err(Error::from(format!(
            "there is no secret `{name}`: the environment variable of that name is not set, and {} cannot be read: {error}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{OMNIFN_SECRETS, local};
    use omnifn_core::Environment;

    #[test]
    fn a_variable_wins_over_a_file_and_a_missing_one_says_where_it_was_looked_for() {
        let folder = std::env::temp_dir().join(format!("omnifn-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("DB_URL"), "from the file\n").unwrap();
        let folder_text = folder.display().to_string();
        let mut pairs = vec![(OMNIFN_SECRETS, folder_text.as_str())];
        let read = |name: &str, pairs: &[(&str, &str)]| {
            let environment: Environment = pairs.iter().copied().collect();
            local(name, &environment)
                .map(|secret| secret.expose().to_owned())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read("DB_URL", &pairs).unwrap(), "from the file");
        pairs.push(("DB_URL", "from the variable"));
        assert_eq!(read("DB_URL", &pairs).unwrap(), "from the variable");
        assert!(read("API_KEY", &pairs).unwrap_err().contains("cannot be read"));
        assert!(read("../DB_URL", &pairs).unwrap_err().contains("cannot be the name"));
        assert!(read("API_KEY", &[]).unwrap_err().contains("set the environment variable"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
