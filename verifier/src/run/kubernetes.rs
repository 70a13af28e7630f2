//! The way into a cluster: a client made from a kubeconfig or from a pod's own service account.

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::time::Duration;

/// An API server that is away is noticed after so long, and tried again.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Which cluster, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// A kubeconfig; `None`: `$KUBECONFIG`, `~/.kube/config`, or in a pod its service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; `None`: the current one.
    pub context: Option<String>,
}

impl Access {
    /// A client, and the API server's address. Nothing is sent yet.
    ///
    /// # Errors
    /// When there is no kubeconfig, it is damaged, or has no such context.
    pub async fn client(&self) -> Result<(Client, String)> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let text = Kubeconfig::read_from(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Config::from_custom_kubeconfig(text, &options).await?
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options).await?,
            None => Config::infer().await.context(
                "no way into a cluster: name a kubeconfig with --kubeconfig or KUBECONFIG",
            )?,
        };
        config.connect_timeout = Some(CONNECT_WITHIN);
        // Refused is refused: a second try behind our back would hide a budget's 429, and when an eviction took place.
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        Ok((Client::try_from(config)?, server))
    }
}
