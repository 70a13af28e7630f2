//! The books of the pipeline: what became of every span that was started, true at any moment.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::Serialize;

/// Why a span was lost or an attempt failed: `partial_success`, `shutdown`, `http_400`, ...
pub(super) type Reason = Cow<'static, str>;

/// A consistent picture: `started + recovered = queued + in_flight + acknowledged + sum(lost) +
/// left_on_disk`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Spans that ended in this process and were meant to be exported.
    pub started: u64,
    /// Spans of an earlier process, found in the spill directory.
    pub recovered: u64,
    /// In memory or in the spill directory, not yet under way.
    pub queued: u64,
    /// In a batch that is being sent, or sent again.
    pub in_flight: u64,
    /// Taken over by the collector.
    pub acknowledged: u64,
    /// Gone, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Not delivered when this process ended, but in the spill directory for the next one.
    pub left_on_disk: u64,
    /// Requests answered 503 because their spans had no room.
    pub refused_requests: u64,
    /// Export requests that were sent.
    pub export_attempts: u64,
    /// Failures to connect or to deliver after which a batch is sent again, by reason.
    pub export_retries: BTreeMap<String, u64>,
    /// Memory for spans, in bytes.
    pub buffer_capacity_bytes: u64,
    /// Of it, taken, leased or reserved at this moment, in bytes.
    pub buffer_used_bytes: u64,
}

/// One sample for a scrape: name without the `_total` of counters, labels, value, whether it only
/// grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BooksSample {
    /// Prometheus name; from `otel.sdk.*` semantic conventions where one exists.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Label, if any.
    pub label: Option<(&'static str, String)>,
    /// Value.
    pub value: u64,
    /// Counter (ends in `_total` when exposed) or gauge.
    pub counter: bool,
}

impl Books {
    /// All that was lost, whatever the reason.
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Whether the books balance; if not, the pipeline has a bug.
    pub fn balanced(&self) -> bool {
        let settled = self.acknowledged + self.lost_total() + self.left_on_disk;
        self.started + self.recovered == self.queued + self.in_flight + settled
    }

    /// The books as metric samples; samples of one name are neighbours.
    pub fn samples(&self) -> Vec<BooksSample> {
        let gauge = |name, help, value| BooksSample {
            name,
            help,
            label: None,
            value,
            counter: false,
        };
        let counter = |name, help, value| BooksSample {
            counter: true,
            ..gauge(name, help, value)
        };
        let mut samples = vec![
            counter(
                "otel_sdk_span_started",
                "Spans recorded for export",
                self.started,
            ),
            counter(
                "iris_span_recovered",
                "Spans of an earlier process, found in the spill directory",
                self.recovered,
            ),
            gauge(
                "otel_sdk_processor_span_queue_size",
                "Spans in memory or in the spill directory, not yet under way",
                self.queued,
            ),
            gauge(
                "otel_sdk_exporter_span_inflight",
                "Spans being exported",
                self.in_flight,
            ),
        ];
        const EXPORTED: &str = "otel_sdk_exporter_span_exported";
        let exported = |value| {
            counter(
                EXPORTED,
                "Spans settled; error_type is empty for the acknowledged",
                value,
            )
        };
        samples.push(exported(self.acknowledged).with("error_type", ""));
        samples.extend(
            self.lost
                .iter()
                .map(|(why, n)| exported(*n).with("error_type", why)),
        );
        samples.push(counter(
            "iris_span_refused_requests",
            "Requests refused for want of span memory",
            self.refused_requests,
        ));
        samples.push(counter(
            "iris_span_export_attempts",
            "Export requests sent",
            self.export_attempts,
        ));
        let retried = |n| {
            counter(
                "iris_span_export_retries",
                "Export requests that failed and are sent again",
                n,
            )
        };
        samples.extend(
            self.export_retries
                .iter()
                .map(|(why, n)| retried(*n).with("error_type", why)),
        );
        samples.push(gauge(
            "iris_span_buffer_capacity_bytes",
            "Memory for spans",
            self.buffer_capacity_bytes,
        ));
        samples.push(gauge(
            "iris_span_buffer_used_bytes",
            "Memory for spans that is taken",
            self.buffer_used_bytes,
        ));
        samples
    }
}

impl BooksSample {
    fn with(mut self, label: &'static str, value: &str) -> BooksSample {
        self.label = Some((label, value.to_owned()));
        self
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Books {
            started,
            queued,
            in_flight,
            acknowledged,
            ..
        } = self;
        write!(
            f,
            "spans started={started} acknowledged={acknowledged} queued={queued} in_flight={in_flight} lost={}",
            self.lost_total()
        )?;
        if self.recovered + self.left_on_disk > 0 {
            write!(
                f,
                " recovered={} left_on_disk={}",
                self.recovered, self.left_on_disk
            )?;
        }
        for (why, n) in &self.lost {
            write!(f, " lost.{why}={n}")?;
        }
        write!(
            f,
            "; requests refused={}; export attempts={} retried={}",
            self.refused_requests,
            self.export_attempts,
            self.export_retries.values().sum::<u64>()
        )
    }
}
