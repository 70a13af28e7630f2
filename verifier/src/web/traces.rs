//! `/api/traces/ID`: one request and its spans, out of the page of an ended run, else out of the run folder.

use super::refusal::{Refusal, json};
use super::site::Site;
use super::waterfall::waterfall;
use crate::plan::Plan;
use crate::record::{Clock, RunFolder};
use crate::verdict::align::{Timeline, planned_stages};
use crate::verdict::page::Waterfall;
use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Longest search.
const MOST_NS: u64 = 5_000_000_000;
/// Searches at once: each reads a whole file at worst.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// The waterfall.
pub(super) async fn trace(
    State(site): State<Arc<Site>>,
    Path(trace_id): Path<String>,
) -> Result<Response, Refusal> {
    let id = parse(&trace_id).ok_or_else(|| {
        Refusal::wrong(format!(
            "{trace_id:?} is no trace id: it has 32 hexadecimal digits"
        ))
    })?;
    let asked = trace_id.to_ascii_lowercase();
    let drawn = site
        .tail
        .look(move |follow| follow?.document.as_ref()?.waterfall(&asked))
        .await;
    if let Some(drawn) = drawn.flatten() {
        return Ok(json(StatusCode::OK, drawn));
    }
    let folder = site
        .shown()
        .ok_or_else(|| Refusal::nothing("no run is shown that could have traces"))?;
    let _turn = SEARCHES.acquire().await;
    let found = tokio::task::spawn_blocking(move || find(folder, id)).await;
    let found = found.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    match found {
        Ok(Some(found)) => Ok(json(
            StatusCode::OK,
            serde_json::to_vec(&found).unwrap_or_default(),
        )),
        Ok(None) => {
            let error =
                format!("no request of this run that has ended has the trace id {trace_id}");
            Err(Refusal::nothing(error))
        }
        Err(error) => {
            let error = format!("the trace {trace_id} can not be shown: {error:#}");
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error))
        }
    }
}

fn find(folder: PathBuf, id: [u8; 16]) -> Result<Option<Waterfall>> {
    let clock = Clock::start();
    let folder = RunFolder::open(&folder)?;
    let text = std::fs::read_to_string(folder.plan()).context("cannot read plan.toml")?;
    let mut plan = Plan::parse(&text, "plan.toml")?;
    let Some(seq) = folder.seq(&id)? else {
        return Ok(None);
    };
    let go_on = || clock.now_ns() < MOST_NS;
    let Some(recorded) = folder.one(seq, &go_on)? else {
        return Ok(None);
    };
    plan.stages.extend(planned_stages(&recorded)?);
    // A timeline of one request: what bounds its senders' clocks is that request alone.
    Ok(waterfall(&Timeline::new(&plan, recorded)))
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids() {
        let id = crate::record::RunKey::from_seed(1).trace_id(2);
        assert_eq!(parse(&crate::record::run_key::hex(&id)), Some(id));
        for wrong in [
            "",
            "00",
            "+0000000000000000000000000000000",
            "../../etc/passwd",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
