use super::*;
use crate::record::{Clock, Receiver, Recording, RunFolder, RunKey, Span, read_rows};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message as _;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A reader that follows `traces.json` of a folder of its own.
struct Following {
    folder: tempfile::TempDir,
    recording: Recording,
    stop: CancellationToken,
    reader: JoinHandle<Receiver>,
}

const KEY: u64 = 7;

impl Following {
    fn start(before: &[u8], name: &str) -> Following {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        let key = RunKey::from_seed(KEY);
        let recording = Recording::start(&run, Clock::start(), key, &[]).unwrap();
        let stop = CancellationToken::new();
        let load = watch::Sender::new(None).subscribe();
        let mut reading = Reading::new(recording.recorder(), load, stop.clone(), Arc::default());
        let traces = folder.path().join("traces");
        fs::create_dir(&traces).unwrap();
        fs::write(traces.join("traces.json"), before).unwrap();
        let path = traces.join(name);
        // What was there before is passed over at the first look, which is therefore taken here.
        let mut files = Files::new(&path);
        files.look().unwrap();
        files.followed.values_mut().for_each(Followed::skip_to_end);
        let reader = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(files.follow(&mut reading)).unwrap();
            reading.intake.books().clone()
        });
        Following {
            folder,
            recording,
            stop,
            reader,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("traces").join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name));
        file.unwrap().write_all(bytes).unwrap();
    }

    /// Until so many spans have come.
    fn wait(&self, spans: u64) {
        let recorder = self.recording.recorder();
        for _ in 0..4000 {
            recorder.flush();
            if recorder.live().of_source[0].spans.load(Relaxed) >= spans {
                return;
            }
            assert!(!self.reader.is_finished());
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{spans} spans did not come");
    }

    /// The numbers of the requests whose spans came, and the books.
    fn end(self) -> (Vec<u64>, Receiver) {
        self.stop.cancel();
        let books = self.reader.join().unwrap();
        self.recording.stop().unwrap();
        let rows = read_rows::<Span>(&self.folder.path().join("run/spans.rows")).unwrap();
        let mut seqs: Vec<u64> = rows.iter().map(|span| span.seq).collect();
        seqs.sort_unstable();
        (seqs, books)
    }
}

fn message(seqs: std::ops::Range<u64>) -> ExportTraceServiceRequest {
    let span = |seq: u64| proto::Span {
        trace_id: RunKey::from_seed(KEY).trace_id(seq).to_vec(),
        span_id: (seq + 1).to_be_bytes().to_vec(),
        name: "data_preparation".to_owned(),
        ..proto::Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            scope_spans: vec![proto::ScopeSpans {
                spans: seqs.map(span).collect(),
                ..proto::ScopeSpans::default()
            }],
            ..proto::ResourceSpans::default()
        }],
    }
}

fn line(seqs: std::ops::Range<u64>) -> Vec<u8> {
    let mut line = serde_json::to_vec(&message(seqs)).unwrap();
    line.push(b'\n');
    line
}

fn framed(seqs: std::ops::Range<u64>) -> Vec<u8> {
    let message = message(seqs).encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&length[..], &message].concat()
}

fn all(seqs: std::ops::Range<u64>) -> Vec<u64> {
    seqs.collect()
}

#[test]
fn lines_are_followed_as_they_are_written() {
    let following = Following::start(&line(90..99), "traces.json");
    let second = line(3..5);
    following.append("traces.json", &line(0..3));
    following.append("traces.json", &second[..40]);
    following.wait(3);
    following.append("traces.json", &second[40..]);
    following.wait(5);
    let (seqs, books) = following.end();
    assert_eq!(seqs, all(0..5));
    assert_eq!((books.requests, books.spans), (2, 5));
    assert!(books.incomplete.is_empty(), "{:?}", books.incomplete);
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_the_next_from_its_beginning() {
    let following = Following::start(b"", "traces.json");
    following.append("traces.json", &line(0..3));
    following.wait(3);
    following.append("traces.json", &line(3..4));
    fs::rename(
        following.path("traces.json"),
        following.path("traces-2026-11-25T1.json"),
    )
    .unwrap();
    following.append("traces.json", &line(4..6));
    following.append("traces.json.bak", &line(50..60));
    following.wait(6);
    // Deleted as the oldest backup is: it was open.
    following.append("traces-2026-11-25T1.json", &line(6..7));
    following.wait(7);
    let (seqs, books) = following.end();
    assert_eq!(seqs, all(0..7));
    assert!(books.incomplete.is_empty(), "{:?}", books.incomplete);
}

#[test]
fn of_a_torn_line_the_whole_one_behind_it_is_taken() {
    let following = Following::start(b"", "traces.json");
    let torn = line(0..3);
    following.append("traces.json", &torn[..100]);
    following.append("traces.json", &line(3..6));
    following.append("traces.json", &torn[..50]);
    following.wait(3);
    let (seqs, books) = following.end();
    assert_eq!(seqs, all(3..6));
    assert_eq!(books.incomplete.len(), 2, "{:?}", books.incomplete);
    assert!(books.incomplete[0].contains("100 bytes that are no message"));
}

#[test]
fn a_file_cut_short_is_told_and_read_anew() {
    let following = Following::start(b"", "traces.json");
    following.append("traces.json", &line(0..30));
    following.wait(30);
    fs::write(following.path("traces.json"), line(30..32)).unwrap();
    following.wait(32);
    let (seqs, books) = following.end();
    assert_eq!(seqs, all(0..32));
    assert!(
        books.incomplete[0].contains("was cut short"),
        "{:?}",
        books.incomplete
    );
}

#[test]
fn a_folder_is_all_its_files_in_either_format() {
    let following = Following::start(b"", ".");
    following.append("replica-1.json", &line(0..3));
    following.append("replica-2.binpb", &framed(3..6));
    following.append("replica-2.binpb", &framed(6..8)[..20]);
    following.wait(6);
    following.append("replica-2.binpb", &framed(6..8)[20..]);
    following.wait(8);
    following.append("replica-2.binpb", &framed(8..9)[..20]);
    let (seqs, books) = following.end();
    assert_eq!(seqs, all(0..8));
    assert!(
        books.incomplete[0].contains("ends within a message"),
        "{:?}",
        books.incomplete
    );
}

#[test]
fn what_was_there_before_is_passed_over_in_whole_messages() {
    let before = [framed(0..3), framed(3..5)].concat();
    let following = Following::start(&before[..before.len() - 9], "traces.json");
    following.append("traces.json", &before[before.len() - 9..]);
    following.append("traces.json", &framed(5..6));
    following.wait(3);
    assert_eq!(following.end().0, all(3..6));
}

#[test]
fn a_message_that_is_too_large_is_passed_over() {
    let following = Following::start(b"", "traces.json");
    let length = (LARGEST + 7).to_be_bytes();
    following.append("traces.json", &length);
    following.append("traces.json", &vec![0; LARGEST as usize + 7]);
    following.append("traces.json", &framed(0..2));
    following.wait(2);
    let (seqs, books) = following.end();
    assert_eq!(seqs, all(0..2));
    assert!(
        books.incomplete[0].contains("more than 64 MiB"),
        "{:?}",
        books.incomplete
    );
}

const LARGEST: u32 = 64 << 20;

#[test]
fn a_compressed_file_says_what_to_set() {
    let following = Following::start(b"", "traces.json");
    following.append("traces.json", &[0, 0, 0, 5, 0x28, 0xb5, 0x2f, 0xfd, 0]);
    following.append("traces.json", &framed(0..1));
    following.wait(1);
    let (_, books) = following.end();
    assert!(
        books.incomplete[0].contains("compressed"),
        "{:?}",
        books.incomplete
    );
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let error = check(Path::new("/nowhere/traces.json")).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere"), "{error:#}");
}
