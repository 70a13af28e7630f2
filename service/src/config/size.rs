//! Sizes as people write them: `1048576`, `1024KiB`, `1MiB`.

const UNITS: [(&str, u64); 8] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
    ("", 1),
];

/// A number of bytes, above zero.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let unit = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, bytes)| *bytes);
    let number = digits
        .trim()
        .parse::<u64>()
        .ok()
        .filter(|number| *number > 0);
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "not a size; write 65536, 64KiB or 1MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn units_are_understood_and_nonsense_is_not() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("2 MB"), Ok(2_000_000));
        assert_eq!(bytes("1gib"), Ok(1 << 30));
        for nonsense in [
            "",
            "0",
            "-1",
            "1.5MiB",
            "1 parsec",
            "MiB",
            "99999999999GiB",
            "é",
        ] {
            assert!(bytes(nonsense).is_err(), "{nonsense}");
        }
    }
}
