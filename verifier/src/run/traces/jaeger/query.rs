//! The two calls of Jaeger's query service, over gRPC and as JSON: a question in, OTLP messages out.

use crate::run::traces::client::{Client, Status, beginning, moment};
use crate::run::traces::stored::Stored;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt::Write;

const SERVICE: &str = "/jaeger.api_v3.QueryService";
/// What the memory store says to a depth beyond what it holds.
const TOO_DEEP: &str = "search depth must be";
const NOT_FOUND: u32 = 5;
const INTERNAL_SERVER_ERROR: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// One query service.
pub(super) struct Jaeger {
    client: Client,
    /// `http://host:port` of whichever way it is asked.
    url: String,
    grpc: bool,
}

/// What a search found.
pub(super) enum Found {
    Traces(Vec<Stored>),
    /// The store holds fewer traces than were asked for.
    TooDeep,
}

/// Distinct traces.
pub(super) fn traces(found: &[Stored]) -> usize {
    let mut ids = HashSet::new();
    for stored in found {
        // What is malformed is told when it is taken in.
        let _ = stored.message().walk(|_, span| {
            ids.insert(<[u8; 16]>::try_from(span.trace_id).unwrap_or_default());
        });
    }
    ids.len()
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetTraceRequest {
    #[prost(string, tag = "1")]
    trace_id: String,
    #[prost(bool, tag = "4")]
    raw_traces: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FindTracesRequest {
    #[prost(message, optional, tag = "1")]
    query: Option<TraceQueryParameters>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TraceQueryParameters {
    #[prost(message, optional, tag = "4")]
    start_time_min: Option<Timestamp>,
    #[prost(message, optional, tag = "5")]
    start_time_max: Option<Timestamp>,
    #[prost(int32, tag = "8")]
    search_depth: i32,
    /// As they were received: else Jaeger takes duplicates out and shifts clocks.
    #[prost(bool, tag = "9")]
    raw_traces: bool,
}

/// google.protobuf.Timestamp.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[allow(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "both fit"
)]
fn timestamp(unix_ns: u64) -> Timestamp {
    Timestamp {
        seconds: (unix_ns / 1_000_000_000) as i64,
        nanos: (unix_ns % 1_000_000_000) as i32,
    }
}

impl Jaeger {
    /// Its address tells the way: `grpc://` and `grpcs://`, or `http://` and `https://`.
    pub(super) fn new(url: &str) -> Result<Jaeger> {
        let grpc = url.strip_prefix("grpc");
        Ok(Jaeger {
            client: if grpc.is_some() {
                Client::grpc()?
            } else {
                Client::new()?
            },
            url: grpc.map_or_else(|| url.to_owned(), |rest| format!("http{rest}")),
            grpc: grpc.is_some(),
        })
    }

    /// Traces that begin, or a span of which begins, from the one time to the other (Unix nanoseconds); so many at most.
    pub(super) async fn find(&self, from: u64, to: u64, depth: u32) -> Result<Found> {
        let found = match self.grpc {
            true => self.find_by_grpc(from, to, depth).await,
            false => self.find_by_http(from, to, depth).await,
        };
        found.with_context(|| format!("cannot search Jaeger at {}", self.url))
    }

    async fn find_by_grpc(&self, from: u64, to: u64, depth: u32) -> Result<Found> {
        let request = FindTracesRequest {
            query: Some(TraceQueryParameters {
                start_time_min: Some(timestamp(from)),
                start_time_max: Some(timestamp(to)),
                search_depth: i32::try_from(depth).unwrap_or(i32::MAX),
                raw_traces: true,
            }),
        };
        Ok(match self.call("FindTraces", &request).await? {
            Ok(messages) => Found::Traces(messages),
            Err(status) if status.message.contains(TOO_DEEP) => Found::TooDeep,
            Err(status) if status.code == NOT_FOUND => Found::Traces(Vec::new()),
            Err(status) => return Err(status.into()),
        })
    }

    async fn find_by_http(&self, from: u64, to: u64, depth: u32) -> Result<Found> {
        // Names in snake_case are taken by every version.
        let (from, to) = (moment(from), moment(to));
        let mut url = format!("{}/api/v3/traces?query.start_time_min={from}", self.url);
        let _ = write!(
            url,
            "&query.start_time_max={to}&query.num_traces={depth}&query.raw_traces=true"
        );
        let (status, body) = self.client.get(&url, &[]).await?;
        Ok(match status {
            INTERNAL_SERVER_ERROR if beginning(&body).contains(TOO_DEEP) => Found::TooDeep,
            _ => Found::Traces(read(status, &body)?),
        })
    }

    /// One trace, or none.
    pub(super) async fn get(&self, id: [u8; 16]) -> Result<Vec<Stored>> {
        let id = crate::record::run_key::hex(&id);
        let got = async {
            if !self.grpc {
                let url = format!("{}/api/v3/traces/{id}?raw_traces=true", self.url);
                let (status, body) = self.client.get(&url, &[]).await?;
                return read(status, &body);
            }
            let request = GetTraceRequest {
                trace_id: id.clone(),
                raw_traces: true,
            };
            match self.call("GetTrace", &request).await? {
                Ok(messages) => Ok(messages),
                Err(status) if status.code == NOT_FOUND => Ok(Vec::new()),
                Err(status) => Err(status.into()),
            }
        };
        got.await
            .with_context(|| format!("cannot get trace {id} from Jaeger at {}", self.url))
    }

    async fn call(
        &self,
        method: &str,
        request: &impl prost::Message,
    ) -> Result<Result<Vec<Stored>, Status>> {
        let method = format!("{}{SERVICE}/{method}", self.url);
        let answer = self.client.call(&method, &request.encode_to_vec()).await?;
        Ok(answer.map(|messages| messages.into_iter().map(Stored::Protobuf).collect()))
    }

    /// How many traces the memory store holds: the greatest depth that it takes. `None` for a store without such an end.
    pub(super) async fn most_traces(&self) -> Result<Option<u32>> {
        /// A second of 1970 holds no trace.
        const NOTHING: (u64, u64) = (1, 1_000_000_000);
        const GREATEST: u32 = 1 << 30;
        let takes = async |depth| -> Result<bool> {
            let found = self.find(NOTHING.0, NOTHING.1, depth).await?;
            Ok(matches!(found, Found::Traces(_)))
        };
        if takes(GREATEST).await? {
            return Ok(None);
        }
        let (mut takes_it, mut too_deep) = (0, GREATEST);
        while too_deep - takes_it > 1 {
            let depth = takes_it + (too_deep - takes_it) / 2;
            match takes(depth).await? {
                true => takes_it = depth,
                false => too_deep = depth,
            }
        }
        Ok(Some(takes_it))
    }
}

/// An answer as JSON: `{"result": TracesData}`, several one after the other; 404 for no trace.
fn read(status: StatusCode, body: &Bytes) -> Result<Vec<Stored>> {
    #[derive(Deserialize)]
    struct Answer {
        result: Box<RawValue>,
    }
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND if beginning(body).contains("No traces found") => {
            return Ok(Vec::new());
        }
        _ => bail!("HTTP status {status}: {}", beginning(body)),
    }
    let answers = serde_json::Deserializer::from_slice(body).into_iter::<Answer>();
    let parts = answers.map(|answer| Ok(Stored::Json(answer?.result)));
    parts
        .collect::<Result<_, serde_json::Error>>()
        .context("no answer of Jaeger's")
}
