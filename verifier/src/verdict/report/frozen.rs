//! The page as one file that needs nothing else: `report.html`. Its parts go in as they are, each allowed by its hash.

use super::assets::{INDEX, MODULES, PLOT, STYLES};
use crate::verdict::outcome::Verdict;
use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::html;
use sha2::{Digest, Sha256};

/// The file, of the page's document in JSON.
///
/// # Errors
/// When the page's own frame lacks a place for one of its parts.
pub(super) fn to_html(page_json: &str, verdict: Option<&Verdict>) -> Result<String> {
    let script = joined();
    let style = STYLES.concat();
    let policy = format!(
        "default-src 'none'; script-src {} {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        hash(PLOT),
        hash(&script),
        hash(&style),
    );
    let mut frame = Frame(INDEX.to_owned());
    frame.put(
        "<meta charset=\"utf-8\">",
        &format!("<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">"),
    )?;
    frame.put(
        "<link rel=\"stylesheet\" href=\"vendor/uPlot.min.css\">\n",
        "",
    )?;
    frame.put(
        "<link rel=\"stylesheet\" href=\"page.css\">",
        &format!("<style>{style}</style>"),
    )?;
    frame.put(
        "<script src=\"vendor/uPlot.iife.min.js\"></script>",
        &format!("<script>{PLOT}</script>"),
    )?;
    frame.put(
        "<script type=\"module\" src=\"main.js\"></script>",
        &format!("<script type=\"module\">{script}</script>"),
    )?;
    frame.put("<noscript>", &format!("<noscript>{}", in_words(verdict)))?;
    // The last one: what a run says must not be taken for a place.
    frame.put(
        "id=\"page\">null<",
        &format!("id=\"page\">{}<", for_html(page_json)),
    )?;
    Ok(frame.0)
}

/// What is being put together.
struct Frame(String);

impl Frame {
    fn put(&mut self, place: &str, part: &str) -> Result<()> {
        ensure!(
            self.0.matches(place).count() == 1,
            "the page's index.html does not have {place:?} once"
        );
        self.0 = self.0.replacen(place, part, 1);
        Ok(())
    }
}

/// All modules as one script: their names are unique over all of them, so that imports and exports can go.
fn joined() -> String {
    let mut script = String::new();
    for line in MODULES.iter().flat_map(|(_, text)| text.lines()) {
        if line.starts_with("import ") {
            continue;
        }
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script
}

/// As a source in a Content-Security-Policy, <https://www.w3.org/TR/CSP3/#grammardef-hash-source>.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// JSON within a script element: nothing in it may look like the element's end, or open a comment.
fn for_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// The verdict for who reads without JavaScript.
fn in_words(verdict: Option<&Verdict>) -> String {
    let Some(verdict) = verdict else {
        return String::new();
    };
    let markup = html! {
        h1 { (verdict.outcome.word()) ": " (verdict.run.plan) ", " (verdict.run.id) }
        ul { @for reason in &verdict.reasons { li { (reason) } } }
    };
    markup.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_run_can_not_leave_its_element() {
        let json = r#"{"label":"</script><script>alert(1)</script><!-- \u2028"}"#;
        let html = to_html(json, None).unwrap_or_default();
        assert!(!html.contains("alert(1)</script>"));
        assert!(html.contains(r"\u003c/script>\u003cscript>alert(1)\u003c/script>\u003c!--"));
    }

    #[test]
    fn one_script_has_neither_imports_nor_exports() {
        let script = joined();
        let outside = |line: &str| line.starts_with("import ") || line.starts_with("export ");
        assert!(!script.lines().any(outside));
        assert!(!script.contains("</script"), "it would end its element");
        assert!(!PLOT.contains("</script"));
        assert!(!STYLES.concat().contains("</style"));
    }
}
