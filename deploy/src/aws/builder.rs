use super::{Aws, api::Clients};
use crate::{Error, Result, retry::Budget};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_lambda::config::Credentials;
use std::{num::NonZeroU32, time::Duration};

/// Where and as whom. What is not set is found as AWS's own tools find it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    region: Option<String>,
    profile: Option<String>,
    endpoint: Option<String>,
    credentials: Option<Credentials>,
    budget: Option<Budget>,
    tries: Option<NonZeroU32>,
}

/// How often the SDK tries a call that was throttled or failed on the way.
const TRIES: u32 = 6;
/// How long one call may take with all its tries. An archive of 50 MB on a slow line is the longest.
const LONGEST_CALL: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(5);

impl Builder {
    /// The region: `eu-west-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The profile of `~/.aws/config`.
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Another endpoint for all services, such as a local cloud's: `http://127.0.0.1:4566`. Pauses between tries are short then.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// A key and its secret, instead of those that AWS's own tools would find; for a local cloud, which takes any.
    pub fn credentials(mut self, key: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::new(key, secret, None, None, "omnifn"));
        self
    }

    /// How long, and with which pauses, it is waited for what needs time.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How often the SDK tries a call that was throttled, or that failed on the way: six times unless set, and not again with one.
    pub fn tries(mut self, tries: NonZeroU32) -> Self {
        self.tries = Some(tries);
        self
    }

    /// Looks for the region and prepares the clients. Credentials are asked for with the first call.
    ///
    /// # Errors
    /// [`Error::Setting`] without a region, or with one that has another form than AWS's.
    pub async fn build(self) -> Result<Aws> {
        let is_local = self.endpoint.is_some();
        let budget = self.budget.unwrap_or_else(|| {
            let budget = Budget::of(Duration::from_secs(180));
            if is_local {
                budget.pauses(Duration::from_millis(20), Duration::from_millis(500))
            } else {
                budget
            }
        });
        let retries = RetryConfig::standard()
            .with_max_attempts(self.tries.map_or(TRIES, NonZeroU32::get))
            .with_initial_backoff(budget.first_pause);
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(LONGEST_CALL);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(retries)
            .timeout_config(timeouts.build());
        if let Some(profile) = self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(credentials) = self.credentials {
            loader = loader.credentials_provider(credentials);
        }
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region));
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            Error::setting(
                "providers.aws.region",
                "there is none: set it, or `AWS_REGION`, or one for the profile",
            )
        })?;
        if !is_region(&region) {
            let message = format!("`{region}` is no region of aws: they are like `eu-west-1`");
            return Err(Error::setting("providers.aws.region", message));
        }
        // One may also be named by `AWS_ENDPOINT_URL` or the profile.
        let has_own_endpoint = config.endpoint_url().is_some();
        Ok(Aws { clients: Clients::new(config, has_own_endpoint), region, budget })
    }
}

/// Letters, then directions, then a number: `eu-west-1`, `us-gov-east-1`. Which there are changes too often for a list.
fn is_region(region: &str) -> bool {
    let parts: Vec<_> = region.split('-').collect();
    let [words @ .., number] = &parts[..] else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_region;

    #[test]
    fn a_region_has_its_form() {
        for region in ["eu-west-1", "us-gov-east-1", "ap-southeast-11", "us-isob-east-1"] {
            assert!(is_region(region), "{region}");
        }
        for region in ["", "europe-west1", "eu-west", "eu-west-1a", "EU-WEST-1", "1", "a-1", "--1"]
        {
            assert!(!is_region(region), "{region}");
        }
    }
}
