//! Numbers with wrk's units, and its way to align them (`units.c`, and `print_units` of `wrk.c`).

/// Units of wrk's `units.c`; a unit is left from 0.85 of the next on, and the last of each list is never
/// reached there: its loop looks one ahead.
pub(super) struct Units {
    scale: f64,
    base: &'static str,
    units: &'static [&'static str],
}

const MICROSECONDS: Units = Units {
    scale: 1000.0,
    base: "us",
    units: &["ms"],
};
pub(super) const SECONDS: Units = Units {
    scale: 60.0,
    base: "s",
    units: &["m"],
};
const BINARY: Units = Units {
    scale: 1024.0,
    base: "",
    units: &["K", "M", "G", "T"],
};
const METRIC: Units = Units {
    scale: 1000.0,
    base: "",
    units: &["k", "M", "G", "T"],
};

pub(super) fn scaled(mut amount: f64, units: &Units, decimals: usize) -> String {
    let mut unit = units.base;
    for next in units.units {
        if amount < units.scale * 0.85 {
            break;
        }
        amount /= units.scale;
        unit = next;
    }
    format!("{amount:.decimals$}{unit}")
}

/// `format_time_us` of microseconds.
pub(super) fn time(us: f64) -> String {
    if us >= 1e6 {
        scaled(us / 1e6, &SECONDS, 2)
    } else {
        scaled(us, &MICROSECONDS, 2)
    }
}

/// `format_metric`.
pub(super) fn metric(value: f64) -> String {
    scaled(value, &METRIC, 2)
}

/// `format_binary` of bytes, without their B.
pub(super) fn binary(bytes: f64) -> String {
    scaled(bytes, &BINARY, 2)
}

/// wrk's `print_units`: right-aligned so that the digits and not the units stand below each other, and cut
/// where it does not fit (`%*.*s`).
pub(super) fn cell(text: &str, width: usize) -> String {
    let letter = |c: Option<char>| usize::from(c.is_some_and(|c| c.is_ascii_alphabetic()));
    let mut from_end = text.chars().rev();
    let pad = 2 - letter(from_end.next()) - letter(from_end.next());
    format!("{text:>width$.width$}{:pad$}", "", width = width - pad)
}
