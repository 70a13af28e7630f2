//! One line of Prometheus or OpenMetrics text in, its sample out.
//!
//! Format: prometheus.io/docs/instrumenting/exposition_formats, "Text format details".

use std::collections::BTreeMap;

/// A sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample<'a> {
    /// Name of the series.
    pub(super) name: &'a str,
    labels: BTreeMap<&'a str, String>,
    /// Its value, finite.
    pub(super) value: f64,
}

impl<'a> Sample<'a> {
    /// `None` for a comment, an empty line, a value that is not finite, and what is damaged.
    pub(super) fn read(line: &'a str) -> Option<Sample<'a>> {
        if line.starts_with('#') {
            return None;
        }
        let (name, rest) = match line.find('{') {
            Some(brace) => (&line[..brace], &line[brace + 1..]),
            None => line.split_once(' ')?,
        };
        let mut labels = BTreeMap::new();
        let mut rest = rest;
        if line.contains('{') {
            while let Some((name, tail)) = rest.split_once("=\"") {
                let end = closing_quote(tail)?;
                labels.insert(
                    name,
                    tail[..end].replace("\\\"", "\"").replace("\\\\", "\\"),
                );
                rest = tail[end + 1..].trim_start_matches(',');
                if rest.starts_with('}') {
                    break;
                }
            }
            rest = rest.strip_prefix('}')?.trim_start();
        }
        let value: f64 = rest.split(' ').next()?.parse().ok()?;
        value.is_finite().then_some(Sample {
            name,
            labels,
            value,
        })
    }

    /// The label's value; empty where it has none.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The value as a count.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates"
    )]
    pub(super) fn count(&self) -> u64 {
        self.value as u64
    }
}

/// Where a label's value ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
