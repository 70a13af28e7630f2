//! The page's own files, inside this executable.

/// Media type and text of a file of the page, by the name under which the page asks for it.
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    let html = "text/html; charset=utf-8";
    match name {
        "index.html" => Some((html, include_str!("../../../page/index.html"))),
        _ => None,
    }
}
