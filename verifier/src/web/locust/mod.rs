//! Locust's own endpoints, in its shapes, so that scripts made for it work: swarm, stop, statistics, CSV files, report.

mod figures;
mod form;
mod json;
mod report;
mod tables;
mod words;

pub(super) use report::report;

use super::body;
use super::files;
use super::refusal::{Refusal, json as json_answer};
use super::site::Site;
use super::tail::{Follow, name};
use crate::plan::Plan;
use crate::record::Clock;
use crate::verdict::page::State as Shown;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use figures::Figures;
use form::Form;
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

type Answer = Result<Response, Refusal>;

/// `/stop` answers when the load has stopped, as Locust's does, or after so long.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// `POST /swarm`.
pub(super) async fn swarm(State(site): State<Arc<Site>>, request: Body) -> Answer {
    let body = body::whole(request).await?;
    let host = site.program.host.clone();
    let asked = match Form::read(&body) {
        Ok(form) => begin(&site, &form).await.map(|()| form),
        Err(error) => Err(error),
    };
    Ok(answer(match asked {
        Ok(form) => {
            let host = form.host.clone().or(host);
            let mut said = json!({ "success": true, "message": "Swarming started", "host": host });
            if let Some(seconds) = form.run_seconds() {
                said["run_time"] = json!(seconds);
            }
            said
        }
        Err(error) => json!({ "success": false, "message": error, "host": host }),
    }))
}

/// Starts a run; while one goes on, Locust changes its users.
async fn begin(site: &Arc<Site>, form: &Form) -> Result<(), String> {
    if !site.runs() {
        let started = site.start_asked(&form.asked());
        return started.map(drop).map_err(|refusal| refusal.error);
    }
    let now = site
        .tail
        .look(|follow| follow.and_then(Follow::users_now))
        .await;
    let Some(now) = now.flatten() else {
        return Err(
            "a run goes on that has no users to change: stop it, or wait for its end".to_owned(),
        );
    };
    let changed = site.change_users(i64::from(form.users) - now as i64).await;
    changed.map_err(|refusal| refusal.error)
}

/// `POST /stop`, and GET as Locust once had it.
pub(super) async fn stop(State(site): State<Arc<Site>>) -> Answer {
    if site.stop().is_ok() {
        let mut watching = site.tail.watch().await;
        let loads = |state: Shown| matches!(state, Shown::Starting | Shown::Running);
        let stopped = watching
            .latest
            .wait_for(|snapshot| !loads(snapshot.state()));
        // It stops all the same, if later.
        let _ = tokio::time::timeout(STOPS_WITHIN, stopped).await;
    }
    Ok(answer(
        json!({ "success": true, "message": "Test stopped" }),
    ))
}

/// `/stats/reset`. A run begins with empty statistics, and its record is not cut while it goes on.
pub(super) async fn reset(State(site): State<Arc<Site>>) -> Answer {
    match site.runs() {
        true => Err(Refusal::conflict(
            "a run's record is not reset while it goes on: its stages are told apart by name, and the next run begins anew",
        )),
        false => Ok("ok".into_response()),
    }
}

/// `GET /stats/requests`.
pub(super) async fn requests(State(site): State<Arc<Site>>) -> Answer {
    Ok(answer(json::requests(&figures(&site).await)))
}

/// `GET /stats/requests/csv`.
pub(super) async fn requests_csv(State(site): State<Arc<Site>>) -> Answer {
    table(&site, "requests", "locust_stats.csv", tables::requests).await
}

/// `GET /stats/requests_full_history/csv`.
pub(super) async fn history_csv(State(site): State<Arc<Site>>) -> Answer {
    table(
        &site,
        "requests_full_history",
        "locust_stats_history.csv",
        tables::history,
    )
    .await
}

/// `GET /stats/failures/csv`.
pub(super) async fn failures_csv(State(site): State<Arc<Site>>) -> Answer {
    table(&site, "failures", "locust_failures.csv", tables::failures).await
}

/// `GET /exceptions/csv`.
pub(super) async fn exceptions_csv(State(site): State<Arc<Site>>) -> Answer {
    table(&site, "exceptions", "locust_exceptions.csv", |_| {
        tables::exceptions()
    })
    .await
}

/// `GET /exceptions`: those of Locust's own user code, of which there is none.
pub(super) async fn exceptions() -> Answer {
    Ok(answer(json!({ "exceptions": [] })))
}

/// `GET /logs`.
pub(super) async fn logs(State(site): State<Arc<Site>>) -> Answer {
    Ok(answer(json!({ "master": site.logs.all(), "workers": {} })))
}

/// `GET /tasks`: the plan's tasks by weight.
pub(super) async fn tasks(State(site): State<Arc<Site>>) -> Answer {
    let text = site
        .shown()
        .and_then(|folder| std::fs::read_to_string(folder.join("plan.toml")).ok());
    let plan = text.and_then(|text| Plan::parse(&text, "plan.toml").ok());
    let ratio = plan.map_or_else(
        || json!({}),
        |plan| {
            let tasks = plan.all_tasks();
            let sum: f64 = tasks.iter().map(|task| f64::from(task.weight)).sum();
            let tasks = tasks.iter().map(|task| {
                let ratio = f64::from(task.weight) / sum;
                (task.name.clone(), json!({ "ratio": ratio }))
            });
            let tasks: serde_json::Map<String, Value> = tasks.collect();
            json!({ plan.name: { "ratio": 1.0, "tasks": tasks } })
        },
    );
    Ok(answer(json!({ "per_class": ratio, "total": ratio })))
}

async fn figures(site: &Site) -> Figures {
    let clock = Clock::start();
    let asked = site.tail.look(move |follow| {
        let follow = follow?;
        let now_unix_ns = clock.origin_unix_ns() + clock.now_ns();
        Some(match (&follow.document, &follow.fold) {
            (Some(document), _) => Figures::of_page(&document.page),
            (None, Some(fold)) => Figures::of_fold(fold, follow.state(), now_unix_ns),
            (None, None) => Figures {
                state: follow.state(),
                ..Figures::none()
            },
        })
    });
    asked.await.flatten().unwrap_or_else(Figures::none)
}

/// A CSV file: that of `legacy/`, once there is one, else out of the figures so far.
async fn table(site: &Site, kind: &str, legacy: &str, make: fn(&Figures) -> String) -> Answer {
    let shown = site.shown();
    let name = format!(
        "Locust_{}_{kind}.csv",
        shown.as_deref().map(name).unwrap_or_default()
    );
    let headers = [
        (header::CONTENT_TYPE, "text/csv".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment;filename={name}"),
        ),
    ];
    let file = shown.and_then(|folder| files::open(&folder, &format!("legacy/{legacy}")));
    if let Some(file) = file.filter(|_| !site.runs()) {
        let length = file.metadata().map_err(Refusal::nothing)?.len();
        return Ok((headers, super::download::content(file, length)).into_response());
    }
    Ok((headers, make(&figures(site).await)).into_response())
}

fn answer(value: Value) -> Response {
    json_answer(StatusCode::OK, value.to_string())
}
