//! Why a watch failed, in a person's words, and what that asks for.

use kube::core::Status;
use std::error::Error;
use tokio::time::error::Elapsed;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// For want of rights.
    Refused(String),
    /// There is no such resource.
    Absent(String),
    /// The API server does not know who asks.
    Unknown(String),
    /// The API server has forgotten what came after the version that was asked for.
    Forgotten(String),
    /// Anything else: it is away, or in trouble.
    Broken(String),
}

impl Failure {
    /// Why, in words.
    pub(super) fn words(&self) -> &str {
        match self {
            Failure::Refused(why)
            | Failure::Absent(why)
            | Failure::Unknown(why)
            | Failure::Forgotten(why)
            | Failure::Broken(why) => why,
        }
    }

    /// What an error answer means.
    pub(super) fn of_status(status: &Status) -> Failure {
        let said = match (status.message.as_str(), status.reason.as_str()) {
            ("", reason) => reason,
            (message, _) => message,
        };
        match status.code {
            401 => Failure::Unknown(
                "the API server takes this identity no longer (401 Unauthorized): a token that stands in a kubeconfig is \
                 not renewed by itself; put a new one into the file, and the watch goes on"
                    .to_owned(),
            ),
            403 => Failure::Refused(format!("{said}. {}", allowed_by(said))),
            404 | 405 => Failure::Absent(format!("the API server has no such resource ({said})")),
            410 => Failure::Forgotten(format!(
                "the API server has forgotten what came between (410 Gone: {said})"
            )),
            code => Failure::Broken(format!("the API server answered {code}: {said}")),
        }
    }
}

/// What would allow it.
fn allowed_by(said: &str) -> &'static str {
    if said.contains("cluster scope") {
        "It is the whole cluster's, and takes a ClusterRole: k8s/components/verifier-access has one"
    } else {
        "A Role in k8s/components/verifier-access allows it"
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) => Failure::of_status(&status),
            kube::Error::SerdeError(error) => {
                Failure::Forgotten(format!("an answer can not be read: {error}"))
            }
            error => Failure::Broken(chain(&error)),
        }
    }
}

impl From<Elapsed> for Failure {
    fn from(_: Elapsed) -> Failure {
        Failure::Broken("the API server does not answer".to_owned())
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
