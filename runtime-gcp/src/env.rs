//! Every variable and every flag that is read.
//!
//! Code wins over flags, and flags over variables, as the Functions Framework contract has it
//! (github.com/GoogleCloudPlatform/functions-framework). A flag is written `--port 9000` or `--port=9000`; arguments
//! that are none of these flags are the function's own.

use omnifn_core::{App, Choice, Environment, Error, Host, Result, Trigger};
use std::{net::IpAddr, str::FromStr, time::Duration};

/// The port to listen on, from 1 to 65535; 8080 unless set. Set by Cloud Run.
pub const PORT: &str = "PORT";
/// The address to listen on; all of IPv4 (`0.0.0.0`) in a container that sets any of this page's variables, else the
/// loopback interface (`127.0.0.1`).
pub const HOST: &str = "HOST";
/// The service's name. Its presence says that this is Google Cloud Run (or Knative).
pub const K_SERVICE: &str = "K_SERVICE";
/// The revision's name: what a context has as its version.
pub const K_REVISION: &str = "K_REVISION";
/// The function to run, where it names one. Set by Google's builds and by our deployer.
pub const FUNCTION_TARGET: &str = "FUNCTION_TARGET";
/// `http`, `cloudevent` or `event`. The function's own type decides; a value that contradicts it is warned about.
pub const FUNCTION_SIGNATURE_TYPE: &str = "FUNCTION_SIGNATURE_TYPE";
/// How long a request may take, in whole seconds from 1; 300 unless set, as Cloud Run itself has it.
pub const CLOUD_RUN_TIMEOUT_SECONDS: &str = "CLOUD_RUN_TIMEOUT_SECONDS";
/// The function to run, of a binary that has several. Wins over [`FUNCTION_TARGET`], and must name one.
pub const OMNIFN_FUNCTION: &str = "OMNIFN_FUNCTION";
/// The most requests at once before the server answers 429; 1,000 unless set here or by `App::concurrency`, which
/// wins.
pub const OMNIFN_CONCURRENCY: &str = "OMNIFN_CONCURRENCY";

/// The flag for [`PORT`].
pub const PORT_FLAG: &str = "--port";
/// The flag for [`OMNIFN_FUNCTION`]: must name a function.
pub const TARGET_FLAG: &str = "--target";
/// The flag for [`FUNCTION_SIGNATURE_TYPE`].
pub const SIGNATURE_TYPE_FLAG: &str = "--signature-type";

/// Cloud Run's OpenTelemetry `cloud.platform` name.
pub(crate) const PLATFORM: &str = "gcp_cloud_run";

const DEFAULT_PORT: u16 = 8080;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
/// The most that Cloud Run sends one instance (cloud.google.com/run/docs/about-concurrency).
const DEFAULT_CONCURRENCY: usize = 1000;

/// Whether somebody wants this kind of server: Google, or whoever starts the container.
pub(crate) fn is_wanted(environment: &Environment) -> bool {
    [K_SERVICE, FUNCTION_TARGET, FUNCTION_SIGNATURE_TYPE, PORT]
        .iter()
        .any(|name| environment.get(name).is_some())
}

/// What the environment and the command line say, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) choice: Choice,
    pub(crate) concurrency: usize,
    pub(crate) timeout: Duration,
    pub(crate) version: String,
    /// [`PLATFORM`], or `local` outside a cloud.
    pub(crate) platform: &'static str,
}

impl Settings {
    pub(crate) fn read(app: &App, host: &Host) -> Result<Self> {
        let environment = &host.environment;
        let is_cloud = environment.get(K_SERVICE).is_some();
        let choice = choose(app, host)?;
        if let Some(signature) = signature_type(host)? {
            warn_of_contradiction(app, &choice, signature);
        }
        if let (Choice::Any, true) = (&choice, is_cloud) {
            return Err(Error::from(format!(
                "this binary has the functions {}: set `{OMNIFN_FUNCTION}` or `{FUNCTION_TARGET}` to one of them",
                app.names().join(", "),
            )));
        }
        let seconds = environment.parse::<std::num::NonZeroU32>(
            CLOUD_RUN_TIMEOUT_SECONDS,
            "a whole number of seconds, such as 300",
        )?;
        let concurrency =
            environment.parse::<std::num::NonZeroUsize>(OMNIFN_CONCURRENCY, "a number from 1")?;
        let fallback = if is_wanted(environment) { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
        Ok(Self {
            address: environment
                .parse(HOST, "an IP address such as 0.0.0.0")?
                .unwrap_or(IpAddr::from(fallback)),
            port: port(host)?,
            choice,
            concurrency: app
                .settings()
                .concurrency
                .or(concurrency.map(Into::into))
                .unwrap_or(DEFAULT_CONCURRENCY),
            timeout: seconds
                .map_or(DEFAULT_TIMEOUT, |seconds| Duration::from_secs(seconds.get().into())),
            version: environment.get(K_REVISION).unwrap_or_default().to_owned(),
            platform: if is_cloud { PLATFORM } else { "local" },
        })
    }
}

fn choose(app: &App, host: &Host) -> Result<Choice> {
    let hint = host.environment.get(FUNCTION_TARGET);
    let named = match flag(&host.arguments, TARGET_FLAG)? {
        Some(target) => Some(target),
        None => host.environment.get(OMNIFN_FUNCTION),
    };
    let choice = app.choose(named, hint)?;
    if let (Choice::Any, Some(target)) = (&choice, hint) {
        let there_are = app.names().join(", ");
        tracing::warn!("`{FUNCTION_TARGET}` is `{target}`, but there are {there_are}");
    }
    Ok(choice)
}

fn port(host: &Host) -> Result<u16> {
    const EXPECTED: &str = "a port number from 1 to 65535";
    let port = match flag(&host.arguments, PORT_FLAG)? {
        Some(value) => Some(parse_flag(PORT_FLAG, value, EXPECTED)?),
        None => host.environment.parse::<std::num::NonZeroU16>(PORT, EXPECTED)?,
    };
    Ok(port.map_or(DEFAULT_PORT, Into::into))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureType {
    Http,
    CloudEvent,
    Event,
}

impl FromStr for SignatureType {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "http" => Ok(Self::Http),
            "cloudevent" => Ok(Self::CloudEvent),
            "event" => Ok(Self::Event),
            _ => Err(()),
        }
    }
}

fn signature_type(host: &Host) -> Result<Option<SignatureType>> {
    const EXPECTED: &str = "one of `http`, `cloudevent`, `event`";
    match flag(&host.arguments, SIGNATURE_TYPE_FLAG)? {
        Some(value) => parse_flag(SIGNATURE_TYPE_FLAG, value, EXPECTED).map(Some),
        None => host.environment.parse(FUNCTION_SIGNATURE_TYPE, EXPECTED),
    }
}

fn warn_of_contradiction(app: &App, choice: &Choice, signature: SignatureType) {
    let Choice::One(name) = choice else { return };
    let manifest = app.manifest();
    let function = manifest.functions.iter().find(|function| function.name == **name);
    let Some(trigger) = function.map(|function| function.trigger) else { return };
    if contradicts(trigger, signature) {
        tracing::warn!(
            "`{FUNCTION_SIGNATURE_TYPE}` is {signature:?}, but `{name}` handles {trigger} events, which counts"
        );
    }
}

/// Messages come as CloudEvents from Eventarc and as plain requests from a push subscription; jobs and calls come as
/// plain requests only.
fn contradicts(trigger: Trigger, signature: SignatureType) -> bool {
    match trigger {
        Trigger::Queue => false,
        Trigger::Event => signature == SignatureType::Http,
        _ => signature != SignatureType::Http,
    }
}

/// The value of a flag; the last one counts.
fn flag<'a>(arguments: &'a [String], name: &str) -> Result<Option<&'a str>> {
    let mut found = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(name) {
            Some("") => match arguments.next() {
                Some(value) => found = Some(value.as_str()),
                None => return Err(Error::from(format!("`{name}` needs a value"))),
            },
            Some(rest) => found = rest.strip_prefix('=').or(found),
            None => {}
        }
    }
    Ok(found)
}

fn parse_flag<T: FromStr>(name: &str, value: &str, expected: &str) -> Result<T> {
    value.parse().map_err(|_| Error::from(format!("`{name}` is `{value}`, but must be {expected}")))
}

#[cfg(test)]
mod tests {
    use super::{Settings, SignatureType, contradicts};
    use omnifn_core::{App, Choice, Context, Host, Request, Result, Trigger};
    use std::time::Duration;

    fn app(names: &[&'static str]) -> App {
        names.iter().fold(App::new(), |app, name| {
            app.function(*name, async |_: Request, _: Context| "hello")
        })
    }

    fn read(app: &App, variables: &[(&str, &str)], arguments: &[&str]) -> Result<Settings> {
        let mut host = Host::new(variables.iter().copied().collect());
        host.arguments = arguments.iter().map(ToString::to_string).collect();
        Settings::read(app, &host)
    }

    #[track_caller]
    fn refused(variables: &[(&str, &str)], arguments: &[&str], message: &str) {
        let error = read(&app(&["a", "b"]), variables, arguments).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_wrong_value_is_named_with_what_would_be_right() {
        const PORT: &str = "but must be a port number from 1 to 65535";
        for port in ["abc", "0", "65536", "-1", "80a"] {
            refused(&[("PORT", port)], &[], &format!("`PORT` is `{port}`, {PORT}"));
            refused(&[], &["--port", port], &format!("`--port` is `{port}`, {PORT}"));
        }
        refused(&[], &["--port"], "`--port` needs a value");
        refused(
            &[("FUNCTION_SIGNATURE_TYPE", "typed")],
            &[],
            "`FUNCTION_SIGNATURE_TYPE` is `typed`, but must be one of `http`, `cloudevent`, `event`",
        );
        refused(
            &[],
            &["--signature-type=HTTP"],
            "`--signature-type` is `HTTP`, but must be one of `http`, `cloudevent`, `event`",
        );
        refused(
            &[("CLOUD_RUN_TIMEOUT_SECONDS", "0")],
            &[],
            "`CLOUD_RUN_TIMEOUT_SECONDS` is `0`, but must be a whole number of seconds, such as 300",
        );
        refused(
            &[("CLOUD_RUN_TIMEOUT_SECONDS", "18446744073709551615")],
            &[],
            "`CLOUD_RUN_TIMEOUT_SECONDS` is `18446744073709551615`, but must be a whole number of seconds, such as 300",
        );
        refused(
            &[("OMNIFN_CONCURRENCY", "0")],
            &[],
            "`OMNIFN_CONCURRENCY` is `0`, but must be a number from 1",
        );
        refused(
            &[("HOST", "laptop")],
            &[],
            "`HOST` is `laptop`, but must be an IP address such as 0.0.0.0",
        );
        refused(&[("OMNIFN_FUNCTION", "c")], &[], "there is no function `c`; there are `a`, `b`");
        refused(&[], &["--target", "c"], "there is no function `c`; there are `a`, `b`");
        refused(
            &[("K_SERVICE", "shop"), ("FUNCTION_TARGET", "c")],
            &[],
            "this binary has the functions `a`, `b`: set `OMNIFN_FUNCTION` or `FUNCTION_TARGET` to one of them",
        );
    }

    #[test]
    fn code_wins_over_flags_and_flags_over_variables() {
        let variables = [
            ("PORT", "1"),
            ("K_SERVICE", "shop"),
            ("K_REVISION", "shop-00001"),
            ("FUNCTION_TARGET", "a"),
            ("OMNIFN_CONCURRENCY", "7"),
            ("CLOUD_RUN_TIMEOUT_SECONDS", "60"),
            ("FUNCTION_SIGNATURE_TYPE", ""),
        ];
        let app = app(&["a", "b"]);
        let settings = read(&app, &variables, &[]).unwrap();
        assert_eq!((settings.port, settings.concurrency), (1, 7));
        assert_eq!(settings.choice, Choice::One("a".into()));
        assert_eq!(settings.timeout, Duration::from_secs(60));
        assert_eq!((settings.platform, &*settings.version), ("gcp_cloud_run", "shop-00001"));
        assert_eq!(settings.address.to_string(), "0.0.0.0");

        let arguments = ["--port=2", "-v", "--port", "3", "--portly=4", "--target=b"];
        let settings = read(&app.concurrency(9), &variables, &arguments).unwrap();
        assert_eq!((settings.port, settings.concurrency), (3, 9));
        assert_eq!(settings.choice, Choice::One("b".into()));
    }

    #[test]
    fn without_any_of_it_all_functions_are_served_on_the_loopback_interface() {
        let settings = read(&app(&["a", "b"]), &[], &[]).unwrap();
        assert_eq!((settings.port, settings.concurrency), (8080, 1000));
        assert_eq!(settings.address.to_string(), "127.0.0.1");
        assert_eq!((settings.choice, settings.platform), (Choice::Any, "local"));
        assert_eq!(settings.timeout, Duration::from_secs(300));
        let settings = read(&app(&["a"]), &[("HOST", "::1"), ("PORT", "81")], &[]).unwrap();
        assert_eq!((settings.address.to_string().as_str(), settings.port), ("::1", 81));
    }

    #[test]
    fn a_signature_type_may_contradict_the_function() {
        use SignatureType::{CloudEvent, Event, Http};
        for (trigger, contradictions) in [
            (Trigger::Http, &[CloudEvent, Event][..]),
            (Trigger::Direct, &[CloudEvent, Event]),
            (Trigger::Timer, &[CloudEvent, Event]),
            (Trigger::Event, &[Http]),
            (Trigger::Queue, &[]),
        ] {
            for signature in [Http, CloudEvent, Event] {
                let expected = contradictions.contains(&signature);
                assert_eq!(contradicts(trigger, signature), expected, "{trigger} {signature:?}");
            }
        }
    }
}
