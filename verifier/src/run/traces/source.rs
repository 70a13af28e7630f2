//! Where traces come from: what is typed after `--traces`, in; a source with its place, out.

use anyhow::{Context, Result, bail};
use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

/// One source of traces. Several see the same spans: the first is judged, the others are held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The verifier's own OTLP receiver.
    Otlp,
    /// Files that a collector's `file` exporter writes: one file, or a folder of them.
    CollectorFile(PathBuf),
    /// Jaeger's query service: where it takes gRPC (`grpc://`), or answers in JSON (`http://`).
    Jaeger(String),
    /// Tempo: its HTTP address.
    Tempo(String),
    /// Google Cloud Trace.
    CloudTrace(Project),
}

/// A project of Google's cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id or number.
    pub id: String,
    /// What is asked instead of Google, in plain HTTP and without a token: `PROJECT@http://host:port`.
    pub instead: Option<String>,
}

/// Where `just up-local` has its collector write.
const LOCAL_FILE: &str = ".local/traces.json";
const LOCAL_JAEGER: &str = "grpc://127.0.0.1:16685";
const LOCAL_TEMPO: &str = "http://127.0.0.1:3200";

impl Source {
    /// The word that names it in reports and file names.
    pub fn name(&self) -> &'static str {
        match self {
            Source::Otlp => "otlp",
            Source::CollectorFile(_) => "collector-file",
            Source::Jaeger(_) => "jaeger",
            Source::Tempo(_) => "tempo",
            Source::CloudTrace(_) => "cloud-trace",
        }
    }
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Source> {
        let (name, place) = match text.split_once('=') {
            Some((name, place)) => (name, Some(place)),
            None => (text, None),
        };
        if place.is_some_and(str::is_empty) {
            bail!("{text:?}: nothing stands behind the =");
        }
        let url = |local: &str, schemes: &[&str]| url(place.unwrap_or(local), local, schemes);
        Ok(match name {
            "otlp" if place.is_none() => Source::Otlp,
            "otlp" => bail!("where it listens is told by --otlp-grpc and --otlp-http"),
            "collector-file" => Source::CollectorFile(place.unwrap_or(LOCAL_FILE).into()),
            "jaeger" => Source::Jaeger(url(LOCAL_JAEGER, &["grpc", "grpcs", "http", "https"])?),
            "tempo" => Source::Tempo(url(LOCAL_TEMPO, &["http", "https"])?),
            "cloud-trace" => match place {
                Some(project) => Source::CloudTrace(project.parse()?),
                None => bail!("name the project: cloud-trace=PROJECT"),
            },
            _ => bail!(
                "{name:?} is no source of traces: otlp, collector-file[=PATH], jaeger[=URL], tempo[=URL], cloud-trace=PROJECT"
            ),
        })
    }
}

/// What is typed, if it is an address of such a scheme, like the example.
fn url(typed: &str, example: &str, schemes: &[&str]) -> Result<String> {
    let url = typed.trim_end_matches('/');
    match url.split_once("://") {
        Some((scheme, _)) if schemes.contains(&scheme) => {}
        _ => bail!("{url:?} is no address like {example}"),
    }
    url.parse::<http::Uri>()
        .with_context(|| format!("{url:?} is no address like {example}"))?;
    Ok(url.to_owned())
}

impl FromStr for Project {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Project> {
        let (id, instead) = match text.split_once('@') {
            Some((id, address)) => (id, Some(url(address, "http://127.0.0.1:8080", &["http"])?)),
            None => (text, None),
        };
        // Of old ones: `example.com:project`.
        let part_of_id = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
        if id.is_empty() || !id.chars().all(part_of_id) {
            bail!("{id:?} is no id of a Google Cloud project");
        }
        Ok(Project {
            id: id.to_owned(),
            instead,
        })
    }
}

impl Display for Project {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match &self.instead {
            Some(address) => write!(f, "{}@{address}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Otlp => f.write_str("the verifier's own receiver"),
            Source::CollectorFile(path) => path.display().fmt(f),
            Source::Jaeger(url) | Source::Tempo(url) => f.write_str(url),
            Source::CloudTrace(project) => project.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read() {
        let read = |text: &str| text.parse::<Source>();
        assert_eq!(read("otlp").unwrap(), Source::Otlp);
        assert_eq!(read("jaeger").unwrap(), Source::Jaeger(LOCAL_JAEGER.into()));
        assert_eq!(
            read("jaeger=https://jaeger:443/").unwrap(),
            Source::Jaeger("https://jaeger:443".into())
        );
        assert_eq!(
            read("collector-file=/var/traces").unwrap(),
            Source::CollectorFile("/var/traces".into())
        );
        for project in ["my-project", "my-project@http://127.0.0.1:1"] {
            let source = read(&format!("cloud-trace={project}")).unwrap();
            assert_eq!(source.to_string(), project);
        }
        let wrong = [
            "",
            "zipkin",
            "otlp=1",
            "jaeger=",
            "jaeger=host:1",
            "jaeger=http://a b",
            "tempo=grpc://host:1",
            "cloud-trace",
            "cloud-trace=a/b",
            "cloud-trace=@http://127.0.0.1:1",
            "cloud-trace=p@https://127.0.0.1:1",
        ];
        for text in wrong {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
