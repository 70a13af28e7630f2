//! The secret that whoever looks from another machine must know.

use anyhow::{Result, anyhow, ensure};
use std::hint::black_box;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// The secret.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// 128 bits of the operating system's randomness, in hex.
    ///
    /// # Errors
    /// When it has none to give.
    pub(super) fn random() -> Result<Token> {
        let word =
            || getrandom::u64().map_err(|error| anyhow!("no randomness for a token: {error}"));
        Ok(Token(format!("{:016x}{:016x}", word()?, word()?)))
    }

    /// One that somebody chose.
    ///
    /// # Errors
    /// When it is too short, or has characters that would have to be quoted in an address or a cookie.
    pub(super) fn chosen(text: &str) -> Result<Token> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        ensure!(
            text.len() >= SHORTEST && text.chars().all(plain),
            "--web-token: at least {SHORTEST} letters, digits, '-', '.', '_' or '~', so that nobody guesses it"
        );
        Ok(Token(text.to_owned()))
    }

    /// Whether it is this one. How long that takes says nothing about where they differ.
    pub(super) fn is(&self, other: &str) -> bool {
        let (mine, other) = (self.0.as_bytes(), other.as_bytes());
        let pairs = mine.iter().zip(other);
        let differ = pairs.fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
        mine.len() == other.len() && black_box(differ) == 0
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_itself() {
        let token = Token::random().unwrap();
        assert_eq!(token.text().len(), 32);
        assert!(token.is(token.text()));
        let mut other = token.text().to_owned();
        for wrong in ["", "a", &token.text()[1..], &format!("{}a", token.text())] {
            assert!(!token.is(wrong), "{wrong}");
        }
        other.replace_range(31.., if other.ends_with('0') { "1" } else { "0" });
        assert!(!token.is(&other));
        assert!(Token::chosen("short").is_err());
        assert!(Token::chosen("sixteen letters;").is_err());
        assert!(Token::chosen("sixteen-letters.").is_ok());
    }
}
