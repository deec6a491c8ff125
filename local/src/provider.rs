use std::{fmt, str::FromStr};

/// A cloud whose manners a function can be run with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// AWS Lambda.
    Aws,
    /// Google Cloud Run functions.
    Gcp,
}

impl Provider {
    /// Every provider, in the order in which answers are shown.
    pub const ALL: [Self; 2] = [Self::Aws, Self::Gcp];

    /// The name on the command line: `aws`, `gcp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or_else(|| format!("no provider is called `{name}`: there are aws and gcp"))
    }
}
