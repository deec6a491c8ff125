use bytes::Bytes;
use http::Response;

/// What a cloud's caller gets, in a form that can be compared between clouds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// An HTTP response.
    Response(Response<Bytes>),
    /// A batch was handled, but for these items, which will be delivered again.
    Batch {
        /// Their ids, in order.
        failed: Vec<String>,
    },
    /// An event or a call was handled.
    Done {
        /// What the function answered: the payload of a call, or an event as structured CloudEvents JSON.
        payload: Option<Bytes>,
    },
    /// The function failed, or its process did.
    Failed {
        /// The type of the error, where the cloud tells it.
        error_type: Option<String>,
        /// What the cloud tells of it.
        message: String,
    },
}
