//! W3C Trace Context in: `traceparent` and `tracestate` headers to a parent, or to none where the
//! recommendation says that the trace starts here (w3.org/TR/trace-context, sections 3.2 and 3.3).

use http::HeaderMap;

/// The caller's span. Its sampled flag is not kept: every request is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Trace id, not all zero.
    pub trace_id: [u8; 16],
    /// The caller's span id, not all zero.
    pub span_id: [u8; 8],
    /// `tracestate`, several headers joined; empty if there is none or it is malformed.
    pub trace_state: Box<str>,
}

/// What the recommendation asks to be kept at least; longer ones are dropped whole.
const TRACE_STATE_BYTES: usize = 512;
const TRACE_STATE_MEMBERS: usize = 32;

/// The parent that the headers name, if they name exactly one and it is well formed.
pub fn parent(headers: &HeaderMap) -> Option<Parent> {
    // Most requests have none, and then a single look-up is all there is.
    let value = headers.get("traceparent")?;
    if headers.get_all("traceparent").iter().nth(1).is_some() {
        return None;
    }
    let (trace_id, span_id) = traceparent(value.as_bytes())?;
    Some(Parent {
        trace_id,
        span_id,
        trace_state: trace_state(headers).unwrap_or_default(),
    })
}

/// The ids in one `traceparent`, if it is well formed.
pub(super) fn traceparent(text: &[u8]) -> Option<([u8; 16], [u8; 8])> {
    let (fields, rest) = text.split_first_chunk::<55>()?;
    let dashes = fields[2] == b'-' && fields[35] == b'-' && fields[52] == b'-';
    let digits = digits(fields)?;
    let version = digits[0] << 4 | digits[1];
    // Version 0 ends here; a later one may go on after another dash; ff is forbidden.
    let ends = if version == 0 {
        rest.is_empty()
    } else {
        rest.first().is_none_or(|b| *b == b'-')
    };
    if version == 0xff || !ends || !dashes {
        return None;
    }
    let trace_id: [u8; 16] = bytes(&digits[3..35]);
    let span_id: [u8; 8] = bytes(&digits[36..52]);
    (trace_id != [0; 16] && span_id != [0; 8]).then_some((trace_id, span_id))
}

/// The value of each lowercase hexadecimal digit, and zero in the three places between the fields.
/// Without a branch or a table, so that the compiler takes many at once.
fn digits(fields: &[u8; 55]) -> Option<[u8; 64]> {
    let mut digits = [b'0'; 64];
    digits[..55].copy_from_slice(fields);
    for between in [2, 35, 52] {
        digits[between] = b'0';
    }
    let mut wrong = 0;
    for digit in &mut digits {
        let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
        let of_letter = if letter < 6 { letter + 10 } else { 0xff };
        *digit = if decimal < 10 { decimal } else { of_letter };
        wrong |= *digit;
    }
    (wrong < 16).then_some(digits)
}

/// Two digits a byte.
fn bytes<const N: usize>(digits: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    bytes
}

fn trace_state(headers: &HeaderMap) -> Option<Box<str>> {
    let mut joined = String::new();
    let mut members = 0;
    for value in headers.get_all("tracestate") {
        for member in value
            .to_str()
            .ok()?
            .split(',')
            .map(|m| m.trim_matches([' ', '\t']))
        {
            if member.is_empty() {
                continue;
            }
            members += 1;
            if !well_formed(member) || members > TRACE_STATE_MEMBERS {
                return None;
            }
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(member);
        }
    }
    (joined.len() <= TRACE_STATE_BYTES).then(|| joined.into())
}

fn well_formed(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let in_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    let starts = key
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let in_value = |b: u8| (0x20..=0x7e).contains(&b) && b != b'=';
    starts
        && key.len() <= 256
        && key.bytes().all(in_key)
        && !value.is_empty()
        && value.bytes().all(in_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn of(traceparents: &[&str], tracestates: &[&str]) -> Option<Parent> {
        let mut headers = HeaderMap::new();
        for value in traceparents {
            headers.append("traceparent", value.parse().unwrap());
        }
        for value in tracestates {
            headers.append("tracestate", value.parse().unwrap());
        }
        parent(&headers)
    }

    #[test]
    fn a_well_formed_parent_is_continued_whatever_its_flags() {
        for flags in ["00", "01", "ff"] {
            let parent = of(&[&format!("00-{TRACE}-b7ad6b7169203331-{flags}")], &[]).unwrap();
            assert_eq!(parent.trace_id[..2], [0x0a, 0xf7]);
            assert_eq!(
                parent.span_id,
                [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]
            );
        }
    }

    #[test]
    fn later_versions_are_read_as_far_as_we_know_them() {
        assert!(of(&[&format!("cc-{TRACE}-b7ad6b7169203331-01")], &[]).is_some());
        assert!(
            of(
                &[&format!(
                    "cc-{TRACE}-b7ad6b7169203331-01-what-the-future-brings"
                )],
                &[]
            )
            .is_some()
        );
        assert!(of(&[&format!("cc-{TRACE}-b7ad6b7169203331-01.no")], &[]).is_none());
    }

    #[test]
    fn anything_else_starts_a_new_trace() {
        let upper = TRACE.to_uppercase();
        for bad in [
            "".to_owned(),
            "00".to_owned(),
            format!("00-{TRACE}-b7ad6b7169203331"),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("00-{TRACE}-b7ad6b7169203331-01 "),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{upper}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-b7ad6b716920333g-01"),
            format!("00-{TRACE}-b7ad6b7169203331-0x"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00_{TRACE}-b7ad6b7169203331-01"),
        ] {
            assert_eq!(of(&[&bad], &["a=1"]), None, "{bad}");
        }
        let good = format!("00-{TRACE}-b7ad6b7169203331-01");
        assert_eq!(of(&[&good, &good], &[]), None, "two are none");
    }

    #[test]
    fn tracestate_is_joined_or_dropped_whole() {
        let good = format!("00-{TRACE}-b7ad6b7169203331-01");
        let state = |states: &[&str]| of(&[&good], states).unwrap().trace_state.to_string();
        assert_eq!(state(&["a=1 , b@c=2", "", "d=x y"]), "a=1,b@c=2,d=x y");
        assert_eq!(state(&["A=1"]), "");
        assert_eq!(state(&["a"]), "");
        assert_eq!(state(&["a=1", &format!("b={}", "x".repeat(600))]), "");
        assert_eq!(state(&[&vec!["k=v"; 33].join(",")]), "");
    }
}
