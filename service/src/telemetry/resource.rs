//! Who we are: the resource that stands before every span, from the configuration and the machine.

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::{ResourceDetector, TelemetryResourceDetector},
};

use super::{INSTANCE, config::TelemetryConfig, new_trace_id};

/// The attributes of the machine and process, then the configured ones, which prevail.
pub(super) fn resource(config: &TelemetryConfig) -> Resource {
    let configured = config
        .resource_attributes
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(TelemetryResourceDetector.detect().iter().map(owned))
        .with_attributes(process())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new(INSTANCE, instance_id()),
        ])
        .with_attributes(configured)
        .with_attribute(KeyValue::new("service.name", config.service_name.clone()))
        .build()
}

fn owned((key, value): (&opentelemetry::Key, &opentelemetry::Value)) -> KeyValue {
    KeyValue::new(key.clone(), value.clone())
}

fn process() -> Vec<KeyValue> {
    let machine = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    let mut attributes = vec![
        KeyValue::new("host.name", text(machine.nodename())),
        KeyValue::new("host.arch", arch()),
        KeyValue::new("os.type", std::env::consts::OS),
        KeyValue::new("os.version", text(machine.release())),
        KeyValue::new("process.pid", i64::from(std::process::id())),
        KeyValue::new("process.runtime.name", "rust"),
    ];
    if let Ok(path) = std::env::current_exe() {
        if let Some(name) = path.file_name() {
            attributes.push(KeyValue::new(
                "process.executable.name",
                name.to_string_lossy().into_owned(),
            ));
        }
        attributes.push(KeyValue::new(
            "process.executable.path",
            path.to_string_lossy().into_owned(),
        ));
    }
    attributes
}

/// `host.arch` by the names of the semantic conventions.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "x86",
        other => other,
    }
}

/// A random UUID (RFC 9562, version 4).
fn instance_id() -> String {
    let mut bytes = new_trace_id();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
