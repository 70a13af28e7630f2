//! What we emit: spans on their way to the collector. One bounded pipeline for the request path's
//! own spans and for whatever ends a span through the OpenTelemetry SDK.
//!
//! A span's way: [`Recorder::record`] encodes it (`encode`) into its thread's buffer (`shard`); full
//! or a tenth of a second old, the buffer is queued (`pipeline`, `flow`); the export thread sends
//! it until the collector has it (`export`). Memory is promised to a request before it is routed
//! (`budget`), so that none of this can block or drop; what happens to each span is in the
//! [`Books`] (`ledger`).

mod budget;
mod chunk;
mod config;
mod encode;
mod envelope;
mod export;
mod flow;
mod gathered;
mod id;
mod ledger;
mod permit;
mod pipeline;
mod recorder;
mod resource;
mod sdk;
mod shard;
mod span;
mod spill;
mod template;
mod wire;

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};

pub use self::{
    budget::REQUEST_BYTES,
    config::{
        Compression, Exporter, OnPressure, OtlpConfig, Protocol, SpillConfig, TelemetryConfig,
    },
    encode::EncodedAttributes,
    gathered::Gathered,
    id::{new_span_id, new_trace_id},
    ledger::{Books, BooksSample},
    permit::Permit,
    recorder::{Recorder, Refused},
    span::{Attribute, Kind, SpanContext, SpanRecord, Status, TraceState, Value},
    template::{Stamp, Template},
};
use self::{
    envelope::{ResourceHead, ScopeHead},
    export::Exporter as ExportThread,
    pipeline::Pipeline,
    spill::Spill,
};

/// The semantic conventions that our attribute names follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.42.0";
/// Resource attribute: which process this is.
const INSTANCE: &str = "service.instance.id";
/// Below this, a handful of requests would fill the buffer.
const SMALLEST_BUFFER_BYTES: u64 = 64 << 10;

/// Running telemetry. Its pipeline stays for the life of the process, so that a span that ends
/// after [`Telemetry::shutdown`] is still counted.
#[derive(Debug)]
pub struct Telemetry {
    pipeline: Option<&'static Pipeline>,
    export: Option<ExportThread>,
    spill: Option<Spill>,
    provider: SdkTracerProvider,
    resource: Resource,
    flush_timeout: Duration,
}

impl Telemetry {
    /// Starts the export thread, or, with [`Exporter::None`], says in the log why there is none.
    /// Fails on an endpoint, header or certificate that cannot be used.
    pub fn start(config: &TelemetryConfig) -> Result<Telemetry> {
        let resource = resource::resource(config);
        let provider = SdkTracerProvider::builder()
            // Explicit: the SDK's default would obey a caller's `traceparent ...-00`.
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource.clone());
        let otlp = match &config.exporter {
            Exporter::None { reason } => {
                tracing::info!(%reason, "spans are not exported");
                let provider = provider.with_sampler(Sampler::AlwaysOff).build();
                return Ok(Telemetry {
                    pipeline: None,
                    export: None,
                    spill: None,
                    provider,
                    resource,
                    flush_timeout: Duration::ZERO,
                });
            }
            Exporter::Otlp(otlp) => otlp,
        };
        ensure!(
            config.span_buffer_bytes >= SMALLEST_BUFFER_BYTES,
            "a span buffer of {} bytes is too small; give at least {SMALLEST_BUFFER_BYTES}",
            config.span_buffer_bytes
        );
        let head = Arc::new(ResourceHead::new(&resource));
        let orders = config.spill.is_some().then(std::sync::mpsc::channel);
        // Leaked once per process: then no request pays for reference counts that all cores share.
        let pipeline: &'static Pipeline = Box::leak(Box::new(Pipeline::new(
            head.clone(),
            ScopeHead::new(&own_scope()),
            config.span_buffer_bytes,
            config.on_pressure,
            orders.as_ref().map(|(sender, _)| sender.clone()),
        )));
        let spill = match (&config.spill, orders) {
            (Some(spill), Some(orders)) => {
                let flow = pipeline.flow().clone();
                Some(Spill::start(spill, head, flow, orders)?)
            }
            _ => None,
        };
        let export = ExportThread::start(pipeline, otlp, config)?;
        tracing::info!(endpoint = otlp.endpoint, protocol = ?otlp.protocol, "spans are exported");
        Ok(Telemetry {
            pipeline: Some(pipeline),
            export: Some(export),
            spill,
            provider: provider
                .with_span_processor(sdk::PipelineProcessor(pipeline))
                .build(),
            resource,
            flush_timeout: config.flush_timeout,
        })
    }

    /// Who this process is, on every span: attributes and their values as text.
    pub fn resource(&self) -> impl Iterator<Item = (&str, String)> {
        let attributes = self.resource.iter();
        attributes.map(|(key, value)| (key.as_str(), value.to_string()))
    }

    /// A handle for the request path.
    pub fn recorder(&self) -> Recorder {
        self.pipeline.map_or_else(Recorder::disabled, Recorder::new)
    }

    /// What became of every span so far.
    pub fn books(&self) -> Books {
        self.pipeline.map(Pipeline::books).unwrap_or_default()
    }

    /// A reader of the books, for whoever exposes them.
    pub fn books_handle(&self) -> impl Fn() -> Books + Clone + Send + Sync + 'static {
        let pipeline = self.pipeline;
        move || pipeline.map(Pipeline::books).unwrap_or_default()
    }

    /// The SDK's provider over the same pipeline, for tracing-opentelemetry and libraries.
    pub fn tracer_provider(&self) -> &SdkTracerProvider {
        &self.provider
    }

    /// Hands over what is buffered and waits until all of it is settled; false if time ran out.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.pipeline.is_none_or(|pipeline| pipeline.flush(timeout))
    }

    /// Sends what is left for up to `timeout`, counts the rest as lost to shutdown, logs the books
    /// in one line and returns them: from then on they are final. Blocks; not for async code.
    pub fn shutdown(mut self, timeout: Duration) -> Books {
        self.finish(timeout)
    }

    fn finish(&mut self, timeout: Duration) -> Books {
        let (Some(pipeline), Some(export)) = (self.pipeline, self.export.take()) else {
            return self.books();
        };
        pipeline.close();
        export.finish(timeout);
        if let Some(spill) = self.spill.take() {
            spill.finish();
        }
        // Settled by its end: left on disk, or lost.
        pipeline.flow().due();
        while pipeline.flow().take().is_some() {}
        let books = pipeline.books();
        // For a person, and once more for a program that reads the last word on every span.
        let json = serde_json::to_string(&books).unwrap_or_default();
        // Whose books: a log is found by the pod's name, and a pod may have had several processes.
        let instance = self.resource.get(&Key::from_static_str(INSTANCE));
        let instance = instance.map(|id| id.to_string()).unwrap_or_default();
        if books.lost_total() == 0 {
            tracing::info!(books = json, service.instance.id = instance, "{books}");
        } else {
            tracing::error!(books = json, service.instance.id = instance, "{books}");
        }
        books
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.finish(self.flush_timeout);
    }
}

fn own_scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

/// Now, in Unix nanoseconds; the request path's only clock for spans.
#[allow(clippy::disallowed_methods, reason = "the home of the service's clock")]
pub fn now_unix_ns() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    now.as_secs() * 1_000_000_000 + u64::from(now.subsec_nanos())
}
