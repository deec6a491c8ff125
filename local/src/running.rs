use crate::{
    Answer, Binary, CloudRun, Error, Lambda, ManifestFunction, Options, Provider, Result, Sample,
    answer,
};
use bytes::Bytes;
use http::Request;

/// A function that runs here as on one cloud or several.
#[derive(Debug)]
pub struct Running {
    function: ManifestFunction,
    lambda: Option<Lambda>,
    cloud_run: Option<CloudRun>,
}

impl Running {
    /// Begins to start `function` of `binary` as on every provider of `on`; [`ready`](Self::ready) tells how
    /// that went.
    ///
    /// # Errors
    /// [`Error::Bind`] when a port is in use.
    ///
    /// # Panics
    /// Outside a tokio runtime, on which everything runs.
    pub fn start(
        binary: &Binary,
        function: &ManifestFunction,
        on: impl IntoIterator<Item = (Provider, Options)>,
    ) -> Result<Self> {
        let mut running = Self { function: function.clone(), lambda: None, cloud_run: None };
        for (provider, options) in on {
            match provider {
                Provider::Aws => {
                    running.lambda = Some(Lambda::start(binary, function, options)?);
                }
                Provider::Gcp => {
                    running.cloud_run = Some(CloudRun::start(binary, function, options)?);
                }
            }
        }
        Ok(running)
    }

    /// Its name and trigger.
    pub fn function(&self) -> &ManifestFunction {
        &self.function
    }

    /// As on Lambda, if it was started so.
    pub fn lambda(&self) -> Option<&Lambda> {
        self.lambda.as_ref()
    }

    /// As on Cloud Run, if it was started so.
    pub fn cloud_run(&self) -> Option<&CloudRun> {
        self.cloud_run.as_ref()
    }

    /// The providers it was started on.
    pub fn providers(&self) -> impl Iterator<Item = Provider> + '_ {
        let aws = self.lambda.as_ref().map(|_| Provider::Aws);
        aws.into_iter().chain(self.cloud_run.as_ref().map(|_| Provider::Gcp))
    }

    /// Waits until it can take events everywhere.
    ///
    /// # Errors
    /// The first [`Error::Start`]; on the other provider it may be up.
    pub async fn ready(&self) -> Result<()> {
        let lambda = async {
            match &self.lambda {
                Some(lambda) => lambda.ready().await,
                None => Ok(()),
            }
        };
        let cloud_run = async {
            match &self.cloud_run {
                Some(cloud_run) => cloud_run.ready().await,
                None => Ok(()),
            }
        };
        let (lambda, cloud_run) = tokio::join!(lambda, cloud_run);
        lambda.and(cloud_run)
    }

    /// Runs `binary` from now on, at the same URLs. Returns once the old processes have ended.
    pub async fn replace(&self, binary: &Binary) {
        tokio::join!(
            async {
                if let Some(lambda) = &self.lambda {
                    lambda.replace(binary).await;
                }
            },
            async {
                if let Some(cloud_run) = &self.cloud_run {
                    cloud_run.replace(binary).await;
                }
            }
        );
    }

    /// Ends its processes, each as its cloud does.
    pub async fn stop(&self) {
        tokio::join!(
            async {
                if let Some(lambda) = &self.lambda {
                    lambda.stop().await;
                }
            },
            async {
                if let Some(cloud_run) = &self.cloud_run {
                    cloud_run.stop().await;
                }
            }
        );
    }

    /// What the caller gets when `sample` is sent as `provider` sends it in that envelope: each of its messages in order, where
    /// there are several.
    ///
    /// # Errors
    /// When the envelope cannot carry the event, or it could not be delivered: it does not run there, for one. That the
    /// function fails is an [`Answer`].
    pub async fn answer(
        &self,
        provider: Provider,
        sample: &Sample,
        envelope: &str,
    ) -> Result<Answer> {
        let event = sample.event();
        let refused = |reason: String| Error::Sample { sample: sample.name().to_owned(), reason };
        let messages =
            provider.wrap(event, envelope).map_err(|error| refused(error.to_string()))?;
        match (provider, &self.lambda, &self.cloud_run) {
            (Provider::Aws, Some(lambda), _) => {
                let mut replies = Vec::new();
                for message in messages {
                    let reply = lambda.invoke(message.into_body()).await;
                    replies
                        .push(reply.map_err(|error| Error::unreachable(lambda.address(), error))?);
                }
                Ok(answer::from_lambda(event, replies))
            }
            (Provider::Gcp, _, Some(cloud_run)) => {
                let mut responses = Vec::new();
                for message in messages {
                    responses.push(cloud_run.send(in_origin_form(message)).await?);
                }
                Ok(answer::from_cloud_run(event, responses))
            }
            _ => Err(refused(format!("the function does not run on {provider} here"))),
        }
    }
}

/// As a request to a server stands on its connection: without scheme and host.
fn in_origin_form(mut request: Request<Bytes>) -> Request<Bytes> {
    if let Some(path) = request.uri().path_and_query().filter(|_| request.uri().host().is_some()) {
        *request.uri_mut() = path.clone().into();
    }
    request
}
