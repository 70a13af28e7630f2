//! Text in, its pieces out: those that are trace ids with the address where the trace can be looked at.

use crate::record::TraceLink;

/// A piece of a text.
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Where it leads to.
    pub(super) address: Option<String>,
}

/// The text's words of 32 lower-case hex digits, and what is between them. One piece without a link.
pub(super) fn pieces<'a>(text: &'a str, link: Option<&TraceLink>) -> Vec<Piece<'a>> {
    let plain = |text| Piece {
        text,
        address: None,
    };
    let Some(link) = link else {
        return vec![plain(text)];
    };
    let mut pieces = Vec::new();
    let mut begun = 0;
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut from = 0;
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let id = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if id.len() == 32 && id.chars().all(digit) {
            pieces.push(plain(&text[begun..from]));
            let address = Some(link.to(id));
            pieces.push(Piece { text: id, address });
            begun = from + id.len();
        }
        from += word.len();
    }
    pieces.push(plain(&text[begun..]));
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_found_in_sentences() {
        let link: TraceLink = "http://j/{trace_id}".parse().unwrap();
        let id = "0123456789abcdef0123456789abcdef";
        let text = format!("trace {id}: ä is missing, not x{id} but {id}");
        let found = pieces(&text, Some(&link));
        let joined: String = found.iter().map(|piece| piece.text).collect();
        assert_eq!(joined, text);
        let linked: Vec<_> = found.iter().filter_map(|p| p.address.clone()).collect();
        assert_eq!(linked, vec![format!("http://j/{id}"); 2]);
        assert!(pieces("", Some(&link)).is_empty());
        assert_eq!(pieces(id, None).len(), 1);
    }
}
