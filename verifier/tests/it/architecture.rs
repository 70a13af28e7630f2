//! The import rule: in `verifier/src`, imports only point up the list of rooms in ARCHITECTURE.md,
//! siblings under `run/` never import each other, and third-party crates stay in their homes.

use std::fs;
use std::path::{Path, PathBuf};

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../service/src");

/// Rooms in the order in which they may import each other: each only those before it.
const ORDER: [&str; 5] = ["plan", "record", "run", "verdict", "web"];
/// What a room may import of ours, where that is less than everything before it.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("plan", &[]),
    ("record", &[]),
    ("run", &["plan", "record"]),
    ("verdict", &["plan", "record"]),
    ("web", &["plan", "record", "verdict"]),
];

/// Homes of the crates that speak to a cluster.
const KUBERNETES: &[&str] = &[
    "run/check/",
    "run/cluster/",
    "run/faults/",
    "run/kubernetes.rs",
];

fn sources(root: &Path) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                out.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    out.sort();
    assert!(!out.is_empty(), "no sources under {}", root.display());
    out
}

/// Rooms of ours that a line of code names: `crate::room`, or `crate::{a::.., b::..}` on one line.
fn imports(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text
        .lines()
        .map(str::trim_start)
        .filter(|l| !l.starts_with("//"))
    {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list
                    .split([',', '{', '}'])
                    .map(|n| n.trim().split("::").next().unwrap_or(""))
                    .collect(),
                None => vec![
                    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                        .next()
                        .unwrap_or(""),
                ],
            };
            out.extend(names.into_iter().map(str::to_owned));
        }
    }
    out
}

fn room(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_only_point_up_the_list() {
    let mut wrong = Vec::new();
    for (path, text) in sources(Path::new(SRC)) {
        let here = room(&path);
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == here) else {
            continue;
        };
        for import in imports(&text) {
            if import != here
                && ORDER.contains(&import.as_str())
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{}: imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nobody_imports_the_window_but_what_opens_it() {
    let opens = ["main.rs", "cli/page.rs", "lib.rs"].map(Path::new);
    for (path, text) in sources(Path::new(SRC)) {
        let inside = path.starts_with("web") || opens.contains(&path.as_path());
        let web = imports(&text).contains(&"web".to_owned()) || text.contains("verifier::web");
        assert!(inside || !web, "{} imports web", path.display());
    }
}

#[test]
fn siblings_under_run_never_import_each_other() {
    let siblings = ["load", "traces", "target", "cluster", "faults", "panel"];
    let mut wrong = Vec::new();
    for (path, text) in sources(&Path::new(SRC).join("run")) {
        let here = room(&path);
        if !siblings.contains(&here.as_str()) {
            continue; // the conductor knows them all
        }
        for other in siblings.iter().filter(|s| **s != here) {
            let code: Vec<&str> = text
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .collect();
            if code.iter().any(|l| {
                l.contains(&format!("run::{other}"))
                    || l.contains(&format!("super::{other}::"))
                    || l.contains(&format!("super::super::{other}"))
            }) {
                wrong.push(format!("run/{}: imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_homes() {
    let homes: [(&str, &[&str]); 16] = [
        ("axum", &["web/"]),
        ("clap", &["cli/", "main.rs"]),
        ("iris_prediction_api", &["run/target/embedded.rs"]),
        (
            "parquet",
            &[
                "record/parquet.rs",
                "record/mod.rs",
                "record/folder.rs",
                "record/chunks.rs",
                "record/one.rs",
            ],
        ),
        ("mio", &["run/load/"]),
        ("sha2", &["verdict/report/frozen.rs"]),
        ("ratatui", &["run/panel/"]),
        (
            "csv",
            &[
                "verdict/report/legacy/",
                "verdict/report/opentelemetry_traces/",
            ],
        ),
        ("hdrhistogram", &["verdict/report/legacy/"]),
        ("rustls", &["run/load/", "run/traces/client.rs"]),
        ("hyper_rustls", &["run/traces/client.rs"]),
        ("gcp_auth", &["run/traces/cloud_trace/google.rs"]),
        ("prost", &["run/traces/"]),
        ("h2", &["run/load/"]),
        ("kube", KUBERNETES),
        ("k8s_openapi", KUBERNETES),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources(Path::new(SRC)) {
        let path = path.display().to_string();
        for (name, homes) in homes {
            let used = text.lines().any(|l| {
                !l.trim_start().starts_with("//")
                    && (l.contains(&format!("use {name}")) || l.contains(&format!(" {name}::")))
            });
            if used && !homes.iter().any(|home| path.starts_with(home)) {
                wrong.push(format!("{path}: uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_service_never_knows_the_verifier_and_its_model_is_pure() {
    for (path, text) in sources(Path::new(SERVICE)) {
        let shown = path.display();
        let code: String = text
            .lines()
            .filter(|l| !l.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        assert!(!code.contains("verifier::"), "{shown} knows the verifier");
        if path.starts_with("model") {
            for foreign in [
                "axum",
                "tracing::",
                "tokio",
                "crate::http",
                "crate::telemetry",
                "crate::predict",
            ] {
                assert!(
                    !code.contains(foreign),
                    "{shown}: the model knows {foreign}"
                );
            }
        }
        if path.starts_with("predict") {
            assert!(
                !code.contains("crate::http"),
                "{shown}: predict imports http"
            );
        }
        if path.starts_with("telemetry") {
            for foreign in ["crate::http", "crate::predict", "crate::model"] {
                assert!(
                    !code.contains(foreign),
                    "{shown}: telemetry knows {foreign}"
                );
            }
        }
    }
}

#[test]
fn every_file_opens_with_what_it_takes_and_gives() {
    for root in [SRC, SERVICE] {
        for (path, text) in sources(Path::new(root)) {
            assert!(
                text.starts_with("//!"),
                "{} does not open with //!",
                path.display()
            );
        }
    }
}
