//! What somebody asked of the reports on the command line of a run; kept in its journal, so that it can be done again.

use super::{Entry, Observation};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What was asked; `None`: not asked, the default holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which traces `opentelemetry_traces/` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_traces: Option<KeepTraces>,
    /// Where a trace can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_link: Option<TraceLink>,
}

impl Asked {
    /// What was asked when the run began.
    pub fn of_journal(journal: &[Entry]) -> Asked {
        let asked = journal.iter().find_map(|entry| match &entry.observation {
            Observation::ReportsAsked(asked) => Some(asked.clone()),
            _ => None,
        });
        asked.unwrap_or_default()
    }

    /// This, and where it says nothing, what was asked earlier.
    #[must_use]
    pub fn or(self, earlier: Asked) -> Asked {
        Asked {
            keep_traces: self.keep_traces.or(earlier.keep_traces),
            trace_link: self.trace_link.or(earlier.trace_link),
        }
    }
}

/// Which traces are written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepTraces {
    /// Every one.
    All,
    /// A few of each class of each stage.
    #[default]
    Exemplars,
    /// None.
    None,
}

impl FromStr for KeepTraces {
    type Err = String;

    fn from_str(text: &str) -> Result<KeepTraces, String> {
        match text {
            "all" => Ok(KeepTraces::All),
            "exemplars" => Ok(KeepTraces::Exemplars),
            "none" => Ok(KeepTraces::None),
            _ => Err(format!("{text:?} is none of all, exemplars, none")),
        }
    }
}

/// Where the trace id stands in a [`TraceLink`].
const PLACE: &str = "{trace_id}";

/// The address of one trace in some viewer, with `{trace_id}` in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceLink(String);

impl TraceLink {
    /// The address of this trace.
    pub fn to(&self, trace_id: &str) -> String {
        self.0.replace(PLACE, trace_id)
    }
}

impl FromStr for TraceLink {
    type Err = String;

    /// Only what is an address of the web, and stays one in HTML and in Markdown.
    fn from_str(text: &str) -> Result<TraceLink, String> {
        let like = "write it like http://localhost:16686/trace/{trace_id}";
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Err(format!("{text:?} is no web address: {like}"));
        }
        if !text.contains(PLACE) {
            return Err(format!("{text:?} has no {PLACE} in it: {like}"));
        }
        let outside = |c: char| !c.is_ascii_graphic() || "<>\"'`\\|^".contains(c);
        match text.find(outside) {
            Some(_) => Err(format!(
                "{text:?} has characters that no address has: {like}"
            )),
            None => Ok(TraceLink(text.to_owned())),
        }
    }
}

impl TryFrom<String> for TraceLink {
    type Error = String;

    fn try_from(text: String) -> Result<TraceLink, String> {
        text.parse()
    }
}

impl From<TraceLink> for String {
    fn from(link: TraceLink) -> String {
        link.0
    }
}

impl fmt::Display for TraceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_addresses_with_a_place_for_the_id() {
        let google =
            "https://console.cloud.google.com/traces/explorer;traceId={trace_id}?project=P";
        let link: TraceLink = google.parse().unwrap();
        assert_eq!(
            link.to("00ff"),
            "https://console.cloud.google.com/traces/explorer;traceId=00ff?project=P"
        );
        for wrong in [
            "",
            "javascript:{trace_id}",
            "http://jaeger/trace/",
            "http://jaeger/{trace_id}\">",
            "http://a b/{trace_id}",
            "http://a/{trace_id}\n",
        ] {
            assert!(wrong.parse::<TraceLink>().is_err(), "{wrong}");
        }
    }
}
