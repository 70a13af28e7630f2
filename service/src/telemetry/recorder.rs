//! The request path's handle on the pipeline: admit a request, record its spans.

use std::time::Duration;

use super::{EncodedAttributes, Gathered, permit::Permit, pipeline::Pipeline, span::SpanRecord};

/// How long a request waits for span memory before it is refused.
const PATIENCE: Duration = Duration::from_millis(200);

/// Records spans. Copies share one pipeline; any thread may hold one; recording never blocks.
#[derive(Clone, Copy, Debug)]
pub struct Recorder(Option<&'static Pipeline>);

/// There is no room for the request's spans: answer 503 and `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Recorder {
    /// A recorder that keeps nothing: telemetry is off.
    pub fn disabled() -> Recorder {
        Recorder(None)
    }

    pub(super) fn new(pipeline: &'static Pipeline) -> Recorder {
        Recorder(Some(pipeline))
    }

    /// Whether spans are kept at all; when not, callers may skip the work of describing them.
    pub fn enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Puts one ended span on its way. With a [`Permit`] alive on this thread's requests it cannot
    /// be dropped; without, it is counted as lost when there is no room.
    pub fn record(&self, span: &SpanRecord<'_>) {
        if let Some(pipeline) = self.0 {
            pipeline.record(span, &[], true);
        }
    }

    /// Puts one ended span on its way, the shared attributes before its own. What was not admitted
    /// is paid for from a small reserve.
    pub fn record_described(
        &self,
        span: &SpanRecord<'_>,
        shared: &EncodedAttributes,
        admitted: bool,
    ) {
        if let Some(pipeline) = self.0 {
            pipeline.record(span, shared.as_bytes(), admitted);
        }
    }

    /// Puts all spans of a request on their way, and ends its reservation.
    pub fn record_gathered(&self, gathered: &Gathered, permit: Permit) {
        if let Some(pipeline) = self.0 {
            pipeline.put_gathered(gathered, permit.redeem());
        }
    }

    /// Room for a request's spans, if it is there at once: the fast way of [`Recorder::admit`].
    pub fn try_admit(&self) -> Option<Permit> {
        match self.0 {
            None => Some(Permit::new(None)),
            Some(pipeline) if pipeline.reserve() => Some(Permit::new(Some(pipeline))),
            Some(pipeline) if pipeline.sheds() => None,
            Some(_) => Some(Permit::new(None)),
        }
    }

    /// Room for a request's spans, waiting a moment for it; a refusal is counted in the books.
    pub async fn admit(&self) -> Result<Permit, Refused> {
        if let Some(permit) = self.try_admit() {
            return Ok(permit);
        }
        let Some(pipeline) = self.0 else {
            return Ok(Permit::new(None));
        };
        if pipeline.reserve_within(PATIENCE).await {
            return Ok(Permit::new(Some(pipeline)));
        }
        pipeline.count_refusal();
        Err(Refused)
    }
}
