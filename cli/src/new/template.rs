//! The templates, which are part of this program: nothing is fetched.

use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// What a new function is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// HTTP requests
    #[default]
    Http,
    /// Messages of a queue or a topic
    Queue,
    /// A schedule
    Timer,
    /// Objects in a bucket
    Storage,
    /// Documents in a database
    Database,
    /// Other events, as CloudEvents
    Event,
    /// Calls with a payload
    Direct,
    /// HTTP requests through an axum router
    Axum,
}

impl Template {
    /// `src/main.rs`.
    pub(super) fn main(self) -> &'static str {
        match self {
            Self::Http => include_str!("../../templates/http.rs"),
            Self::Queue => include_str!("../../templates/queue.rs"),
            Self::Timer => include_str!("../../templates/timer.rs"),
            Self::Storage => include_str!("../../templates/storage.rs"),
            Self::Database => include_str!("../../templates/database.rs"),
            Self::Event => include_str!("../../templates/event.rs"),
            Self::Direct => include_str!("../../templates/direct.rs"),
            Self::Axum => include_str!("../../templates/axum.rs"),
        }
    }

    /// The trigger in `[package.metadata.omnifn.triggers]`.
    pub(super) fn trigger(self) -> &'static str {
        match self {
            Self::Http | Self::Axum => "web = { type = \"http\", auth = \"none\" }",
            Self::Queue => {
                "orders = { type = \"queue\", queue = \"orders-{stage}\", batch-size = 10 }"
            }
            Self::Timer => "nightly = { type = \"timer\", schedule = \"0 3 * * *\" }",
            Self::Storage => "photos = { type = \"storage\", bucket = \"photos-{stage}\" }",
            // A stream's ARN is known once the table is there.
            Self::Database => {
                "orders = { type = \"database\", document = \"orders/{order}\", stream = \"arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000\" }"
            }
            Self::Event => {
                "shipped = { type = \"event\", pattern = { detail-type = [\"order.shipped\"] }, filters = { type = \"order.shipped\" } }"
            }
            Self::Direct => "call = { type = \"direct\" }",
        }
    }

    /// Features of `omnifn` that it needs.
    pub(super) fn features(self) -> &'static [&'static str] {
        if self == Self::Axum { &["tower"] } else { &[] }
    }

    /// What else it depends on.
    pub(super) fn dependencies(self) -> &'static str {
        const SERDE: &str = "serde = { version = \"1\", features = [\"derive\"] }\n";
        match self {
            Self::Http | Self::Queue | Self::Direct => SERDE,
            Self::Axum => concat!(
                "axum = { version = \"0.8\", default-features = false, features = [\"json\"] }\n",
                "serde = { version = \"1\", features = [\"derive\"] }\n"
            ),
            _ => "",
        }
    }
}

/// Where `omnifn` comes from.
pub(super) enum Source {
    /// The checkout that this program was built from.
    Checkout(PathBuf),
    /// A registry.
    Version(&'static str),
}

impl Source {
    pub(super) fn find() -> Self {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        match checkout.canonicalize() {
            Ok(checkout) if checkout.join("sdk").join("Cargo.toml").is_file() => {
                Self::Checkout(checkout)
            }
            _ => Self::Version(env!("CARGO_PKG_VERSION")),
        }
    }

    /// The dependency, with these features.
    pub(super) fn dependency(&self, features: &[&str]) -> String {
        let place = match self {
            Self::Checkout(checkout) => {
                format!("path = {:?}", checkout.join("sdk").display().to_string())
            }
            Self::Version(version) => format!("version = {version:?}"),
        };
        if features.is_empty() {
            format!("omnifn = {{ {place} }}\n")
        } else {
            format!("omnifn = {{ {place}, features = {features:?} }}\n")
        }
    }

    /// The versions that the checkout was tested with, and that are on this machine therefore.
    pub(super) fn lock(&self) -> Option<PathBuf> {
        match self {
            Self::Checkout(checkout) => {
                Some(checkout.join("Cargo.lock")).filter(|lock| lock.is_file())
            }
            Self::Version(_) => None,
        }
    }
}
