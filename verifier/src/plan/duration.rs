//! Durations as people write them: `500ms`, `30s`, `1m30s`, `2h`; a bare number is seconds, as wrk and Locust take it.

use anyhow::{Result, bail};
use serde::{Deserialize, Deserializer, Serializer, de};
use std::time::Duration;

/// Parses a duration.
///
/// # Errors
/// When the text is none.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => Ok(duration),
            Err(_) => bail!("{text:?} is not a duration"),
        };
    }
    // humantime takes whole numbers only; people also write 0.5s.
    let split = text.find(char::is_alphabetic).map(|at| text.split_at(at));
    let scaled = split.and_then(|(number, unit)| Some(number.parse::<f64>().ok()? * scale(unit)?));
    if let Some(Ok(duration)) = scaled.map(Duration::try_from_secs_f64) {
        return Ok(duration);
    }
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(duration),
        Err(_) => bail!("{text:?} is not a duration like 500ms, 30s, 1m30s or 2h"),
    }
}

fn scale(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// The duration as [`parse_duration`] takes it, e.g. `1m30s`.
pub fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration)
        .to_string()
        .replace(' ', "")
}

pub(super) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_duration(*duration))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a duration like \"500ms\", \"30s\" or \"1m30s\""
    )]
    enum Written {
        Text(String),
        Seconds(f64),
    }
    let duration = match Written::deserialize(deserializer)? {
        Written::Text(text) => parse_duration(&text).map_err(de::Error::custom)?,
        Written::Seconds(seconds) => {
            Duration::try_from_secs_f64(seconds).map_err(de::Error::custom)?
        }
    };
    if duration > Duration::from_secs(30 * 24 * 3600) {
        return Err(de::Error::custom("longer than 30 days"));
    }
    Ok(duration)
}

/// The same for a duration that may be absent.
pub(super) mod optional {
    use serde::{Deserializer, Serializer};
    use std::time::Duration;

    pub(in crate::plan) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("0.5s", 500),
            ("2h", 7_200_000),
            ("15", 15_000),
        ] {
            assert_eq!(parse_duration(text).unwrap().as_millis(), ms, "{text}");
        }
        for text in ["", "-1s", "10 parsecs", "s", "1e999s", "nan"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(format_duration(Duration::from_millis(90_250)), "1m30s250ms");
    }
}
