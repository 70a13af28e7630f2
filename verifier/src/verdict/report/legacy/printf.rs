//! Numbers as C's printf and C++'s streams write them, where Rust's own formatting differs.

/// C's `%g` with six significant digits, which is what `std::ostream << double` writes
/// (C11 7.21.6.1): no trailing zeros, and an exponent below -4 or from 6 on.
pub(super) fn general(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 {
            "0".to_owned()
        } else {
            value.to_string().to_lowercase()
        };
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

/// C's `%.2f%%` of a share in percent; glibc writes 0/0 as `-nan` on x86, and so does wrk for an empty run.
pub(super) fn percent(value: f64) -> String {
    if value.is_nan() {
        "-nan%".to_owned()
    } else {
        format!("{value:.2}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_c_writes_it() {
        // What printf("%g") prints of each.
        let pairs = [
            (0.0, "0"),
            (2.5, "2.5"),
            (100.0, "100"),
            (83063.4, "83063.4"),
            (999_999.4, "999999"),
            (999_999.6, "1e+06"),
            (1_234_567.0, "1.23457e+06"),
            (0.000_123_456_78, "0.000123457"),
            (0.000_012_345, "1.2345e-05"),
        ];
        for (value, text) in pairs {
            assert_eq!(general(value), text);
        }
        assert_eq!(percent(f64::NAN), "-nan%");
    }
}
