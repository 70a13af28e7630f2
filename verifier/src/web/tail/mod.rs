//! The tail of a run folder: a thread of its own that reads what the run appends, a few times a second and only while
//! somebody watches, and shows the latest state. Whoever comes finds it caught up.

mod follow;
mod lines;
mod rows;

pub(super) use follow::{Follow, Whose, name};

use super::fold::SECOND_NS;
use super::snapshot::Snapshot;
use crate::record::Clock;
use crate::verdict::page::{Page, SCHEMA, State};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How often the folder is read while somebody watches.
const EVERY: Duration = Duration::from_millis(250);
/// What was read is shown when the last was shown so long ago: with what passes between two readings, once a second at least.
const SHOW_EVERY_NS: u64 = SECOND_NS / 4 * 3 - 50_000_000;
/// What is no older than this is fresh.
const FRESH_NS: u64 = SECOND_NS / 5;
/// Whoever asks waits no longer than this for a long run to be read.
const CATCH_UP_NS: u64 = 3 * SECOND_NS;

/// A run folder as whoever opens the page finds it: for what it costs to be measured.
pub struct Following(Follow);

impl Following {
    /// Nothing read yet.
    pub fn new(folder: &Path) -> Following {
        Following(Follow::new(folder.to_owned(), Whose::Ours, Clock::start()))
    }

    /// Reads all that is there.
    pub fn catch_up(&mut self) {
        self.0.advance(&|| true);
    }

    /// Bytes of the event that is sent to somebody who has so many rows of the series already.
    pub fn event_bytes(&mut self, rows: usize) -> usize {
        let snapshot = self.0.snapshot();
        let last_id = format!("{}:{rows}", snapshot.tag);
        let event = snapshot.event(Some(&last_id));
        event.map_or(0, |(bytes, _)| bytes.len())
    }
}

/// A question to the state, answered on the tail's thread.
type Look = Box<dyn FnOnce(Option<&Follow>) + Send>;

enum Told {
    /// Another folder is to be shown; `None`: no run.
    Show(Option<(PathBuf, Whose)>),
    /// Our run's process has ended; with what is to be said of it.
    Ended(Option<String>),
    /// No run, and why.
    Idle(Vec<String>),
    /// Somebody watches.
    Watched,
    Look(Look),
}

/// Handle to the tail; clones share it.
#[derive(Clone)]
pub(super) struct Tail {
    told: Sender<Told>,
    latest: watch::Receiver<Arc<Snapshot>>,
    watchers: Arc<AtomicUsize>,
}

/// Somebody who watches; dropped, he does no more.
pub(super) struct Watching {
    /// The latest state.
    pub(super) latest: watch::Receiver<Arc<Snapshot>>,
    watchers: Arc<AtomicUsize>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watchers.fetch_sub(1, SeqCst);
    }
}

impl Tail {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start() -> Result<Tail> {
        let (told, tellings) = channel();
        let (shown, latest) = watch::channel(Arc::new(idle(Vec::new())));
        let watchers = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&watchers);
        std::thread::Builder::new()
            .name("tail".into())
            .spawn(move || {
                // Whoever only looks makes way for the load. Where that is not allowed, it is as it is.
                let _ = rustix::process::setpriority_process(None, 10);
                let tail = Thread {
                    clock: Clock::start(),
                    follow: None,
                    shown,
                    watchers: counted,
                    shown_ns: 0,
                    errors: Vec::new(),
                };
                tail.run(&tellings);
            })
            .context("cannot start the thread that follows the run")?;
        Ok(Tail {
            told,
            latest,
            watchers,
        })
    }

    /// Shows another folder from now on.
    pub(super) fn show(&self, path: PathBuf, whose: Whose) {
        let _ = self.told.send(Told::Show(Some((path, whose))));
    }

    /// Shows that there is no run, and why.
    pub(super) fn show_nothing(&self, errors: Vec<String>) {
        let _ = self.told.send(Told::Show(None));
        let _ = self.told.send(Told::Idle(errors));
    }

    /// Our run's process has ended.
    pub(super) fn ended(&self, error: Option<String>) {
        let _ = self.told.send(Told::Ended(error));
    }

    /// Watches from now on. The first state to be seen is a fresh one.
    pub(super) async fn watch(&self) -> Watching {
        self.watchers.fetch_add(1, SeqCst);
        let watching = Watching {
            latest: self.latest.clone(),
            watchers: Arc::clone(&self.watchers),
        };
        let _ = self.told.send(Told::Watched);
        self.look(|_| ()).await;
        watching
    }

    /// Asks the state, caught up; `None` only when the thread is gone.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(Option<&Follow>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = Box::new(move |follow: Option<&Follow>| {
            // Whoever asked and is gone needs no answer.
            let _ = answer.send(ask(follow));
        });
        let _ = self.told.send(Told::Look(look));
        answered.await.ok()
    }
}

/// The page where there is no run.
fn idle(errors: Vec<String>) -> Snapshot {
    let mut page = Page {
        schema: SCHEMA.to_owned(),
        ..Page::default()
    };
    page.run.errors = errors;
    Snapshot::of(page, String::new())
}

struct Thread {
    clock: Clock,
    follow: Option<Follow>,
    shown: watch::Sender<Arc<Snapshot>>,
    watchers: Arc<AtomicUsize>,
    shown_ns: u64,
    errors: Vec<String>,
}

impl Thread {
    fn run(mut self, told: &Receiver<Told>) {
        loop {
            let watched = self.watchers.load(SeqCst) > 0;
            let next = match watched {
                true => told.recv_timeout(EVERY),
                false => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Told::Show(folder)) => {
                    let follow = |(path, whose)| Follow::new(path, whose, self.clock);
                    self.follow = folder.map(follow);
                    self.errors.clear();
                    self.show();
                }
                Ok(Told::Idle(errors)) => {
                    self.errors = errors;
                    self.show();
                }
                Ok(Told::Ended(error)) => {
                    if let Some(follow) = &mut self.follow {
                        follow.ended = true;
                        error.into_iter().for_each(|error| follow.complain(error));
                    }
                    if watched {
                        self.advance(CATCH_UP_NS);
                        self.show();
                    }
                }
                Ok(Told::Look(look)) => {
                    // However often it is asked, nothing is read more often than this.
                    if self.clock.now_ns() >= self.shown_ns + FRESH_NS {
                        self.advance(CATCH_UP_NS);
                        self.show();
                    }
                    look(self.follow.as_ref());
                }
                Ok(Told::Watched) | Err(RecvTimeoutError::Timeout) => {
                    let before = self.state();
                    self.advance(SECOND_NS / 2);
                    let due = self.clock.now_ns() >= self.shown_ns + SHOW_EVERY_NS;
                    if self.state() != before || (due && self.changes()) {
                        self.show();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn advance(&mut self, at_most_ns: u64) {
        let clock = self.clock;
        let until_ns = clock.now_ns() + at_most_ns;
        if let Some(follow) = &mut self.follow {
            follow.advance(&|| clock.now_ns() < until_ns);
        }
    }

    fn state(&self) -> State {
        self.follow.as_ref().map_or(State::Idle, Follow::state)
    }

    /// What was shown may be out of date.
    fn changes(&self) -> bool {
        !matches!(self.state(), State::Idle | State::Ended)
    }

    fn show(&mut self) {
        self.shown_ns = self.clock.now_ns();
        let snapshot = match &mut self.follow {
            Some(follow) => follow.snapshot(),
            None => idle(self.errors.clone()),
        };
        self.shown.send_replace(Arc::new(snapshot));
    }
}
