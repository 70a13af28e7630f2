//! The page of an ended run, `page.json`: sent as it is, and read for what scripts made for Locust ask of it.

use crate::verdict::page::{Failure, Run, Statistics};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::Path;

/// A page has 5 MB at most by plan; one of this size is none.
const MOST_BYTES: u64 = 64 << 20;

/// The part of the page that is looked into here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfPage {
    pub(super) run: Run,
    #[serde(default)]
    pub(super) statistics: Vec<Statistics>,
    #[serde(default)]
    pub(super) failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Waterfalls<'a> {
    #[serde(default, borrow)]
    waterfalls: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Id {
    trace_id: String,
}

/// A page that does not change any more.
#[derive(Debug)]
pub(super) struct Document {
    /// As an event of `/events`.
    pub(super) frame: Bytes,
    /// The event's id.
    pub(super) event_id: String,
    pub(super) page: OfPage,
    waterfalls: BTreeMap<String, Bytes>,
}

impl Document {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no page of this version.
    pub(super) fn read(path: &Path) -> Result<Document> {
        let context = || format!("cannot show {}", path.display());
        let length = std::fs::metadata(path).with_context(context)?.len();
        ensure!(length <= MOST_BYTES, "{} is too large", path.display());
        let json = std::fs::read(path).with_context(context)?;
        Document::of(&json).with_context(context)
    }

    /// The page in this JSON.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub(super) fn of(json: &[u8]) -> Result<Document> {
        let page: OfPage = serde_json::from_slice(json)?;
        let shown: Waterfalls<'_> = serde_json::from_slice(json)?;
        let mut waterfalls = BTreeMap::new();
        for raw in shown.waterfalls {
            let Id { trace_id } = serde_json::from_str(raw.get())?;
            waterfalls.insert(trace_id, Bytes::copy_from_slice(raw.get().as_bytes()));
        }
        let event_id = format!("{}/whole:0", page.run.id);
        Ok(Document {
            frame: frame(&event_id, json),
            event_id,
            page,
            waterfalls,
        })
    }

    /// The waterfall of a trace, in JSON.
    pub(super) fn waterfall(&self, trace_id: &str) -> Option<Bytes> {
        self.waterfalls.get(trace_id).cloned()
    }
}

/// A page in JSON as a server-sent event. Line ends are none of JSON's own.
pub(super) fn frame(id: &str, json: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(json.len() + id.len() + 32);
    frame.extend_from_slice(b"event: page\nid: ");
    // A run's name is a folder's, which may hold anything.
    let plain = id
        .bytes()
        .map(|b| if b.is_ascii_graphic() { b } else { b'_' });
    frame.extend(plain);
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        frame.extend_from_slice(b"\ndata: ");
        frame.extend_from_slice(line);
    }
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_several_lines_is_one_event() {
        let json = br#"{
            "run": {"id":"a b","plan":"p","target":null,"started_unix_ms":1,"state":"ended","elapsed_seconds":1.0,
                "planned_seconds":null,"stages":[],"users_change":false,"host":"","verifier_version":"","errors":[]},
            "waterfalls": [{"trace_id":"00ff","bars":[]}]
        }"#;
        let document = Document::of(json).unwrap();
        assert_eq!(document.page.run.plan, "p");
        assert_eq!(
            document.waterfall("00ff").unwrap(),
            r#"{"trace_id":"00ff","bars":[]}"#
        );
        assert!(document.waterfall("00fe").is_none());
        let frame = String::from_utf8(document.frame.to_vec()).unwrap();
        assert!(
            frame.starts_with("event: page\nid: a_b/whole:0\ndata: {\ndata: "),
            "{frame}"
        );
        assert!(frame.ends_with("}\n\n"), "{frame}");
        assert_eq!(frame.matches("\n\n").count(), 1, "{frame}");
    }
}
