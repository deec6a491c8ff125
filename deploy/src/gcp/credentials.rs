//! Who asks: application default credentials, as Google's own clients have them, and what is said when there are none.

use crate::{Error, Result};
use google_cloud_auth::credentials::{
    Builder, CacheableResource, Credentials, idtoken, impersonated,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use std::{env, fmt, path::PathBuf, time::Duration};

const PROVIDER: &str = "gcp";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The file that application default credentials are read from.
const FILE_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// The metadata server answers at once or not at all.
const METADATA_TIME: Duration = Duration::from_millis(1_800);
/// Where there is a file, a token may have to be fetched from far away.
const TOKEN_TIME: Duration = Duration::from_secs(20);

/// Whose credentials are used.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum GcpCredentials {
    /// Application default credentials: the file that `GOOGLE_APPLICATION_CREDENTIALS` names (a service account's key, an external
    /// account such as GitHub's, an impersonated one), gcloud's own file, the metadata server.
    #[default]
    Default,
    /// An access token that somebody else fetched; it is not renewed.
    Token(String),
    /// None: for a control plane on this machine.
    Anonymous,
}

/// Without the token.
impl fmt::Debug for GcpCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "Default",
            Self::Token(_) => "Token",
            Self::Anonymous => "Anonymous",
        })
    }
}

/// What proves who asks.
#[derive(Debug)]
pub(super) struct Access {
    kind: GcpCredentials,
    impersonate: Option<String>,
    /// Of [`GcpCredentials::Default`]; made when it is first needed, since that may fail.
    credentials: tokio::sync::OnceCell<Credentials>,
}

impl Access {
    pub(super) fn new(kind: GcpCredentials, impersonate: Option<String>) -> Self {
        Self { kind, impersonate, credentials: tokio::sync::OnceCell::new() }
    }

    /// As whom, if that can be told without asking anybody.
    pub(super) fn principal(&self) -> Option<String> {
        if self.impersonate.is_some() {
            return self.impersonate.clone();
        }
        match self.kind {
            GcpCredentials::Default => Some(file()?.get("client_email")?.as_str()?.to_owned()),
            _ => None,
        }
    }

    /// The headers of a call; none when nobody is to be asked.
    pub(super) async fn headers(&self) -> Result<HeaderMap> {
        match &self.kind {
            GcpCredentials::Anonymous => Ok(HeaderMap::new()),
            GcpCredentials::Token(token) => {
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, bearer(token)?);
                Ok(headers)
            }
            GcpCredentials::Default => {
                let time = if file_path().is_some() { TOKEN_TIME } else { METADATA_TIME };
                let headers = async {
                    let credentials = self.credentials().await?;
                    let headers = credentials.headers(Extensions::new()).await;
                    headers.map_err(|error| refused(Some(Box::new(error))))
                };
                match tokio::time::timeout(time, headers).await {
                    Ok(Ok(CacheableResource::New { data, .. })) => Ok(data),
                    Ok(Ok(CacheableResource::NotModified)) | Err(_) => Err(refused(None)),
                    Ok(Err(error)) => Err(error),
                }
            }
        }
    }

    async fn credentials(&self) -> Result<&Credentials> {
        let make = || async {
            let refuse = |error| refused(Some(Box::new(error)));
            let own = Builder::default().with_scopes([SCOPE]).build().map_err(refuse)?;
            let Some(principal) = &self.impersonate else { return Ok(own) };
            impersonated::Builder::from_source_credentials(own)
                .with_target_principal(principal)
                .with_scopes([SCOPE])
                .build()
                .map_err(refuse)
        };
        self.credentials.get_or_try_init(make).await
    }

    /// A token that proves to a service of `audience` who calls it. External accounts have none of their own.
    pub(super) async fn identity_token(&self, audience: &str) -> Result<HeaderValue> {
        let is_local = audience.starts_with("http://");
        let token = match &self.kind {
            // On this machine nobody checks it.
            _ if is_local => "local".to_owned(),
            GcpCredentials::Default => {
                let credentials = self.identity_credentials(audience)?;
                let token = tokio::time::timeout(TOKEN_TIME, credentials.id_token()).await;
                token
                    .map_err(|_| no_identity_token(None))?
                    .map_err(|error| no_identity_token(Some(Box::new(error))))?
            }
            _ => return Err(no_identity_token(None)),
        };
        bearer(&token)
    }

    fn identity_credentials(&self, audience: &str) -> Result<idtoken::IDTokenCredentials> {
        let file = file();
        let kind = file.as_ref().and_then(|file| file.get("type")).and_then(Value::as_str);
        let built = match (&self.impersonate, kind) {
            (Some(principal), _) => {
                let own = Builder::default()
                    .with_scopes([SCOPE])
                    .build()
                    .map_err(|error| refused(Some(Box::new(error))))?;
                idtoken::impersonated::Builder::from_source_credentials(audience, principal, own)
                    .build()
            }
            // Google takes a user's token whatever its audience is.
            (None, Some("authorized_user")) => {
                idtoken::user_account::Builder::new(file.unwrap_or_default()).build()
            }
            (None, _) => idtoken::Builder::new(audience).build(),
        };
        built.map_err(|error| no_identity_token(Some(Box::new(error))))
    }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    let value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::Credentials {
        provider: PROVIDER,
        message: "the token holds characters that no header takes".to_owned(),
        source: None,
    });
    value.map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

fn file_path() -> Option<PathBuf> {
    if let Some(path) = env::var_os(FILE_VARIABLE) {
        return Some(path.into());
    }
    well_known().filter(|path| path.exists())
}

/// `gcloud auth application-default login` writes it.
fn well_known() -> Option<PathBuf> {
    const NAME: &str = "gcloud/application_default_credentials.json";
    let folder = if cfg!(windows) {
        PathBuf::from(env::var_os("APPDATA")?)
    } else {
        PathBuf::from(env::var_os("HOME")?).join(".config")
    };
    Some(folder.join(NAME))
}

fn file() -> Option<Value> {
    serde_json::from_slice(&std::fs::read(file_path()?).ok()?).ok()
}

/// Says where was looked.
fn refused(source: Option<crate::Source>) -> Error {
    let named = if let Ok(path) = env::var(FILE_VARIABLE) {
        format!("`{FILE_VARIABLE}` names `{path}`")
    } else {
        let own = match well_known() {
            Some(path) if path.exists() => format!("`{}` is there", path.display()),
            Some(path) => format!("`{}` is not there", path.display()),
            None => "there is no home directory with gcloud's file".to_owned(),
        };
        let server =
            if file_path().is_some() { "" } else { ", the metadata server does not answer" };
        format!("`{FILE_VARIABLE}` is not set, {own}{server}")
    };
    Error::Credentials {
        provider: PROVIDER,
        message: format!(
            "{named}: run `gcloud auth application-default login`, or set `{FILE_VARIABLE}` to a file of credentials"
        ),
        source,
    }
}

fn no_identity_token(source: Option<crate::Source>) -> Error {
    Error::Credentials {
        provider: PROVIDER,
        message: "these credentials have no identity token, which a service that is not public asks for: impersonate a service account that may invoke it, or use a service account's key"
            .to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, GcpCredentials};

    #[tokio::test]
    async fn a_token_is_sent_and_never_shown() {
        let access = Access::new(GcpCredentials::Token("hunter2".to_owned()), None);
        let headers = access.headers().await.unwrap();
        assert_eq!(headers["authorization"], "Bearer hunter2");
        assert!(!format!("{access:?} {headers:?}").contains("hunter2"));
        let error = access.identity_token("https://f.run.app").await.unwrap_err();
        assert!(error.to_string().contains("impersonate a service account"), "{error}");
        let broken = Access::new(GcpCredentials::Token("a\nb".to_owned()), None);
        assert!(!broken.headers().await.unwrap_err().to_string().contains("a\nb"));
    }

    #[tokio::test]
    async fn nobody_is_asked_on_this_machine() {
        let access = Access::new(GcpCredentials::Anonymous, None);
        assert!(access.headers().await.unwrap().is_empty());
        assert_eq!(access.identity_token("http://127.0.0.1:1").await.unwrap(), "Bearer local");
    }
}
