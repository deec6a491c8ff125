/// Where each of Google's services is reached. Every one of them may be somewhere else, such as on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcpEndpoints {
    /// Cloud Run Admin API, v2.
    pub run: String,
    /// Cloud Storage, JSON API.
    pub storage: String,
    /// Cloud Functions API, v2.
    pub functions: String,
    /// Artifact Registry API.
    pub artifactregistry: String,
    /// Artifact Registry's Docker registry.
    pub registry: String,
    /// Eventarc API.
    pub eventarc: String,
    /// Cloud Scheduler API.
    pub scheduler: String,
    /// Pub/Sub API.
    pub pubsub: String,
    /// IAM API.
    pub iam: String,
    /// Resource Manager API, v3.
    pub resourcemanager: String,
    /// Secret Manager API.
    pub secretmanager: String,
    /// Cloud Logging API.
    pub logging: String,
}

impl GcpEndpoints {
    /// Google's own, for a region.
    pub fn google(region: &str) -> Self {
        let api = |name: &str| format!("https://{name}.googleapis.com");
        Self {
            run: api("run"),
            storage: api("storage"),
            functions: api("cloudfunctions"),
            artifactregistry: api("artifactregistry"),
            registry: format!("https://{region}-docker.pkg.dev"),
            eventarc: api("eventarc"),
            scheduler: api("cloudscheduler"),
            pubsub: api("pubsub"),
            iam: api("iam"),
            resourcemanager: api("cloudresourcemanager"),
            secretmanager: api("secretmanager"),
            logging: api("logging"),
        }
    }

    /// One for all of them: `http://127.0.0.1:8085`.
    pub fn one(url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self {
            run: url.clone(),
            storage: url.clone(),
            functions: url.clone(),
            artifactregistry: url.clone(),
            registry: url.clone(),
            eventarc: url.clone(),
            scheduler: url.clone(),
            pubsub: url.clone(),
            iam: url.clone(),
            resourcemanager: url.clone(),
            secretmanager: url.clone(),
            logging: url,
        }
    }
}
