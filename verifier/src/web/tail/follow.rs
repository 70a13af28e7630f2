//! One run folder, followed: read as it grows, until its page is written.

use super::lines::Lines;
use super::rows::Rows;
use crate::plan::Plan;
use crate::record::{Clock, Entry, Exchange, RunFolder};
use crate::verdict::page::{Page, RunFile, State};
use crate::verdict::read_verdict;
use crate::web::document::Document;
use crate::web::files;
use crate::web::fold::{Fold, SECOND_NS};
use crate::web::snapshot::Snapshot;
use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of somebody else's run that has not grown for so long belongs to no run that goes on.
const STILL_NS: u64 = 30 * SECOND_NS;
/// The cluster and the list of files are looked at again after so long.
const LOOK_EVERY_NS: u64 = 2 * SECOND_NS;

/// Whose process the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Whose {
    /// A child of this process, which says when it ends.
    Ours,
    /// Somebody else's, or nobody's any more.
    Others,
}

/// The folder and what is known of it.
pub(in super::super) struct Follow {
    pub(in super::super) path: PathBuf,
    pub(in super::super) whose: Whose,
    clock: Clock,
    folder: Option<RunFolder>,
    lines: Lines,
    rows: Rows,
    /// The run as far as it is read; `None` before there is anything.
    pub(in super::super) fold: Option<Fold>,
    pub(in super::super) document: Option<Arc<Document>>,
    files: Vec<RunFile>,
    looked_ns: Option<u64>,
    /// Our run's process has ended.
    pub(super) ended: bool,
    /// What is wrong, beside what the journal says.
    pub(super) errors: Vec<String>,
    verdict: Option<crate::verdict::Verdict>,
}

impl Follow {
    pub(super) fn new(path: PathBuf, whose: Whose, clock: Clock) -> Follow {
        Follow {
            path,
            whose,
            clock,
            folder: None,
            lines: Lines::default(),
            rows: Rows::NotYet,
            fold: None,
            document: None,
            files: Vec::new(),
            looked_ns: None,
            ended: false,
            errors: Vec::new(),
            verdict: None,
        }
    }

    /// Reads what is new, as long as `go_on` says; whether all was read.
    pub(super) fn advance(&mut self, go_on: &dyn Fn() -> bool) -> bool {
        if self.document.is_some() {
            return true;
        }
        let page = self.path.join("page.json");
        if page.is_file() {
            match Document::read(&page) {
                Ok(document) => {
                    self.document = Some(Arc::new(document));
                    // It holds all that there is to show.
                    (self.fold, self.rows, self.lines) = (None, Rows::NotYet, Lines::default());
                    return true;
                }
                Err(error) => self.complain(format!("{error:#}")),
            }
        }
        self.read(go_on).unwrap_or_else(|error| {
            self.complain(format!("the page can not follow the run: {error:#}"));
            true
        })
    }

    fn read(&mut self, go_on: &dyn Fn() -> bool) -> anyhow::Result<bool> {
        if self.folder.is_none() {
            // Before its journal is there, nothing of it is.
            let Ok(folder) = RunFolder::open(&self.path) else {
                return Ok(true);
            };
            let origin = folder.plan().display().to_string();
            let plan = Plan::parse(&std::fs::read_to_string(folder.plan())?, &origin)?;
            (self.folder, self.fold) = (Some(folder), Some(Fold::new(plan)));
        }
        let (Some(folder), Some(fold)) = (&self.folder, &mut self.fold) else {
            return Ok(true);
        };
        let mut entry = |entry: &Entry| fold.entry(entry);
        let all = self.lines.read(&folder.journal(), go_on, &mut entry)?;
        let mut exchanges = |rows: &[Exchange]| fold.exchanges(rows);
        // The journal first: it tells of a stage before there are rows of it.
        let all = all && self.rows.read(folder, go_on, &mut exchanges)?;
        if self.lines.damaged > 0 {
            let damaged = format!("{} lines of the journal are damaged", self.lines.damaged);
            self.complain(damaged);
        }
        self.look();
        Ok(all)
    }

    fn look(&mut self) {
        let now_ns = self.clock.now_ns();
        if { self.looked_ns }.is_some_and(|looked_ns| now_ns < looked_ns + LOOK_EVERY_NS) {
            return;
        }
        self.looked_ns = Some(now_ns);
        if let Some(fold) = &mut self.fold {
            fold.look_at_cluster();
        }
        self.files = files::list(&self.path);
    }

    /// Where it can be told, why something is wrong.
    pub(super) fn complain(&mut self, error: String) {
        if !self.errors.contains(&error) && self.errors.len() < 20 {
            self.errors.push(error);
        }
    }

    fn now_unix_ns(&self) -> u64 {
        self.clock.origin_unix_ns() + self.clock.now_ns()
    }

    /// How far the run is.
    pub(in super::super) fn state(&self) -> State {
        if let Some(document) = &self.document {
            return document.page.run.state;
        }
        let so_far = self.fold.as_ref().map_or(State::Starting, Fold::state);
        let over = match self.whose {
            Whose::Ours => self.ended,
            Whose::Others => self.now_unix_ns() > self.grown_unix_ns() + STILL_NS,
        };
        match over {
            true => State::Ended,
            false => so_far,
        }
    }

    /// When the journal or the rows last grew.
    fn grown_unix_ns(&self) -> u64 {
        let grown = |name: &str| {
            let changed = metadata(self.path.join(name)).ok()?;
            let seconds = u64::try_from(changed.mtime()).ok()?;
            Some(seconds * SECOND_NS + u64::try_from(changed.mtime_nsec()).ok()?)
        };
        let files = ["journal.jsonl", "exchanges.rows", "spans.rows"];
        files.into_iter().filter_map(grown).max().unwrap_or(0)
    }

    /// What is to be shown now.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        if let Some(document) = &self.document {
            return Snapshot::of_document(Arc::clone(document));
        }
        let state = self.state();
        if state == State::Ended && self.verdict.is_none() {
            self.verdict = { self.folder.as_ref() }.and_then(|folder| read_verdict(folder).ok());
        }
        let now_unix_ns = self.now_unix_ns();
        let mut page = match &mut self.fold {
            Some(fold) => {
                if !matches!(state, State::Ended | State::Judging) {
                    let elapsed_ns = now_unix_ns.saturating_sub(fold.run.origin_unix_ns);
                    fold.reach(elapsed_ns / SECOND_NS);
                }
                fold.page(now_unix_ns, state)
            }
            None => Page {
                schema: crate::verdict::page::SCHEMA.to_owned(),
                ..Page::default()
            },
        };
        page.run.state = state;
        if page.run.id.is_empty() {
            page.run.id = name(&self.path);
        }
        page.run.users_change = self.users_change();
        page.run.errors.extend(self.errors.iter().cloned());
        page.files.clone_from(&self.files);
        page.verdict.clone_from(&self.verdict);
        let width = self.fold.as_ref().map_or(1, |fold| fold.seconds.width());
        let tag = match width {
            1 => page.run.id.clone(),
            width => format!("{}/{width}", page.run.id),
        };
        Snapshot::of(page, tag)
    }

    /// Users can be added and taken away now.
    pub(in super::super) fn users_change(&self) -> bool {
        let Some(fold) = &self.fold else { return false };
        let present = fold.stages.present();
        let stage = present.and_then(|begun| fold.plan.stages.get(begun.index));
        let of_users = stage.is_some_and(|stage| stage.load.kind() == "users");
        of_users && self.whose == Whose::Ours && self.state() == State::Running
    }

    /// Users that are wanted now, while they can be changed.
    pub(in super::super) fn users_now(&self) -> Option<f64> {
        let fold = self.fold.as_ref().filter(|_| self.users_change())?;
        let now_ns = self.now_unix_ns().saturating_sub(fold.run.origin_unix_ns);
        fold.stages.wanted(&fold.plan, now_ns).0
    }
}

/// The folder's own name.
pub(in super::super) fn name(path: &Path) -> String {
    let name = path.file_name();
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
