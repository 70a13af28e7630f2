//! `/api/`: what the page asks for, and what it wants done.

use super::asked::Asked;
use super::body;
use super::recorded;
use super::refusal::{Refusal, json};
use super::site::Site;
use super::tail::name;
use crate::record::RunFolder;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

type Answer = Result<Response, Refusal>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Users {
    change: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Show {
    run: String,
}

#[derive(Deserialize)]
struct Nothing {}

/// `GET /api/plans`.
pub(super) async fn plans(State(site): State<Arc<Site>>) -> Answer {
    answer(StatusCode::OK, &site.program.plans.lines())
}

/// `GET /api/runs`.
pub(super) async fn runs(State(site): State<Arc<Site>>) -> Answer {
    let (root, shown) = beside(&site);
    let listed = tokio::task::spawn_blocking(move || recorded::list(&root, shown.as_deref())).await;
    answer(StatusCode::OK, &listed.unwrap_or_default())
}

/// `POST /api/runs`.
pub(super) async fn start(State(site): State<Arc<Site>>, request: Body) -> Answer {
    let asked: Asked = body::json(request).await?;
    let run = site.start_asked(&asked)?;
    answer(StatusCode::ACCEPTED, &serde_json::json!({ "run": run }))
}

/// `POST /api/stop`.
pub(super) async fn stop(State(site): State<Arc<Site>>, request: Body) -> Answer {
    let bytes = body::whole(request).await?;
    if !bytes.is_empty() {
        serde_json::from_slice::<Nothing>(&bytes)
            .map_err(|error| Refusal::wrong(format!("the body: {error}")))?;
    }
    site.stop()?;
    answer(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// `POST /api/users`.
pub(super) async fn users(State(site): State<Arc<Site>>, request: Body) -> Answer {
    let Users { change } = body::json(request).await?;
    if !matches!(change, 1 | -1 | 10 | -10) {
        return Err(Refusal::wrong(format!(
            "change is 1, -1, 10 or -10, not {change}"
        )));
    }
    site.change_users(change).await?;
    answer(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// `POST /api/show`.
pub(super) async fn show(State(site): State<Arc<Site>>, request: Body) -> Answer {
    let Show { run } = body::json(request).await?;
    let (root, _) = beside(&site);
    let Some(folder) = recorded::find(&root, &run) else {
        let error = format!(
            "there is no run {run:?} beside the one that is shown: GET /api/runs lists them"
        );
        return Err(Refusal::nothing(error));
    };
    site.show(folder)?;
    answer(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// The folder in which the shown run is, and its name there; where none is shown, that of runs that are given no folder.
fn beside(site: &Site) -> (PathBuf, Option<String>) {
    match site.shown() {
        Some(shown) => {
            let parent = shown
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.map_or_else(|| PathBuf::from("."), PathBuf::from);
            (parent, Some(name(&shown)))
        }
        None => (PathBuf::from(RunFolder::RUNS), None),
    }
}

fn answer<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    // Numbers, texts and lists of them: JSON takes them all.
    Ok(json(status, serde_json::to_vec(value).unwrap_or_default()))
}
