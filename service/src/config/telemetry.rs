//! The standard `OTEL_*` variables: what they ask of us, and what of it we warn about.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{ServeArgs, otlp};
use crate::telemetry::{Exporter, SpillConfig, TelemetryConfig};

/// A variable that can not be obeyed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value:?}: {problem}")]
pub struct TelemetryConfigError {
    pub(super) variable: String,
    pub(super) value: String,
    pub(super) problem: String,
}

pub(super) fn wrong<T>(
    variable: &str,
    value: &str,
    problem: &str,
) -> Result<T, TelemetryConfigError> {
    Err(TelemetryConfigError {
        variable: variable.to_owned(),
        value: value.to_owned(),
        problem: problem.to_owned(),
    })
}

/// What the environment says about telemetry.
#[derive(Debug, PartialEq)]
pub struct TelemetryEnvironment {
    /// For the pipeline.
    pub config: TelemetryConfig,
    /// What is given and has no effect; for the log, once it is open.
    pub warnings: Vec<String>,
    /// `OTEL_LOG_LEVEL`, as a level of our log filter.
    pub log_level: Option<&'static str>,
}

/// Where variables are read: the process's environment, or a test's.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl TelemetryEnvironment {
    /// Reads the variables, beside the flags that have no standard variable.
    ///
    /// # Errors
    /// A variable whose effect we can not give; silently doing something else would lose traces.
    pub fn read(
        args: &ServeArgs,
        variables: Variables<'_>,
    ) -> Result<TelemetryEnvironment, TelemetryConfigError> {
        let mut warnings = Vec::new();
        let mut resource_attributes = vec![(
            "service.version".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        )];
        resource_attributes.extend(kubernetes(variables));
        resource_attributes.extend(declared_attributes(variables, &mut warnings));
        let service_name = service_name(variables, &mut resource_attributes);
        warn_of_ignored(variables, &mut warnings);
        let config = TelemetryConfig {
            service_name,
            resource_attributes,
            exporter: exporter(variables, &mut warnings)?,
            propagate: propagate(variables, &mut warnings),
            span_buffer_bytes: args.span_buffer,
            on_pressure: args.on_span_pressure.into(),
            collector_patience: args.collector_patience,
            spill: args.span_spill.clone().map(|directory| SpillConfig {
                directory,
                limit_bytes: args.span_spill_limit,
            }),
            export_connections: args.export_connections.get(),
            flush_timeout: args.flush_timeout,
        };
        let log_level = log_level(variables, &mut warnings);
        Ok(TelemetryEnvironment {
            config,
            warnings,
            log_level,
        })
    }
}

/// The downward API's values, under the names that our manifests give them.
fn kubernetes(variables: Variables<'_>) -> impl Iterator<Item = (String, String)> {
    let names = [
        ("k8s.pod.name", "POD_NAME"),
        ("k8s.namespace.name", "POD_NAMESPACE"),
        ("k8s.pod.uid", "POD_UID"),
        ("k8s.node.name", "NODE_NAME"),
    ];
    names
        .into_iter()
        .filter_map(move |(key, variable)| Some((key.to_owned(), variables(variable)?)))
}

/// `OTEL_RESOURCE_ATTRIBUTES`: all of it, or on any error none of it, as the specification asks.
fn declared_attributes(
    variables: Variables<'_>,
    warnings: &mut Vec<String>,
) -> Vec<(String, String)> {
    let Some(list) = variables("OTEL_RESOURCE_ATTRIBUTES") else {
        return Vec::new();
    };
    pairs(&list).unwrap_or_else(|pair| {
        warnings.push(format!("OTEL_RESOURCE_ATTRIBUTES is ignored: {pair:?} is not key=value in percent-encoded UTF-8"));
        Vec::new()
    })
}

/// `key=value,key=value`, percent-decoded; an error is the pair that is none.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, String> {
    let entries = list
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        let decode = |text: &str| {
            percent_decode_str(text.trim())
                .decode_utf8()
                .map(|text| text.into_owned())
                .ok()
        };
        Some((decode(key).filter(|key| !key.is_empty())?, decode(value)?))
    };
    entries
        .map(|entry| pair(entry).ok_or_else(|| entry.to_owned()))
        .collect()
}

/// `OTEL_SERVICE_NAME` before `service.name` in the attributes, where it must not stand twice.
fn service_name(variables: Variables<'_>, attributes: &mut Vec<(String, String)>) -> String {
    let declared = attributes
        .iter()
        .rev()
        .find(|(key, _)| key == "service.name")
        .map(|(_, name)| name.clone());
    attributes.retain(|(key, _)| key != "service.name");
    variables("OTEL_SERVICE_NAME")
        .or(declared)
        .unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned())
}

fn exporter(
    variables: Variables<'_>,
    warnings: &mut Vec<String>,
) -> Result<Exporter, TelemetryConfigError> {
    let none = |reason: &str| {
        Ok(Exporter::None {
            reason: reason.to_owned(),
        })
    };
    // The specification: only "true", in any case, is true.
    if variables("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true"))
    {
        return none("OTEL_SDK_DISABLED is true");
    }
    match variables("OTEL_TRACES_EXPORTER").as_deref() {
        None | Some("otlp") => {}
        Some("none") => return none("OTEL_TRACES_EXPORTER is none"),
        Some(other) => {
            return wrong(
                "OTEL_TRACES_EXPORTER",
                other,
                "not supported; use otlp or none (to see spans, point otlp at a collector)",
            );
        }
    }
    match otlp::receiver(variables, warnings)? {
        Some(receiver) => Ok(Exporter::Otlp(receiver)),
        None => none("OTEL_EXPORTER_OTLP_ENDPOINT is not set"),
    }
}

fn propagate(variables: Variables<'_>, warnings: &mut Vec<String>) -> bool {
    let Some(list) = variables("OTEL_PROPAGATORS") else {
        return true;
    };
    let names: Vec<&str> = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    for name in &names {
        // Baggage is read by nothing here: accepted, since it stands in the default.
        if !matches!(*name, "tracecontext" | "baggage" | "none") {
            warnings.push(format!(
                "OTEL_PROPAGATORS: {name:?} is not supported, only tracecontext is"
            ));
        }
    }
    names.contains(&"tracecontext")
}

fn log_level(variables: Variables<'_>, warnings: &mut Vec<String>) -> Option<&'static str> {
    let level = variables("OTEL_LOG_LEVEL")?;
    match level.to_ascii_lowercase().as_str() {
        "none" | "off" => Some("off"),
        "fatal" | "error" => Some("error"),
        "warn" | "warning" => Some("warn"),
        "info" => Some("info"),
        "debug" => Some("debug"),
        "verbose" | "all" | "trace" => Some("trace"),
        _ => {
            warnings.push(format!(
                "OTEL_LOG_LEVEL={level:?} is ignored: use error, warn, info, debug or none"
            ));
            None
        }
    }
}

/// Variables that people set and that change nothing here.
fn warn_of_ignored(variables: Variables<'_>, warnings: &mut Vec<String>) {
    if let Some(sampler) = variables("OTEL_TRACES_SAMPLER").filter(|sampler| sampler != "always_on")
    {
        warnings.push(format!(
            "OTEL_TRACES_SAMPLER={sampler} is ignored: every request is traced (always_on), also below a parent that is not sampled"
        ));
    }
    for variable in [
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "OTEL_BSP_EXPORT_TIMEOUT",
    ] {
        if variables(variable).is_some() {
            warnings.push(format!(
                "{variable} is ignored: the span pipeline is sized by --span-buffer"
            ));
        }
    }
}

/// Milliseconds, as the specification writes every timeout.
pub(super) fn milliseconds(
    variable: &str,
    value: &str,
    warnings: &mut Vec<String>,
) -> Option<Duration> {
    let parsed = value.parse().ok().map(Duration::from_millis);
    if parsed.is_none() {
        warnings.push(format!(
            "{variable}={value:?} is ignored: it is not a number of milliseconds"
        ));
    }
    parsed
}

#[cfg(test)]
mod tests;
