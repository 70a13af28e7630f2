//! An API server that tests are in command of: lists, watches that resume at a version, refusals, cut connections, logs.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::watch;

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Default)]
struct State {
    version: u64,
    /// What was before it is forgotten.
    oldest: u64,
    /// By collection and UID.
    objects: BTreeMap<(String, String), Value>,
    changes: Vec<(u64, String, Value)>,
    /// What a collection answers instead.
    refusals: BTreeMap<String, (u16, String)>,
    /// Who may ask.
    token: Option<String>,
    away: bool,
    /// A pod's log, and whether it has ended.
    logs: BTreeMap<String, (String, bool)>,
    requests: Vec<String>,
}

/// The server; ends with its runtime.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    cuts: watch::Sender<u64>,
    pub address: SocketAddr,
}

impl ApiServer {
    pub async fn start() -> ApiServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = ApiServer {
            state: Arc::default(),
            changed: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
            address: listener.local_addr().unwrap(),
        };
        server.state().version = 1;
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !accepting.state().away {
                    tokio::spawn(accepting.clone().serve(stream));
                }
            }
        });
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Until the connection ends, or is cut.
    async fn serve(self, stream: tokio::net::TcpStream) {
        let mut cuts = self.cuts.subscribe();
        let service = service_fn(|request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(&request)) }
        });
        let serving = hyper::server::conn::http1::Builder::new();
        tokio::select! {
            _ = serving.serve_connection(TokioIo::new(stream), service) => {}
            _ = cuts.changed() => {}
        }
    }

    /// Makes or changes an object.
    pub fn put(&self, collection: &str, object: Value) {
        self.change(collection, object, false);
    }

    /// Takes one away.
    pub fn delete(&self, collection: &str, uid: &str) {
        let key = (collection.to_owned(), uid.to_owned());
        let object = self.state().objects[&key].clone();
        self.change(collection, object, true);
    }

    fn change(&self, collection: &str, mut object: Value, deleted: bool) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
        let key = (collection.to_owned(), uid);
        let kind = match (deleted, state.objects.contains_key(&key)) {
            (true, _) => "DELETED",
            (false, true) => "MODIFIED",
            (false, false) => "ADDED",
        };
        let change = json!({ "type": kind, "object": object });
        match deleted {
            true => drop(state.objects.remove(&key)),
            false => drop(state.objects.insert(key, object)),
        }
        state.changes.push((version, collection.to_owned(), change));
        drop(state);
        self.changed.send_replace(version);
    }

    /// Tells every watch of this collection how far it is.
    pub fn bookmark(&self, collection: &str) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        let mark = json!({ "type": "BOOKMARK", "object": { "kind": "X", "apiVersion": "v1", "metadata": { "resourceVersion": version.to_string() } } });
        state.changes.push((version, collection.to_owned(), mark));
        drop(state);
        self.changed.send_replace(version);
    }
}

/// What a test does to it.
impl ApiServer {
    /// Forgets what came before: a watch from there on gets 410.
    pub fn forget(&self) {
        let mut state = self.state();
        state.oldest = state.version;
        state.changes.clear();
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Takes no connection any more, or does again.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Answers this instead.
    pub fn refuse(&self, collection: &str, code: u16, message: &str) {
        let refusal = (code, message.to_owned());
        self.state().refusals.insert(collection.to_owned(), refusal);
    }

    /// Takes only this token.
    pub fn take_only(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Adds lines to a pod's log; an ended log ends those who follow it.
    pub fn log(&self, pod: &str, lines: &str, ended: bool) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        let log = state.logs.entry(pod.to_owned()).or_default();
        *log = (format!("{}{lines}", log.0), ended);
        drop(state);
        self.changed.send_replace(version);
    }

    /// How often this was asked for, watches and lists apart.
    pub fn asked(&self, collection: &str, watched: bool) -> usize {
        let state = self.state();
        let of = |request: &&String| {
            request.starts_with(&format!("{collection}?"))
                && request.contains("watch=true") == watched
        };
        state.requests.iter().filter(of).count()
    }
}

/// What it answers.
impl ApiServer {
    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or(""));
        let mut state = self.state();
        state.requests.push(format!("{path}?{query}"));
        let token = request.headers().get("authorization");
        let token = token.map(|token| token.to_str().unwrap().replace("Bearer ", ""));
        if state.token.is_some() && state.token != token {
            return status(401, "Unauthorized");
        }
        if let Some((code, message)) = state.refusals.get(path) {
            return status(*code, message);
        }
        if path == "/version" {
            return whole(
                200,
                &json!({ "major": "1", "minor": "35", "gitVersion": "v1.35.4", "gitCommit": "",
                "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": "" }),
            );
        }
        if let Some(pod) = path
            .strip_suffix("/log")
            .and_then(|path| path.rsplit('/').next())
        {
            let known = state.logs.contains_key(pod);
            let pod = pod.to_owned();
            drop(state);
            return match known {
                true => self.streamed(move |state, sent| log(state, &pod, sent)),
                false => status(404, &format!("pods {pod:?} not found")),
            };
        }
        let selected = selector(query);
        if !query.contains("watch=true") {
            let of =
                |((of, _), object): &(&(String, String), &Value)| of == path && selected(object);
            let items: Vec<&Value> = state
                .objects
                .iter()
                .filter(of)
                .map(|(_, object)| object)
                .collect();
            let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": state.version.to_string() }, "items": items });
            return match items
                .is_empty()
                .then(|| state.objects.get(&one(path)))
                .flatten()
            {
                Some(object) => whole(200, object),
                None => whole(200, &list),
            };
        }
        let from = parameter(query, "resourceVersion").parse::<u64>().unwrap();
        if from < state.oldest {
            return status(410, "too old resource version");
        }
        drop(state);
        let collection = path.to_owned();
        self.streamed(move |state, sent| {
            let new = state.changes.iter().filter(|(version, of, change)| {
                *version > from.max(*sent)
                    && *of == collection
                    && (change["type"] == "BOOKMARK" || selected(&change["object"]))
            });
            let lines: String = new.map(|(_, _, change)| format!("{change}\n")).collect();
            *sent = state.version;
            (lines, false)
        })
    }

    /// What `next` gives after each change, until it says that it is over.
    fn streamed(
        &self,
        next: impl Fn(&State, &mut u64) -> (String, bool) + Send + 'static,
    ) -> Response<Body> {
        let mut changed = self.changed.subscribe();
        changed.mark_changed();
        let start = (self.clone(), changed, 0, next, false);
        let frames = stream::unfold(
            start,
            |(server, mut changed, mut sent, next, over)| async move {
                if over {
                    return None;
                }
                changed.changed().await.ok()?;
                let (lines, over) = next(&server.state(), &mut sent);
                let frame = Ok(Frame::data(Bytes::from(lines)));
                Some((frame, (server, changed, sent, next, over)))
            },
        );
        Response::new(Body::new(StreamBody::new(frames.boxed())))
    }
}

fn log(state: &State, pod: &str, sent: &mut u64) -> (String, bool) {
    let (text, ended) = &state.logs[pod];
    let new = text[usize::try_from(*sent).unwrap()..].to_owned();
    *sent = text.len() as u64;
    (new, *ended)
}

fn parameter<'q>(query: &'q str, name: &str) -> &'q str {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}

/// By one label or by the name.
fn selector(query: &str) -> impl Fn(&Value) -> bool + Send + 'static {
    let label = parameter(query, "labelSelector")
        .replace("%3D", "=")
        .replace("%2F", "/");
    let name = parameter(query, "fieldSelector").replace("%3D", "=");
    move |object| {
        let metadata = &object["metadata"];
        let labelled = label
            .split_once('=')
            .is_none_or(|(key, value)| metadata["labels"][key] == value);
        labelled
            && name
                .strip_prefix("metadata.name=")
                .is_none_or(|name| metadata["name"] == name)
    }
}

/// The object that a path names: by its name, which tests use as its UID.
fn one(path: &str) -> (String, String) {
    let (collection, name) = path.rsplit_once('/').unwrap();
    (collection.to_owned(), name.to_owned())
}

fn whole(code: u16, json: &Value) -> Response<Body> {
    let text = Bytes::from(json.to_string());
    let body = http_body_util::Full::new(text);
    Response::builder()
        .status(code)
        .body(Body::new(body))
        .unwrap()
}

fn status(code: u16, message: &str) -> Response<Body> {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message });
    whole(code, &status)
}
