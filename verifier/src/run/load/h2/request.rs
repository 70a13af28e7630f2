//! Requests for HTTP/2, rendered once; only the traceparent changes from one to the next.

use crate::plan::{Plan, Task};
use crate::record::RunKey;
use crate::run::load::Target;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri, Version};

/// Rendered requests of every task of the plan; a cheap copy per worker.
#[derive(Clone, Debug)]
pub(in crate::run::load) struct Requests {
    tasks: Vec<Rendered>,
}

#[derive(Clone, Debug)]
struct Rendered {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bodies: Vec<Bytes>,
    /// The body's length is told, though there is none.
    tells_empty: bool,
}

impl Requests {
    /// Renders the plan's requests.
    ///
    /// # Errors
    /// When HTTP/2 can not carry one.
    pub(in crate::run::load) fn render(plan: &Plan, target: &Target) -> Result<Requests> {
        let tasks = plan.all_tasks();
        let rendered = tasks.iter().map(|task| {
            render(task, target).with_context(|| format!("{}: HTTP/2 can not carry it", task.name))
        });
        let tasks = rendered.collect::<Result<_>>()?;
        Ok(Requests { tasks })
    }

    /// The head and body of request `seq`, its traceparent in place.
    pub(super) fn request(&self, key: RunKey, task: u8, seq: u64) -> (Request<()>, Bytes) {
        let task = &self.tasks[usize::from(task)];
        let turn = usize::try_from(seq % task.bodies.len() as u64).unwrap_or(0);
        let body = task.bodies[turn].clone();
        let mut request = Request::new(());
        *request.version_mut() = Version::HTTP_2;
        *request.method_mut() = task.method.clone();
        *request.uri_mut() = task.uri.clone();
        *request.headers_mut() = task.headers.clone();
        let headers = request.headers_mut();
        // Hexadecimal digits and dashes are always a header's value.
        if let Ok(traceparent) = HeaderValue::from_bytes(&key.traceparent(seq)) {
            headers.insert(HeaderName::from_static("traceparent"), traceparent);
        }
        if task.tells_empty || !body.is_empty() {
            headers.insert(CONTENT_LENGTH, body.len().into());
        }
        (request, body)
    }
}

fn render(task: &Task, target: &Target) -> Result<Rendered> {
    let mut headers = HeaderMap::new();
    for (name, value) in &task.headers {
        headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    let host = headers.remove(HOST);
    let authority = match &host {
        Some(host) => host.to_str()?,
        None => &target.host,
    };
    let bodiless = matches!(
        task.method.as_str(),
        "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE"
    );
    Ok(Rendered {
        method: Method::from_bytes(task.method.as_bytes())?,
        uri: Uri::builder()
            .scheme(if target.tls.is_some() {
                "https"
            } else {
                "http"
            })
            .authority(authority)
            .path_and_query(task.path.as_str())
            .build()?,
        headers,
        bodies: task.bodies.iter().cloned().map(Bytes::from).collect(),
        tells_empty: !bodiless,
    })
}
