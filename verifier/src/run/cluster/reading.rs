//! The API's ways to write things down: times, quantities, durations, texts that may be absent; ours out.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};

/// Unix nanoseconds.
pub(super) fn unix_ns(time: Option<&Time>) -> Option<u64> {
    time.and_then(|time| u64::try_from(time.0.as_nanosecond()).ok())
}

/// Unix nanoseconds, of a time that is finer than a second.
pub(super) fn micro_unix_ns(time: Option<&MicroTime>) -> Option<u64> {
    time.and_then(|time| u64::try_from(time.0.as_nanosecond()).ok())
}

/// A text, or the empty one.
pub(super) fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

/// A count, never negative.
pub(super) fn count(count: Option<i32>) -> u32 {
    count
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(0)
}

/// The controller that owns an object: its name.
pub(super) fn owner(metadata: &ObjectMeta) -> String {
    let owners = metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    controllers
        .next()
        .map(|owner| owner.name.clone())
        .unwrap_or_default()
}

/// Thousandths of the quantity's unit: `250m` is 250, `2` is 2000. `None` of what is no quantity.
///
/// Format: kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity.
pub(super) fn milli(quantity: &Quantity) -> Option<f64> {
    let text = quantity.0.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c));
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let number: f64 = number.parse().ok()?;
    let scale = match unit {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        // `12e6`, `1E3`
        exponent => 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * scale * 1e3)
}

/// The same, whole and never negative.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates"
)]
pub(super) fn whole_milli(quantity: &Quantity) -> u64 {
    milli(quantity).map_or(0, |milli| milli.round() as u64)
}

/// Nanoseconds of a Go duration: `15.3s`, `1m0s`, `250ms`; 0 of what is none.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates"
)]
pub(super) fn duration_ns(text: &str) -> u64 {
    let (mut rest, mut ns) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let Some(digits) = digits else { return 0 };
        let (number, tail) = rest.split_at(digits);
        let unit = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let scale = match &tail[..unit] {
            "h" => 3.6e12,
            "m" => 6e10,
            "s" => 1e9,
            "ms" => 1e6,
            "us" | "µs" => 1e3,
            "ns" => 1.0,
            _ => return 0,
        };
        ns += number.parse::<f64>().unwrap_or(0.0) * scale;
        rest = &tail[unit..];
    }
    ns as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for (text, expected) in [
            ("250m", Some(250.0)),
            ("2", Some(2000.0)),
            ("0.5", Some(500.0)),
            ("1500000n", Some(1.5)),
            ("1e2", Some(100_000.0)),
            ("64Mi", Some(67_108_864_000.0)),
            ("3k", Some(3e6)),
            ("", None),
            ("m", None),
            ("12parsecs", None),
        ] {
            let read = milli(&Quantity(text.to_owned()));
            let close = match (read, expected) {
                (Some(read), Some(expected)) => (read - expected).abs() <= 1e-9 * expected,
                (read, expected) => read == expected,
            };
            assert!(close, "{text}: {read:?}");
        }
        assert_eq!(whole_milli(&Quantity("-1".to_owned())), 0);
    }

    #[test]
    fn durations() {
        let texts = ["15.5s", "1m0s", "250ms", "1h1m1.5s", "", "s", "5", "5 s"];
        assert_eq!(
            texts.map(duration_ns),
            [
                15_500_000_000,
                60_000_000_000,
                250_000_000,
                3_661_500_000_000,
                0,
                0,
                0,
                0
            ]
        );
    }
}
