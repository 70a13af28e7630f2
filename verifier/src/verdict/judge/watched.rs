//! What differs where the requests are somebody else's: what is known of them is what their spans tell.

use super::{checks, judgement};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Check, Receiver, Service};

/// The kind of such a stage.
pub(super) const KIND: &str = "watched";

/// What a reader must know.
pub(super) fn warning(timeline: &Timeline<'_>) -> Option<String> {
    let what = "the requests are not the verifier's own: latency is the root spans' duration, what clients saw is not known, and a trace of which no span came is not seen";
    timeline.watched().then(|| what.to_owned())
}

/// Every span that the services' books say was made came: that no whole trace is missing. `None` where the books of
/// no service were read.
pub(super) fn arrived(
    timeline: &Timeline<'_>,
    services: &[Service],
    untold: Option<&str>,
    receiver: &Receiver,
) -> Option<Check> {
    if !timeline.watched() || services.is_empty() {
        return None;
    }
    let made: u64 = services.iter().map(|s| s.started + s.recovered).sum();
    let held: u64 = services.iter().map(|s| s.queued + s.left_on_disk).sum();
    let came = receiver.spans + receiver.foreign_spans + receiver.malformed_spans;
    let away = made.saturating_sub(came);
    let evidence = format!(
        "{} processes made {made} spans, {came} came, {held} are still held by them",
        services.len()
    );
    let mut evidence = vec![evidence];
    evidence.extend(untold.map(str::to_owned));
    // Books that were not read may tell of spans that did not come.
    let holds = (away > 0 || untold.is_none()).then_some(away == 0);
    let outcome = super::sources::unread(judgement(holds), receiver);
    let mut check = checks::check("spans_arrived", None, outcome, evidence);
    check.value = Some(away as f64);
    check.limit = Some("0".to_owned());
    Some(check)
}
