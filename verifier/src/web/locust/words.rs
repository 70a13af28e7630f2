//! Locust's words and roundings: names, states, errors, response times in its own coarse buckets. As in `legacy/`.

use crate::record::Outcome;
use crate::verdict::page::State;

/// A request's name: with several stages, each is a name of its own.
pub(super) fn sum_name(name: &str, stage: Option<&str>) -> String {
    match stage {
        Some(stage) => format!("{name} [{stage}]"),
        None => name.to_owned(),
    }
}

/// Locust's states (`locust/runners.py` of 2.47.0).
pub(super) fn state(state: State, spawning: bool) -> &'static str {
    match state {
        State::Idle => "ready",
        State::Starting => "spawning",
        State::Running if spawning => "spawning",
        State::Running => "running",
        State::Draining | State::Judging => "cleanup",
        State::Ended => "stopped",
    }
}

/// A failure in the words that Locust's HttpUser has for it: the exception of `requests`, as Python shows it.
pub(super) fn error(path: &str, timeout: Option<f64>, status: u16, outcome: Outcome) -> String {
    match outcome {
        Outcome::Timeout => match timeout {
            Some(timeout) => format!("ReadTimeout('no whole answer, read timeout={timeout}')"),
            None => "ReadTimeout('no whole answer')".to_owned(),
        },
        Outcome::ConnectError | Outcome::Unsent => {
            "ConnectionError('no connection could be made')".to_owned()
        }
        Outcome::Reset => {
            "ConnectionError('the connection ended before a whole answer')".to_owned()
        }
        Outcome::HttpError | Outcome::Ok => {
            let whose = if status < 500 { "Client" } else { "Server" };
            let reason = http::StatusCode::from_u16(status).ok();
            let reason = reason
                .and_then(|status| status.canonical_reason())
                .unwrap_or("");
            format!("HTTPError('{status} {whose} Error: {reason} for url: {path}')")
        }
    }
}

/// `bucket_response_time`: whole milliseconds below 100, tens below 1000, hundreds below 10 000, then thousands; halves to
/// the even neighbour, as Python rounds.
pub(super) fn rounded_ms(ms: f64) -> u64 {
    let step = match ms as u64 {
        0..100 => 1.0,
        100..1000 => 10.0,
        1000..10_000 => 100.0,
        _ => 1000.0,
    };
    ((ms / step).round_ties_even() * step) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_times_are_those_of_locust() {
        for (ms, rounded) in [
            (0.4, 0),
            (0.5, 0),
            (1.5, 2),
            (99.4, 99),
            (99.6, 100),
            (104.9, 100),
            (147.0, 150),
            (999.9, 1000),
            (3432.0, 3400),
            (10_499.0, 10_000),
            (58_760.0, 59_000),
        ] {
            assert_eq!(rounded_ms(ms), rounded, "{ms}");
        }
    }
}
