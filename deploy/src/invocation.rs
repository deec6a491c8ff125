use bytes::Bytes;

/// A call of a function that is deployed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Invocation {
    /// What it is called with: on AWS the event, on Google the body of a request.
    pub payload: Bytes,
    /// On Google: the request's method [default: `POST`].
    pub method: Option<String>,
    /// On Google: the request's path and query [default: `/`].
    pub path: Option<String>,
    /// On Google: the request's headers, such as those of a CloudEvent.
    pub headers: Vec<(String, String)>,
    /// A release of its own choice; else traffic decides.
    pub release: Option<String>,
}

impl Invocation {
    /// With a payload.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), ..Self::default() }
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invoked {
    /// The status: that of the answer on Google, of the Invoke API on AWS.
    pub status: u16,
    /// Whether the function failed.
    pub is_failure: bool,
    /// The answer's headers.
    pub headers: Vec<(String, String)>,
    /// The answer.
    pub payload: Bytes,
    /// Which release answered, if the provider tells.
    pub release: Option<String>,
    /// The last lines that it wrote, if the provider tells.
    pub logs: Option<String>,
}

impl Invoked {
    /// An answer.
    pub fn new(status: u16, payload: impl Into<Bytes>) -> Self {
        Self {
            status,
            is_failure: status >= 400,
            headers: Vec::new(),
            payload: payload.into(),
            release: None,
            logs: None,
        }
    }
}
