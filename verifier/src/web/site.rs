//! What all requests share: the run that is shown, and its process where this one has started it.

use super::asked::Asked;
use super::child::{Child, Order};
use super::logs::Logs;
use super::plans::Plans;
use super::refusal::Refusal;
use super::tail::{Follow, Tail, Whose, name};
use crate::record::{Clock, RunFolder};
use rustix::process::Signal;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};

/// Pages that are open at once.
const MOST_PAGES: usize = 64;
/// More users are not wished for at once: a key is one byte of a pipe.
const MOST_KEYS: u32 = 1000;

/// How runs are started.
pub(super) struct Program {
    /// The executable.
    pub(super) path: PathBuf,
    /// What every run is given beside what the form asks for: where the target is, the cluster, the traces.
    pub(super) surroundings: Vec<OsString>,
    /// The target that is among them.
    pub(super) host: Option<String>,
    pub(super) plans: Plans,
}

/// How a run's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Its exit code; of one that a signal ended, 128 and the signal's number, as a shell has it.
    pub(super) code: u8,
    /// There is a run to look at.
    pub(super) recorded: bool,
}

/// What is shown, and what runs.
#[derive(Default)]
struct Now {
    shown: Option<PathBuf>,
    child: Option<Child>,
    /// It was told to stop already.
    stopping: bool,
}

/// The shared part.
pub(super) struct Site {
    pub(super) tail: Tail,
    pub(super) logs: Logs,
    pub(super) program: Program,
    pub(super) places: Arc<Semaphore>,
    now: Mutex<Now>,
    ended: watch::Sender<Option<Ending>>,
}

impl Site {
    pub(super) fn new(tail: Tail, program: Program) -> Arc<Site> {
        Arc::new(Site {
            tail,
            logs: Logs::default(),
            program,
            places: Arc::new(Semaphore::new(MOST_PAGES)),
            now: Mutex::default(),
            ended: watch::channel(None).0,
        })
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends of runs, as they come.
    pub(super) fn ends(&self) -> watch::Receiver<Option<Ending>> {
        self.ended.subscribe()
    }

    /// A run's process is there.
    pub(super) fn runs(&self) -> bool {
        self.now().child.is_some()
    }

    /// The run folder that is shown.
    pub(super) fn shown(&self) -> Option<PathBuf> {
        self.now().shown.clone()
    }

    /// Shows a recorded run.
    ///
    /// # Errors
    /// While a run goes on.
    pub(super) fn show(&self, folder: PathBuf) -> Result<(), Refusal> {
        let mut now = self.now();
        if now.child.is_some() {
            let error = "a run goes on: stop it, or wait for its end, before another one is shown";
            return Err(Refusal::conflict(error));
        }
        now.shown = Some(folder.clone());
        self.tail.show(folder, Whose::Others);
        Ok(())
    }

    /// Starts what the form asks for, and gives the new run's name.
    ///
    /// # Errors
    /// When it can not be, or a run goes on already.
    pub(super) fn start_asked(self: &Arc<Self>, asked: &Asked) -> Result<String, Refusal> {
        self.free()?;
        let plan = asked
            .plan(&self.program.plans)
            .map_err(|error| Refusal::wrong(format!("{error:#}")))?;
        let folder = RunFolder::default_path(&plan.name, Clock::start());
        let mut args = asked.args(&self.program.plans);
        let given = |flag: &OsString| {
            let flag = flag.to_string_lossy();
            let is = |name: &str| flag.starts_with(&format!("--{name}="));
            // What the form says goes before.
            (is("url") && asked.host.is_none() && asked.replicas.is_none())
                || (is("replicas") && asked.host.is_none() && asked.replicas.is_none())
                || !(is("url") || is("replicas"))
        };
        args.extend(
            self.program
                .surroundings
                .iter()
                .filter(|flag| given(flag))
                .cloned(),
        );
        self.start(args, folder)
    }

    fn free(&self) -> Result<(), Refusal> {
        match self.runs() {
            true => Err(Refusal::conflict(
                "a run goes on already: stop it, or wait for its end",
            )),
            false => Ok(()),
        }
    }

    /// Starts `verifier run` with these arguments into that folder, and shows it.
    ///
    /// # Errors
    /// When it can not be started, or a run goes on already.
    pub(super) fn start(
        self: &Arc<Self>,
        args: Vec<OsString>,
        folder: PathBuf,
    ) -> Result<String, Refusal> {
        self.free()?;
        let mut whole = vec![OsString::from("run"), OsString::from("--keys-from-stdin")];
        whole.extend(args);
        whole.extend([OsString::from("--out"), folder.clone().into_os_string()]);
        self.logs.clear();
        let mut now = self.now();
        let (child, end) =
            Child::start(&self.program.path, &whole, &self.logs).map_err(|error| {
                Refusal::new(
                    http::StatusCode::INTERNAL_SERVER_ERROR,
                    format!("{error:#}"),
                )
            })?;
        *now = Now {
            shown: Some(folder.clone()),
            child: Some(child),
            stopping: false,
        };
        self.tail.show(folder.clone(), Whose::Ours);
        let (site, id) = (Arc::clone(self), name(&folder));
        tokio::spawn(async move { site.over(end.await, &folder) });
        Ok(id)
    }

    /// The run's process has ended.
    fn over(&self, status: Option<ExitStatus>, folder: &Path) {
        let code =
            status.and_then(|status| status.code().or(status.signal().map(|signal| 128 + signal)));
        let code = code
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(u8::MAX);
        let recorded = folder.join("journal.jsonl").is_file();
        let how = status.map_or_else(
            || "its end was not seen".to_owned(),
            |status| status.to_string(),
        );
        let words = self.logs.last_words();
        let said = words.map(|words| format!(": {words}")).unwrap_or_default();
        let mut now = self.now();
        now.child = None;
        if recorded {
            // Pass, fail, unknown, interrupted: ends as they should be.
            let well = matches!(code, 0 | 1 | 3 | 130);
            let error = (!well).then(|| format!("the run's process has ended ({how}){said}"));
            self.tail.ended(error);
        } else {
            now.shown = None;
            self.tail
                .show_nothing(vec![format!("the run could not begin ({how}){said}")]);
        }
        drop(now);
        self.ended.send_replace(Some(Ending { code, recorded }));
    }

    /// Tells the run to stop its load and to judge; told again, it ends at once. Whether there was one.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        let mut now = self.now();
        now.stopping = true;
        now.child
            .as_ref()
            .is_some_and(|child| child.tell(Order::Signal(signal)))
    }

    /// Stops the run, as Ctrl-C in a terminal would; once, however often it is asked.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn stop(&self) -> Result<(), Refusal> {
        let mut now = self.now();
        let Some(child) = &now.child else {
            return Err(Refusal::conflict("no run goes on that could be stopped"));
        };
        if !now.stopping {
            child.tell(Order::Signal(Signal::INT));
        }
        now.stopping = true;
        Ok(())
    }

    /// Adds users, or takes some away.
    ///
    /// # Errors
    /// When there is no stage of users under way.
    pub(super) async fn change_users(&self, by: i64) -> Result<(), Refusal> {
        let changes = self
            .tail
            .look(|follow| follow.is_some_and(Follow::users_change))
            .await;
        if changes != Some(true) {
            let error = "users can be changed while a stage of users is under way: start a plan of users, or one with users=N";
            return Err(Refusal::conflict(error));
        }
        let keys = keys(by);
        let told = keys.len() <= MOST_KEYS as usize && {
            let now = self.now();
            now.child
                .as_ref()
                .is_some_and(|child| child.tell(Order::Keys(keys)))
        };
        match told {
            true => Ok(()),
            false => Err(Refusal::conflict(
                "so many changes at once do not reach the run: ask for fewer",
            )),
        }
    }
}

/// Locust's keys for so many users more, or fewer.
fn keys(by: i64) -> Vec<u8> {
    let (one, ten) = if by < 0 { (b's', b'S') } else { (b'w', b'W') };
    let by = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
    let mut keys = vec![ten; (by / 10).min(MOST_KEYS as usize + 1)];
    keys.extend(vec![one; by % 10]);
    keys
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn keys_are_those_of_locust() {
        assert_eq!(keys(1), b"w");
        assert_eq!(keys(-10), b"S");
        assert_eq!(keys(23), b"WWwww");
        assert_eq!(keys(0), b"");
    }
}
