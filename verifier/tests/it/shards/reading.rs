//! A store that all shards read: each takes the traces of its own requests, and of a receiver's spans each takes all.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tempfile::TempDir;
use verifier::record::{Clock, Recording, RunFolder, RunKey, Shard};
use verifier::run::traces::Intake;

#[test]
fn of_a_store_each_shard_takes_its_own() {
    let key = RunKey::from_seed(7);
    let spans = (0..9).map(|seq| Span {
        trace_id: key.trace_id(seq).to_vec(),
        span_id: vec![1; 8],
        ..Span::default()
    });
    let message = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: spans.collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let folder = TempDir::new().unwrap();
    let run = RunFolder::create(&folder.path().join("run")).unwrap();
    let shard = Shard { index: 1, count: 3 };
    let recording = Recording::start_shard(&run, Clock::start(), key, shard, &[]).unwrap();
    let bytes = message.encode_to_vec();
    let taken = |mut intake: Intake| intake.take(&bytes, 0).unwrap();
    let intake = || Intake::new(recording.recorder());
    assert_eq!(taken(intake()).ours, 9);
    let own = taken(intake().of_own_requests());
    assert_eq!((own.ours, own.foreign, own.malformed), (3, 0, 0));
}
