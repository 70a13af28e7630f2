//! All sources of one run: started before the load, told when it has ended, stopped at last.

use super::client::Client;
use super::reading::{Reading, Window};
use super::source::Source;
use super::{OtlpReceiver, cloud_trace, collector_books, collector_file, jaeger, tempo};
use crate::record::{Observation, Recorder, Recording};
use anyhow::{Context, Result, bail};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where the verifier's own receiver listens: OTLP/gRPC, OTLP/HTTP.
pub type Listeners = (TcpListener, TcpListener);

/// The sources of a run.
pub struct Sources {
    receiver: Option<OtlpReceiver>,
    readers: Vec<JoinHandle<()>>,
    /// Watches the collector's books until everything else has ended.
    books: Option<(JoinHandle<()>, CancellationToken)>,
    load: watch::Sender<Option<Window>>,
    stop: CancellationToken,
    behind: Arc<AtomicUsize>,
}

impl Sources {
    /// Proves, before anything is started, that each can be read.
    ///
    /// # Errors
    /// When one can not, or is named twice; when the collector's books can not.
    pub fn check(sources: &[Source], collector: Option<&str>) -> Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        for (number, source) in sources.iter().enumerate() {
            if sources[..number].iter().any(|s| s.name() == source.name()) {
                bail!("--traces {} is given twice", source.name());
            }
            runtime
                .block_on(check(source))
                .with_context(|| format!("--traces {}", source.name()))?;
        }
        if let Some(url) = collector {
            runtime.block_on(async { collector_books::read(&Client::new()?, url).await })?;
        }
        Ok(())
    }

    /// Starts them. The first is the run's, the others are held against it.
    ///
    /// # Errors
    /// When a thread or a file can not be had.
    pub fn start(
        sources: &[Source],
        listeners: Option<Listeners>,
        recording: &mut Recording,
    ) -> Result<Sources> {
        let mut started = Sources {
            receiver: None,
            readers: Vec::new(),
            books: None,
            load: watch::Sender::new(None),
            stop: CancellationToken::new(),
            behind: Arc::default(),
        };
        let mut listeners = listeners;
        for (number, source) in sources.iter().enumerate() {
            let recorder = match number {
                0 => recording.recorder(),
                _ => recording.another_source(source.name())?,
            };
            recorder.observe(Observation::TraceSource {
                number: recorder.source(),
                name: source.name().to_owned(),
                place: source.to_string(),
            });
            match (source, listeners.take()) {
                (Source::Otlp, Some((grpc, http))) => {
                    started.receiver = Some(OtlpReceiver::start(grpc, http, recorder)?);
                }
                (Source::Otlp, None) => bail!("the verifier's own receiver has no listeners"),
                (_, unused) => {
                    listeners = unused;
                    started.read(source.clone(), recorder)?;
                }
            }
        }
        Ok(started)
    }

    /// Reads a file that a collector wrote, or a folder of them, as the first source.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn read_file(path: &Path, recorder: &Recorder) -> Result<()> {
        recorder.observe(Observation::TraceSource {
            number: 0,
            name: "collector-file".to_owned(),
            place: path.display().to_string(),
        });
        let load = watch::Sender::new(None).subscribe();
        let stop = CancellationToken::new();
        let mut reading = Reading::new(recorder.clone(), load, stop, Arc::default());
        collector_file::read_whole(path, &mut reading)?;
        reading.tell();
        Ok(())
    }

    fn read(&mut self, source: Source, recorder: Recorder) -> Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut reading = Reading::new(
            recorder,
            self.load.subscribe(),
            self.stop.clone(),
            Arc::clone(&self.behind),
        );
        let reader = std::thread::Builder::new()
            .name(format!("traces-{}", source.name()))
            .spawn(move || {
                runtime.block_on(async {
                    // A source that fails is one that has not given all: the verdict must not pass on it.
                    if let Err(error) = read(&source, &mut reading).await {
                        reading.intake.failed_read(&format!("{error:#}"));
                        reading
                            .intake
                            .incomplete(&format!("reading ended: {error:#}"));
                    }
                });
                reading.tell();
            })
            .context("cannot start a reader's thread")?;
        self.readers.push(reader);
        Ok(())
    }

    /// Watches the collector's books, too; the first ones are read before this returns.
    ///
    /// # Errors
    /// When they can not be read.
    pub fn watch_collector(&mut self, url: &str, recorder: &Recorder) -> Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (client, url, recorder) = (Client::new()?, url.to_owned(), recorder.clone());
        let first = runtime.block_on(collector_books::read(&client, &url))?;
        recorder.observe(Observation::CollectorBooks(first));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let watch = std::thread::Builder::new()
            .name("collector-books".into())
            .spawn(move || {
                runtime.block_on(collector_books::watch(&client, &url, &recorder, &stopped));
            })
            .context("cannot start a thread for the collector's books")?;
        self.books = Some((watch, stop));
        Ok(())
    }

    /// Where the verifier's own receiver takes OTLP/gRPC and OTLP/HTTP, if it is a source.
    pub fn otlp_addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let receiver = self.receiver.as_ref()?;
        Some((receiver.grpc_address(), receiver.http_address()))
    }

    /// Readers that wait for the end of the load may begin.
    pub fn load_ended(&self, window: Window) {
        self.load.send_replace(Some(window));
    }

    /// A reader still reads what was there at the end of the load.
    pub fn behind(&self) -> bool {
        self.behind.load(Relaxed) > 0
    }

    /// Nothing more is taken in; returns when all that was taken in is with the recorder.
    pub fn stop(mut self) {
        self.stop.cancel();
        if let Some(receiver) = self.receiver.take() {
            receiver.stop();
        }
        for reader in std::mem::take(&mut self.readers) {
            // A reader that panicked has no last books, and the verdict misses them.
            let _ = reader.join();
        }
        if let Some((watch, stop)) = self.books.take() {
            stop.cancel();
            let _ = watch.join();
        }
    }
}

/// However it ends, the readers do.
impl Drop for Sources {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some((_, stop)) = &self.books {
            stop.cancel();
        }
    }
}

/// Proves before any load that the source can be read.
async fn check(source: &Source) -> Result<()> {
    match source {
        Source::Otlp => Ok(()),
        Source::CollectorFile(path) => collector_file::check(path),
        Source::Jaeger(url) => jaeger::check(url).await,
        Source::Tempo(url) => tempo::check(url).await,
        Source::CloudTrace(project) => cloud_trace::check(project).await,
    }
}

/// Reads all that the source has of this run; returns when it has everything or is stopped.
async fn read(source: &Source, reading: &mut Reading) -> Result<()> {
    match source {
        Source::Otlp => Ok(()),
        Source::CollectorFile(path) => collector_file::read(path, reading).await,
        Source::Jaeger(url) => jaeger::read(url, reading).await,
        Source::Tempo(url) => tempo::read(url, reading).await,
        Source::CloudTrace(project) => cloud_trace::read(project, reading).await,
    }
}
