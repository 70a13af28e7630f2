//! `report.html`: the page as one file. Styles, scripts and the document are inlined, everything else is forbidden by its
//! Content Security Policy: no network, no script but those whose hashes it names.

use super::assets::{INDEX, LICENCE, MODULES, asset};
use crate::verdict::page::Page;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Reasons and warnings that a reader without scripts sees.
const MOST_SENTENCES: usize = 50;

/// The file; `json` is the page's document.
///
/// # Errors
/// When the page's sources do not have the places where things are put: never, for those that were tested.
pub(super) fn to_html(page: &Page, json: &str) -> Result<String> {
    let mut html = INDEX.to_owned();
    let title_there = "<title>verifier</title>";
    let title_here = format!("<title>{}</title>", escaped(&title(page)));
    put(&mut html, title_there, &title_here)?;
    let from = html
        .find("<noscript>")
        .context("index.html has no noscript")?;
    let to = html
        .find("</noscript>")
        .context("index.html has no end of its noscript")?;
    html.replace_range(from..to, &format!("<noscript>{}", without_script(page)));
    let styles = inlined(
        &mut html,
        ["<link rel=\"stylesheet\" href=\"", "\">"],
        "style",
    )?;
    let mut scripts = inlined(&mut html, ["<script src=\"", "\"></script>"], "script")?;
    let script = joined();
    scripts.push(hash(&script));
    let main = "<script type=\"module\" src=\"main.js\"></script>";
    put(
        &mut html,
        main,
        &format!("<script type=\"module\">{script}</script>"),
    )?;
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        scripts.join(" "),
        styles.join(" ")
    );
    let charset = "<meta charset=\"utf-8\">";
    let meta = format!(
        "{charset}\n<!-- The chart library uPlot is part of this file.\n{}\n-->\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">",
        LICENCE.trim_end()
    );
    put(&mut html, charset, &meta)?;
    // Last: a text of the target that looks like one of the places is not taken for it.
    put(
        &mut html,
        "id=\"page\">null<",
        &format!("id=\"page\">{}<", embedded(json)),
    )?;
    Ok(html)
}

fn source(name: &str) -> Result<&'static str> {
    let (_, text) = asset(name).with_context(|| format!("the page has no {name}"))?;
    Ok(text)
}

/// Puts each file in its element's place; gives the hashes of what was put.
fn inlined(html: &mut String, [before, after]: [&str; 2], element: &str) -> Result<Vec<String>> {
    let mut hashes = Vec::new();
    while let Some(from) = html.find(before) {
        let name = from + before.len();
        let length = html[name..]
            .find(after)
            .context("index.html: an element without its end")?;
        let text = source(&html[name..name + length])?;
        hashes.push(hash(text));
        let whole = from..name + length + after.len();
        html.replace_range(whole, &format!("<{element}>{text}</{element}>"));
    }
    Ok(hashes)
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

fn put(html: &mut String, place: &str, text: &str) -> Result<()> {
    let from = html
        .find(place)
        .with_context(|| format!("index.html has no {place}"))?;
    html.replace_range(from..from + place.len(), text);
    Ok(())
}

/// As a policy names a script or a style (w3.org/TR/CSP3, "hash-source").
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// JSON that ends no script and breaks no line of one.
fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

fn title(page: &Page) -> String {
    let outcome = page.verdict.as_ref().map_or("RUN", |v| v.outcome.word());
    format!("{outcome} · {}", page.run.id)
}

/// What a reader without scripts gets: the verdict, why, and where the figures are.
fn without_script(page: &Page) -> String {
    let mut html = String::from("<ul>");
    if let Some(verdict) = &page.verdict {
        let head = format!(
            "{}: {}, {}",
            verdict.outcome.word(),
            verdict.run.plan,
            verdict.run.id
        );
        html = format!("<h1>{}</h1>\n<ul>", escaped(&head));
        let reasons = verdict.reasons.iter().cloned();
        let warnings = verdict.warnings.iter().map(|w| format!("Warning: {w}"));
        for sentence in reasons.chain(warnings).take(MOST_SENTENCES) {
            let sentence: String = sentence.chars().take(500).collect();
            html += &format!("<li>{}</li>\n", escaped(&sentence));
        }
    }
    html + "</ul>\n<p>This file draws the run by JavaScript, which is switched off here. report.md beside it holds the same \
        figures as text, verdict.json and page.json hold them as JSON.</p>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_stays_in_its_script() {
        assert_eq!(embedded("</script>\u{2028}"), "\\u003c/script>\\u2028");
        assert_eq!(escaped("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }

    #[test]
    fn hashes_are_those_that_browsers_compute() {
        // Of the specification's own example (w3.org/TR/CSP3, "hash-source").
        let expected = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert_eq!(hash("alert('Hello, world.');"), expected);
    }

    #[test]
    fn everything_is_inlined() {
        let html = to_html(&Page::default(), "{\"schema\":\"id=\\\"page\\\">null<\"}").unwrap();
        for outside in [
            "<script src",
            "<link rel=\"stylesheet\"",
            "src=\"main.js\"",
            "@import",
            "url(",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert_eq!(html.matches("'sha256-").count(), 4);
        assert!(html.contains("id=\"page\">{\"schema\":\"id="));
    }
}
