//! Log lines: one JSON object each, with the names that Google Cloud Logging and people look for.

use std::fmt::{self, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::telemetry::now_unix_ns;

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// `tracing-subscriber`'s filter syntax, e.g. `info,iris_prediction_api=debug`.
    pub filter: String,
    /// JSON lines, or text for a person.
    pub json: bool,
    /// Google Cloud project whose traces the lines point to.
    pub google_cloud_project: Option<String>,
}

/// Turns the process's own spans (start-up, training, shutdown) into OpenTelemetry spans, once there
/// is a provider for them: the log opens before telemetry does.
#[derive(Clone)]
pub struct Spans(reload::Handle<Option<OpenTelemetryLayer<Registry, SdkTracer>>, Registry>);

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

impl Spans {
    /// From now on, spans go to this provider.
    ///
    /// # Errors
    /// The log is gone.
    pub fn go_to(&self, provider: &SdkTracerProvider) -> anyhow::Result<()> {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("lifecycle"));
        self.0
            .reload(Some(layer))
            .context("spans can not be set up")
    }
}

/// Sends log lines to stdout, for the rest of the process's life. Whatever the log's filter, the
/// process's own spans are kept for [`Spans`].
///
/// # Errors
/// The filter is not one, or there is a subscriber already.
pub fn init(options: LogOptions) -> anyhow::Result<Spans> {
    let filter = EnvFilter::try_new(&options.filter)
        .with_context(|| format!("--log {:?} is not a filter", options.filter))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stdout);
    let json = JsonLines {
        google_cloud_project: options.google_cloud_project,
    };
    let lines = if options.json {
        lines.event_format(json).with_filter(filter).boxed()
    } else {
        lines.with_filter(filter).boxed()
    };
    let (spans, handle) = reload::Layer::new(None);
    // Spans alone: the request path has none of these, so it never pays for them.
    let own = |metadata: &Metadata<'_>| {
        metadata.is_span() && metadata.target().starts_with("iris_prediction_api")
    };
    let own = FilterFn::new(own).with_max_level_hint(Level::INFO);
    tracing_subscriber::registry()
        .with(spans.with_filter(own))
        .with(lines)
        .try_init()
        .map_err(|error| anyhow::anyhow!("logs can not be set up: {error}"))?;
    Ok(Spans(handle))
}

/// One JSON object per event.
#[derive(Debug)]
struct JsonLines {
    google_cloud_project: Option<String>,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(now_unix_ns()));
        let metadata = event.metadata();
        let mut line = Line(String::with_capacity(256));
        line.0.push('{');
        line.put("timestamp", &now.to_string());
        line.put("severity", severity(*metadata.level()));
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.put("message", &fields.message);
        line.0.push_str(&fields.rest.0);
        line.put("target", metadata.target());
        self.point_to_trace(&mut line, &fields);
        writeln!(writer, "{}}}", line.0)
    }
}

impl JsonLines {
    /// Ids by their own names; with a project also by the keys that link a line to its trace
    /// (cloud.google.com/logging/docs/structured-logging).
    fn point_to_trace(&self, line: &mut Line, fields: &Fields) {
        let Some(trace_id) = &fields.trace_id else {
            return;
        };
        line.put("trace_id", trace_id);
        if let Some(project) = &self.google_cloud_project {
            line.put(
                "logging.googleapis.com/trace",
                &format!("projects/{project}/traces/{trace_id}"),
            );
            line.put("logging.googleapis.com/trace_sampled", &true);
        }
        let Some(span_id) = &fields.span_id else {
            return;
        };
        line.put("span_id", span_id);
        if self.google_cloud_project.is_some() {
            line.put("logging.googleapis.com/spanId", span_id);
        }
    }
}

/// Google's names, which others understand.
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// Members of a JSON object, put one after the other.
#[derive(Default)]
struct Line(String);

impl Line {
    fn put(&mut self, key: &str, value: &(impl serde::Serialize + ?Sized)) {
        if self.0 != "{" {
            self.0.push(',');
        }
        // Writing plain values to a String does not fail; a line without a field beats no line.
        let json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        let _ = write!(self.0, "{}:{json}", serde_json::Value::from(key));
    }
}

/// An event's fields; ids stand apart.
#[derive(Default)]
struct Fields {
    message: String,
    trace_id: Option<String>,
    span_id: Option<String>,
    rest: Line,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.rest.put(name, &format!("{value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            "trace_id" => self.trace_id = Some(value.to_owned()),
            "span_id" => self.span_id = Some(value.to_owned()),
            name => self.rest.put(name, value),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.rest.put(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.rest.put(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.rest.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.rest.put(field.name(), &value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(project: Option<&str>, log: impl FnOnce()) -> Vec<Value> {
        let memory = Memory::default();
        let writer = memory.clone();
        let format = JsonLines {
            google_cloud_project: project.map(str::to_owned),
        };
        let lines = tracing_subscriber::fmt()
            .event_format(format)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(lines, log);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_is_json_whatever_it_says() {
        let lines = lines(None, || {
            tracing::warn!(n = 3, ok = true, x = 0.5, who = "a\"b", "two\nlines")
        });
        let line = &lines[0];
        assert_eq!(line["severity"], "WARNING");
        assert_eq!(line["message"], "two\nlines");
        assert_eq!(
            (&line["n"], &line["ok"], &line["x"], &line["who"]),
            (&3.into(), &true.into(), &0.5.into(), &"a\"b".into())
        );
        assert_eq!(line["target"], "iris_prediction_api::logs::tests");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(line.get("trace_id"), None);
    }

    #[test]
    fn a_line_points_to_its_trace() {
        let log = || tracing::info!(trace_id = Some("0af7"), span_id = "b7ad", "done");
        let plain = &lines(None, log)[0];
        assert_eq!(
            (&plain["trace_id"], &plain["span_id"]),
            (&"0af7".into(), &"b7ad".into())
        );
        assert_eq!(plain.get("logging.googleapis.com/trace"), None);
        let google = &lines(Some("p1"), log)[0];
        assert_eq!(
            google["logging.googleapis.com/trace"],
            "projects/p1/traces/0af7"
        );
        assert_eq!(google["logging.googleapis.com/spanId"], "b7ad");
        assert_eq!(google["logging.googleapis.com/trace_sampled"], true);
    }
}
