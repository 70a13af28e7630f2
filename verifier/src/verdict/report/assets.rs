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
    "chart.js",
    "charts.js",
    "dom.js",
    "download.js",
    "figure.js",
    "format.js",
    "header.js",
    "main.js",
    "marks.js",
    "spectrum.js",
    "start.js",
    "statistics.js",
    "store.js",
    "table.js",
    "theme.js",
    "thin.js",
];

/// The own modules, one name a line, each after those that it needs at once.
const MODULES: &str = include_str!("../../../page/modules.txt");
/// The terms of the chart library, which go where it goes.
pub(super) const LICENCE: &str = include_str!("../../../page/vendor/uPlot.LICENSE");

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

/// All modules as one script: their imports of each other and the word `export` taken out.
pub(super) fn joined() -> String {
    let mut script = String::new();
    for name in MODULES.lines() {
        let text = asset(name).map_or("", |(_, text)| text);
        for line in text.lines().filter(|line| !line.starts_with("import ")) {
            script += line.strip_prefix("export ").unwrap_or(line);
            script.push('\n');
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn names_in(folder: &str, of: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let entries = std::fs::read_dir(page.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| of(name)).collect()
    }

    #[test]
    fn every_source_is_in_the_program_and_every_module_in_the_report() {
        let served =
            |name: &str| name.ends_with(".html") || name.ends_with(".css") || name.ends_with(".js");
        let mut there = names_in("", |name| served(name) && !name.contains(".config."));
        let vendored = names_in("vendor", served).into_iter();
        there.extend(vendored.map(|name| format!("vendor/{name}")));
        let known: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(
            known, there,
            "the list in assets.rs is not what verifier/page holds"
        );
        let modules: BTreeSet<&str> = MODULES.lines().collect();
        let own: BTreeSet<&str> = known
            .iter()
            .map(String::as_str)
            .filter(|n| n.ends_with(".js") && !n.contains('/'))
            .collect();
        assert_eq!(modules, own, "modules.txt is not what verifier/page holds");
    }

    /// What `joined` can not do is not there: imports of several lines, defaults, lists of names after the fact.
    #[test]
    fn modules_can_be_joined() {
        for name in MODULES.lines() {
            let (_, text) = asset(name).unwrap();
            for line in text.lines() {
                let import = line.starts_with("import ");
                assert!(
                    !import || line.ends_with(".js';") && line.contains(" from './"),
                    "{name}: {line}"
                );
                let export = line.strip_prefix("export ");
                let declares = ["const ", "let ", "function ", "async function ", "class "];
                assert!(
                    export.is_none_or(|rest| declares.iter().any(|d| rest.starts_with(d))),
                    "{name}: {line}"
                );
            }
        }
        assert!(!joined().contains("\nexport ") && joined().len() > 10_000);
    }

    /// Inlined, no source may end its own element, or begin what the browser would read as markup of a script.
    #[test]
    fn sources_stay_in_their_elements() {
        for (name, text) in FILES.iter().filter(|(name, _)| *name != "index.html") {
            for end in ["</script", "<!--", "</style", "<script", "\r"] {
                assert!(!text.to_lowercase().contains(end), "{name} holds {end:?}");
            }
        }
    }
}
