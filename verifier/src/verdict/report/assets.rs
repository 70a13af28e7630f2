//! The page's own files (`verifier/page/`), inside this executable: for the server, and for the one file that is `report.html`.

/// The document; the others are named in it.
pub(super) const INDEX: &str = include_str!("../../../page/index.html");
/// The library that draws, as a classic script.
pub(super) const PLOT: &str = include_str!("../../../page/vendor/uPlot.iife.min.js");
/// Its style, and the page's.
pub(super) const STYLES: [&str; 2] = [
    include_str!("../../../page/vendor/uPlot.min.css"),
    include_str!("../../../page/page.css"),
];

/// The page's modules by name: each after those that it needs at once, as `modules.txt` has them.
pub(super) const MODULES: &[(&str, &str)] = &[
    ("format.js", include_str!("../../../page/format.js")),
    ("dom.js", include_str!("../../../page/dom.js")),
    ("store.js", include_str!("../../../page/store.js")),
    ("theme.js", include_str!("../../../page/theme.js")),
    ("thin.js", include_str!("../../../page/thin.js")),
    ("marks.js", include_str!("../../../page/marks.js")),
    ("chart.js", include_str!("../../../page/chart.js")),
    ("download.js", include_str!("../../../page/download.js")),
    ("table.js", include_str!("../../../page/table.js")),
    ("figure.js", include_str!("../../../page/figure.js")),
    ("spectrum.js", include_str!("../../../page/spectrum.js")),
    ("charts.js", include_str!("../../../page/charts.js")),
    ("api.js", include_str!("../../../page/api.js")),
    ("lanes.js", include_str!("../../../page/lanes.js")),
    ("words.js", include_str!("../../../page/words.js")),
    ("waterfall.js", include_str!("../../../page/waterfall.js")),
    ("header.js", include_str!("../../../page/header.js")),
    ("start.js", include_str!("../../../page/start.js")),
    ("statistics.js", include_str!("../../../page/statistics.js")),
    ("failures.js", include_str!("../../../page/failures.js")),
    ("spans.js", include_str!("../../../page/spans.js")),
    ("tails.js", include_str!("../../../page/tails.js")),
    ("traces.js", include_str!("../../../page/traces.js")),
    ("pods.js", include_str!("../../../page/pods.js")),
    ("scaling.js", include_str!("../../../page/scaling.js")),
    ("incidents.js", include_str!("../../../page/incidents.js")),
    ("downloads.js", include_str!("../../../page/downloads.js")),
    ("books.js", include_str!("../../../page/books.js")),
    ("limits.js", include_str!("../../../page/limits.js")),
    ("verdict.js", include_str!("../../../page/verdict.js")),
    ("comparison.js", include_str!("../../../page/comparison.js")),
    ("main.js", include_str!("../../../page/main.js")),
];

/// The terms of the library that draws: they go where it goes.
pub(super) const LICENCE: &str = include_str!("../../../page/vendor/uPlot.LICENSE");

/// Media type and text of a file of the page, by the name under which the page asks for it.
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    const CSS: &str = "text/css; charset=utf-8";
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    match name {
        "index.html" => Some(("text/html; charset=utf-8", INDEX)),
        "page.css" => Some((CSS, STYLES[1])),
        "vendor/uPlot.min.css" => Some((CSS, STYLES[0])),
        "vendor/uPlot.iife.min.js" => Some((SCRIPT, PLOT)),
        _ => {
            let module = MODULES.iter().find(|(module, _)| *module == name);
            module.map(|(_, text)| (SCRIPT, *text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modules_are_those_of_the_list_in_its_order() {
        let listed = include_str!("../../../page/modules.txt").lines();
        assert!(listed.eq(MODULES.iter().map(|(name, _)| *name)));
    }

    #[test]
    fn every_file_that_the_document_names_is_there() {
        for part in INDEX
            .split(['"'])
            .filter(|part| part.ends_with(".js") || part.ends_with(".css"))
        {
            assert!(asset(part).is_some(), "{part}");
        }
        assert!(asset("modules.txt").is_none());
    }

    /// What can not be joined into one script is not there: imports of several lines, defaults, lists of names after the fact.
    #[test]
    fn modules_can_be_joined() {
        for (name, text) in MODULES {
            for line in text.lines() {
                let import = line.starts_with("import ");
                let whole = line.ends_with(".js';") && line.contains(" from './");
                assert!(!import || whole, "{name}: {line}");
                let declares = ["const ", "let ", "function ", "async function ", "class "];
                let known = |rest: &str| declares.iter().any(|d| rest.starts_with(d));
                let export = line.strip_prefix("export ");
                assert!(export.is_none_or(known), "{name}: {line}");
            }
        }
    }

    /// Inlined, no source may end its own element, or begin what the browser would read as markup of a script.
    #[test]
    fn sources_stay_in_their_elements() {
        let modules = MODULES.iter().map(|(_, text)| *text);
        for text in modules.chain([PLOT]).chain(STYLES) {
            for end in ["</script", "<!--", "</style", "<script", "\r"] {
                assert!(!text.to_lowercase().contains(end), "{end:?} in {text:.200}");
            }
        }
    }
}
