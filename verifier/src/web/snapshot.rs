//! What is shown at a moment, ready to be sent to whoever watches.

use super::document::{Document, frame};
use super::fold::OPEN;
use crate::verdict::page::{Page, Series, State};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Renderings that are kept: those who watch are mostly equally far.
const KEPT: usize = 4;

/// One state of the page.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The whole page; empty where there is a document.
    pub(super) page: Page,
    /// Of an ended run, its page as it was written.
    pub(super) document: Option<Arc<Document>>,
    /// Which run, and how coarse its series is: rows of another one are none of this one's.
    pub(super) tag: String,
    rendered: Mutex<Vec<(usize, Bytes)>>,
}

impl Snapshot {
    pub(super) fn of(page: Page, tag: String) -> Snapshot {
        Snapshot {
            page,
            tag,
            ..Snapshot::default()
        }
    }

    pub(super) fn of_document(document: Arc<Document>) -> Snapshot {
        Snapshot {
            tag: document.event_id.clone(),
            document: Some(document),
            ..Snapshot::default()
        }
    }

    pub(super) fn state(&self) -> State {
        let document = self.document.as_ref();
        document.map_or(self.page.run.state, |document| document.page.run.state)
    }

    /// The event for somebody who has what the event `last_id` brought, and the id of this one; `None` where that is all.
    pub(super) fn event(&self, last_id: Option<&str>) -> Option<(Bytes, String)> {
        if let Some(document) = &self.document {
            let has = last_id == Some(document.event_id.as_str());
            return (!has).then(|| (document.frame.clone(), document.event_id.clone()));
        }
        let rows = self.page.series.at_seconds.len();
        let known = last_id.and_then(|id| id.rsplit_once(':'));
        let known = known.filter(|(tag, _)| *tag == self.tag);
        let known = known.and_then(|(_, rows)| rows.parse::<usize>().ok());
        // The last rows that it has may have changed since.
        let from = known.map_or(0, |rows| rows.saturating_sub(OPEN)).min(rows);
        let id = format!("{}:{rows}", self.tag);
        Some((self.rendered(from, &id), id))
    }

    fn rendered(&self, from: usize, id: &str) -> Bytes {
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = rendered.iter().find(|(known, _)| *known == from) {
            return bytes.clone();
        }
        let page = Page {
            series: tail(&self.page.series, from),
            ..self.page.clone()
        };
        // A page has only what JSON can hold.
        let json = serde_json::to_vec(&page).unwrap_or_default();
        let bytes = frame(id, &json);
        rendered.truncate(KEPT - 1);
        rendered.insert(0, (from, bytes.clone()));
        bytes
    }
}

/// The rows from that number on.
fn tail(series: &Series, from: usize) -> Series {
    Series {
        from,
        step_seconds: series.step_seconds,
        at_seconds: series.at_seconds[from..].to_vec(),
        answered: series.answered[from..].to_vec(),
        failed: series.failed[from..].to_vec(),
        p50_ms: series.p50_ms[from..].to_vec(),
        p95_ms: series.p95_ms[from..].to_vec(),
        p99_ms: series.p99_ms[from..].to_vec(),
        service_p50_ms: series.service_p50_ms[from..].to_vec(),
        service_p95_ms: series.service_p95_ms[from..].to_vec(),
        service_p99_ms: series.service_p99_ms[from..].to_vec(),
        users: series.users[from..].to_vec(),
        requested: series.requested[from..].to_vec(),
        traces_due: series.traces_due[from..].to_vec(),
        traces_complete: series.traces_complete[from..].to_vec(),
        hpa_desired: series.hpa_desired[from..].to_vec(),
        desired: series.desired[from..].to_vec(),
        ready: series.ready[from..].to_vec(),
        cpu_percent: series.cpu_percent[from..].to_vec(),
    }
}
