//! Every variable that the command line itself reads; what the clouds' own libraries read stands in their documentation.

/// A value of the configuration: `OMNIFN_CONFIG__FUNCTIONS__SHIP__MEMORY=512MiB`. `__` steps into a table; names are compared
/// without case, `-` and `_` alike. Wins over files, and `--set` over it.
pub(crate) const OMNIFN_CONFIG: &str = "OMNIFN_CONFIG__";
/// The cargo to call. Set by cargo for its subcommands.
pub(crate) const CARGO: &str = "CARGO";
/// The compiler whose version `doctor` asks for.
pub(crate) const RUSTC: &str = "RUSTC";
/// Where `cargo-zigbuild` and `cross` are looked for.
pub(crate) const PATH: &str = "PATH";
/// `always` or `never`: colours, where `--color` says nothing.
pub(crate) const CARGO_TERM_COLOR: &str = "CARGO_TERM_COLOR";
/// The region that a function started by `dev` and `invoke` is told, as it is on Lambda; and where `deploy` goes unless the
/// configuration says otherwise.
pub(crate) const AWS_REGION: &str = "AWS_REGION";
/// The profile of AWS's credentials; `default` unless set.
pub(crate) const AWS_PROFILE: &str = "AWS_PROFILE";
/// AWS credentials, together with `AWS_SECRET_ACCESS_KEY`.
pub(crate) const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// AWS credentials, together with `AWS_ACCESS_KEY_ID`.
pub(crate) const AWS_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// AWS credentials by a token of an identity provider, such as a CI service's.
pub(crate) const AWS_WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// AWS credentials in a container.
pub(crate) const AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: &str =
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// AWS credentials in a container.
pub(crate) const AWS_CONTAINER_CREDENTIALS_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// The file of AWS's credentials; `~/.aws/credentials` unless set.
pub(crate) const AWS_SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// The file of AWS's profiles; `~/.aws/config` unless set.
pub(crate) const AWS_CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// A file with Google credentials of any kind: a service account's key, a user's, workload identity federation.
pub(crate) const GOOGLE_APPLICATION_CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// The folder of gcloud's configuration; `~/.config/gcloud` unless set.
pub(crate) const CLOUDSDK_CONFIG: &str = "CLOUDSDK_CONFIG";
