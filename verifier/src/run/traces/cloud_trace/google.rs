//! The two read calls of Cloud Trace's API: a window or an id in, JSON out; who asks is proved by a token.
//!
//! API: cloud.google.com/trace/docs/reference/v1/rest, `projects.traces.list` and `projects.traces.get`.

use crate::record::run_key::hex;
use crate::run::traces::client::{Client, beginning, moment};
use crate::run::traces::reading::Window;
use crate::run::traces::source::Project;
use crate::run::traces::stored::Stored;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use gcp_auth::TokenProvider;
use http::{StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

const GOOGLE: &str = "https://cloudtrace.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/trace.readonly";
/// What a person does who is not let in.
const LOG_IN: &str = "log in with `gcloud auth application-default login`, or let Workload Identity give the pod a service account";
const LOGGED_IN_WITHIN: Duration = Duration::from_secs(30);
/// Traces with all their spans on one page, at most.
pub(super) const PAGE: u64 = 100;

/// One project.
pub(super) struct Google {
    client: Client,
    traces_url: String,
    project: String,
    /// None is sent to what stands in for Google.
    tokens: Option<Arc<dyn TokenProvider>>,
    /// It refused for want of quota since this was last asked.
    exhausted: Cell<bool>,
}

/// One page of traces.
pub(super) struct Page {
    pub(super) traces: Stored,
    /// Gives the next page.
    pub(super) next: Option<String>,
}

impl Google {
    /// # Errors
    /// When nobody is logged in.
    pub(super) async fn new(project: &Project) -> Result<Google> {
        let tokens = match project.instead {
            Some(_) => None,
            None => Some(log_in().await?),
        };
        let host = project.instead.as_deref().unwrap_or(GOOGLE);
        Ok(Google {
            client: Client::new()?,
            traces_url: format!("{host}/v1/projects/{}/traces", project.id),
            project: project.id.clone(),
            tokens,
            exhausted: Cell::new(false),
        })
    }

    /// It refused for want of quota since this was last asked.
    pub(super) fn exhausted(&self) -> bool {
        self.exhausted.take()
    }

    /// Traces of the window.
    pub(super) async fn list(&self, window: Window, page: Option<&str>) -> Result<Page> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Next {
            next_page_token: Option<String>,
        }
        let (from, to) = (moment(window.from_unix_ns), moment(window.to_unix_ns));
        let mut query = format!("?view=COMPLETE&pageSize={PAGE}&startTime={from}&endTime={to}");
        if let Some(page) = page {
            query += "&pageToken=";
            query.extend(utf8_percent_encode(page, NON_ALPHANUMERIC));
        }
        let listed = async {
            let body = self.ask(&query).await?.context("HTTP status 404")?;
            let next: Next = serde_json::from_slice(&body).context("no page of traces")?;
            anyhow::Ok(Page {
                traces: Stored::CloudTrace(body),
                next: next.next_page_token.filter(|token| !token.is_empty()),
            })
        };
        listed
            .await
            .with_context(|| format!("cannot list traces at {}", self.traces_url))
    }

    /// One trace, or none: it may come yet.
    pub(super) async fn get(&self, id: [u8; 16]) -> Result<Vec<Stored>> {
        let id = hex(&id);
        let body = self.ask(&format!("/{id}")).await;
        let body = body.with_context(|| format!("cannot get {}/{id}", self.traces_url))?;
        Ok(body.map(Stored::CloudTrace).into_iter().collect())
    }

    async fn ask(&self, what: &str) -> Result<Option<Bytes>> {
        let mut headers = Vec::new();
        if let Some(tokens) = &self.tokens {
            let token = tokens.token(&[SCOPE]).await;
            let token = token.with_context(|| format!("Google gives no token: {LOG_IN}"))?;
            headers.push((header::AUTHORIZATION, format!("Bearer {}", token.as_str())));
        }
        let url = format!("{}{what}", self.traces_url);
        let (status, body) = self.client.get(&url, &headers).await?;
        match status {
            StatusCode::OK => Ok(Some(body)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::TOO_MANY_REQUESTS => {
                self.exhausted.set(true);
                bail!(
                    "Google's read quota is used up (HTTP status 429): {}",
                    said(&body)
                );
            }
            StatusCode::UNAUTHORIZED => bail!("HTTP status 401: {}; {LOG_IN}", said(&body)),
            StatusCode::FORBIDDEN => bail!(
                "HTTP status 403: {}; who asks needs the role roles/cloudtrace.user in project {}, and {LOG_IN}",
                said(&body),
                self.project
            ),
            _ => bail!("HTTP status {status}: {}", said(&body)),
        }
    }
}

/// As the environment, the login of gcloud, or the machine's own service account, whichever is found first.
async fn log_in() -> Result<Arc<dyn TokenProvider>> {
    // Outside of Google's cloud nobody may ever answer for the machine.
    let found = tokio::time::timeout(LOGGED_IN_WITHIN, gcp_auth::provider()).await;
    let nobody = || format!("no credentials of Google's cloud: {LOG_IN}");
    found.with_context(nobody)?.with_context(nobody)
}

/// What Google says went wrong.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: Said,
    }
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    match serde_json::from_slice(body) {
        Ok(Refusal { error }) => error.message,
        Err(_) => beginning(body),
    }
}
