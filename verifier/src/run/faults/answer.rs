//! A call of the cluster's API: the call in, its answer in time out, or why not, in words for a person.

use std::time::Duration;

/// A call that takes longer has failed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// Why the API did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Refusal {
    /// HTTP status, if it answered.
    pub(super) code: Option<u16>,
    text: String,
}

impl Refusal {
    pub(super) fn is(&self, code: u16) -> bool {
        self.code == Some(code)
    }
}

/// Waits for the answer.
///
/// # Errors
/// When the API refuses, can not be reached or does not answer in time.
pub(super) async fn answered<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
    match tokio::time::timeout(ANSWERED_WITHIN, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(Refusal {
            code: Some(status.code),
            text: format!("{} ({} {})", status.message, status.code, status.reason),
        }),
        Ok(Err(error)) => Err(Refusal {
            code: None,
            text: format!("{:#}", anyhow::Error::from(error)),
        }),
        Err(_) => Err(Refusal {
            code: None,
            text: format!("the API server gave no answer within {ANSWERED_WITHIN:?}"),
        }),
    }
}
