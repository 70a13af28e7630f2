//! Reads Grafana Tempo: each trace of the run by its id in, span rows out.
//!
//! API: grafana.com/docs/tempo, "Tempo HTTP API". Its search gives the first so many of what it finds, in no order, and
//! has no paging: only by id nothing is left out. A trace in protobuf (`tempopb.Trace`) is `TracesData` on the wire.

use super::by_id::{Failed, PAUSE, by_id};
use super::client::{Client, beginning};
use super::reading::Reading;
use super::stored::Stored;
use crate::record::run_key::hex;
use anyhow::{Context, Result, bail, ensure};
use http::{StatusCode, header};

/// Proves that it answers.
///
/// # Errors
/// When it does not.
pub(super) async fn check(url: &str) -> Result<()> {
    let answer = Client::new()?.get(&format!("{url}/api/echo"), &[]).await;
    let (status, _) = answer.with_context(|| format!("cannot reach Tempo at {url}"))?;
    ensure!(
        status == StatusCode::OK,
        "no Tempo at {url}: /api/echo answers {status}"
    );
    Ok(())
}

/// Reads until everything is there or the run stops.
///
/// # Errors
/// When it can not be read any more.
pub(super) async fn read(url: &str, reading: &mut Reading) -> Result<()> {
    let client = Client::new()?;
    if reading.load_ended().await.is_none() {
        return Ok(());
    }
    let mut failed = Failed::default();
    loop {
        let missing = reading.missing(usize::MAX);
        let get = |id| get(&client, url, id);
        let asked = (&missing, missing.ids.as_slice());
        by_id(reading, &mut failed, "Tempo", asked, get).await?;
        if !failed.any() {
            reading.caught_up();
        }
        if reading.whole() || !reading.pause(PAUSE).await {
            failed.end(reading);
            return Ok(());
        }
    }
}

/// One trace; none is no error: it may come yet.
async fn get(client: &Client, url: &str, id: [u8; 16]) -> Result<Vec<Stored>> {
    let url = format!("{url}/api/traces/{}", hex(&id));
    let accept = [(header::ACCEPT, "application/protobuf".to_owned())];
    let got = async {
        let (status, body) = client.get(&url, &accept).await?;
        match status {
            StatusCode::OK => Ok(vec![Stored::Protobuf(body)]),
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            _ => bail!("HTTP status {status}: {}", beginning(&body)),
        }
    };
    got.await.with_context(|| format!("cannot get {url}"))
}
