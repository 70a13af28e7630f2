//! The page's sources, as they lie in `verifier/page`: nothing is built, nothing is loaded from elsewhere.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../page/", $name)))),*]
    };
}

/// What a browser may ask for.
const FILES: &[(&str, &str)] = files![
    "index.html",
    "page.css",
    "vendor/uPlot.min.css",
    "vendor/uPlot.iife.min.js",
    "api.js",
    "books.js",
    "chart.js",
    "charts.js",
    "comparison.js",
    "dom.js",
    "download.js",
    "downloads.js",
    "failures.js",
    "figure.js",
    "format.js",
    "header.js",
    "incidents.js",
    "lanes.js",
    "limits.js",
    "main.js",
    "marks.js",
    "pods.js",
    "scaling.js",
    "spans.js",
    "spectrum.js",
    "start.js",
    "statistics.js",
    "store.js",
    "table.js",
    "tails.js",
    "theme.js",
    "thin.js",
    "traces.js",
    "verdict.js",
    "waterfall.js",
    "words.js",
];

/// A file of the page by its name (`index.html`, `main.js`, `vendor/...`): its media type and its text.
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
    let mime = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    Some((mime, text))
}
