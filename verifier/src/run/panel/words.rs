//! Figures as a person reads them at a glance: three digits, and a unit.

use std::time::Duration;

/// `393 µs`, `4.42 ms`, `11.2 ms`, `1.23 s`.
pub(super) fn time(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 999.5e3 => format!("{} µs", three_digits(ns / 1e3)),
        _ if ns < 999.5e6 => format!("{} ms", three_digits(ns / 1e6)),
        _ => format!("{} s", three_digits(ns / 1e9)),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// `12 345`: digits in groups of three.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// `8 s`, `1:05`, `1:02:05`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// `0.12 %`, `53 %`.
pub(super) fn share(part: u64, of: u64) -> String {
    let percent = part as f64 * 100.0 / of.max(1) as f64;
    match percent {
        _ if part == of || percent == 0.0 => format!("{percent:.0} %"),
        _ if percent < 0.01 => "<0.01 %".to_owned(),
        _ if percent > 99.99 => ">99.99 %".to_owned(),
        _ if !(1.0..=99.0).contains(&percent) => format!("{percent:.2} %"),
        _ => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let times = [
            0,
            393_400,
            999_600,
            4_416_000,
            9_999_000,
            99_960_000,
            1_234_000_000,
        ];
        let words = [
            "0 ns", "393 µs", "1.00 ms", "4.42 ms", "10.0 ms", "100 ms", "1.23 s",
        ];
        assert_eq!(times.map(time), words);
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1 000", "1 234 567"]
        );
        let clocks = [8, 65, 3725].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(clocks, ["8 s", "1:05", "1:02:05"]);
    }

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        let shares = [
            (0, 9),
            (9, 9),
            (1, 1_000_000),
            (1, 1000),
            (1, 2),
            (999, 1000),
        ];
        let words = ["0 %", "100 %", "<0.01 %", "0.10 %", "50 %", "99.90 %"];
        assert_eq!(shares.map(|(part, of)| share(part, of)), words);
        assert_eq!(share(999_999, 1_000_000), ">99.99 %");
    }
}
