//! Whose the terminal is: lines for a person, or the panel's while it holds it; and how it is left as it was found,
//! however the run ends.

use super::tty::Tty;
use anyhow::{Context, Result, ensure};
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush,
    tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
};
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdin, stdout};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::ThreadId;

/// To the alternate screen, which has no history and covers nothing for good; the cursor off. And back.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// What writing to a terminal that was closed gives.
const EIO: i32 = 5;

/// What was said while the panel has the terminal: the alternate screen forgets it.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Who holds it, once in the life of a process, and how it was found.
static FOUND: OnceLock<Found> = OnceLock::new();

/// It has been left.
static LEFT: AtomicBool = AtomicBool::new(false);

struct Found {
    holder: ThreadId,
    termios: Termios,
    tty: Tty,
}

impl Found {
    fn put_back(&self) {
        if !LEFT.swap(true, SeqCst) {
            self.tty.write(LEAVE);
            // What was typed and not read was for the panel, not for the shell. A terminal that is gone needs nothing.
            let _ = tcflush(stderr(), QueueSelector::IFlush);
            let _ = tcsetattr(stderr(), OptionalActions::Now, &self.termios);
        }
    }
}

/// Says something to the person: beside the progress line, which the next renewal puts below it; or on the panel, and
/// once that is gone where it would have stood without.
pub fn say(line: &str) {
    match held().as_mut() {
        Some(said) => said.push(line.to_owned()),
        None => print(line),
    }
}

/// What was asked for, on stdout. Whoever read may be gone (a pager that was left, a terminal that was closed), which is
/// nobody's fault.
///
/// # Errors
/// When it could not be written otherwise: a full disk.
pub fn answer(text: &str) -> Result<()> {
    let mut out = stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error)
            if error.kind() == ErrorKind::BrokenPipe || error.raw_os_error() == Some(EIO) =>
        {
            Ok(())
        }
        written => written.context("cannot write to stdout"),
    }
}

fn print(line: &str) {
    let clear = match stderr().is_terminal() && !is_dumb() {
        true => "\r\x1b[K",
        false => "",
    };
    let line = format!("{clear}verifier: {line}\n");
    // A terminal that went away must not end the run.
    match FOUND.get() {
        Some(found) => drop(found.tty.write(line.as_bytes())),
        None => drop(stderr().write_all(line.as_bytes())),
    }
}

/// Columns and rows.
///
/// # Errors
/// When it is none, or gone.
pub(super) fn size() -> Result<(u16, u16)> {
    let size = tcgetwinsize(stderr()).context("the terminal is gone")?;
    Ok((size.ws_col, size.ws_row))
}

/// It can do nothing but lines.
pub(super) fn is_dumb() -> bool {
    let kind = std::env::var_os("TERM").unwrap_or_default();
    kind.is_empty() || kind == "dumb"
}

/// Keys can be read.
pub(super) fn has_keys() -> bool {
    stdin().is_terminal()
}

/// Takes the terminal: nothing typed is shown, each key comes at once, Ctrl-C remains a signal.
///
/// # Errors
/// Why it can not be had: there is none, it is not ours now, it can do nothing but lines.
pub(super) fn hold() -> Result<()> {
    ensure!(stderr().is_terminal(), "stderr is no terminal");
    ensure!(!is_dumb(), "the terminal is dumb");
    ensure!(tcgetpgrp(stderr())? == getpgrp(), "it is another's now");
    let (width, height) = size()?;
    ensure!(width > 0 && height > 0, "the terminal has no size");
    let found = Found {
        holder: std::thread::current().id(),
        termios: tcgetattr(stderr())?,
        tty: Tty::open()?,
    };
    let quiet = quiet(&found.termios);
    ensure!(FOUND.set(found).is_ok(), "it was held before");
    restore_before_a_panic_speaks();
    tcsetattr(stderr(), OptionalActions::Now, &quiet)?;
    *held() = Some(Vec::new());
    if let Some(found) = FOUND.get() {
        found.tty.write(ENTER);
    }
    Ok(())
}

/// No line editing, no echo. Nobody may stop the process, or its output, by Ctrl-Z or Ctrl-S while it draws.
fn quiet(termios: &Termios) -> Termios {
    let mut quiet = termios.clone();
    quiet.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    quiet.input_modes -= InputModes::IXON;
    quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
    quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
    quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
    quiet
}

/// Gives the terminal back as it was, and says what was said meanwhile. Done already, or never held: nothing.
pub(super) fn release() {
    let mut held = held();
    if let (Some(said), Some(found)) = (held.take(), FOUND.get()) {
        found.put_back();
        said.iter().for_each(|line| print(line));
    }
}

/// Waits until the terminal has taken everything that was written to it.
pub(super) fn flush() {
    if let Some(found) = FOUND.get() {
        found.tty.flush();
    }
}

/// Shows a frame, if the terminal is still held: whoever releases it meanwhile waits, so that no half frame comes after.
/// One that is behind is left alone. False when there is none to show it on.
pub(super) fn show(frame: impl FnOnce() -> Result<Vec<u8>>) -> bool {
    let (held, found) = (held(), FOUND.get());
    let (Some(_), Some(found)) = (&*held, found) else {
        return false;
    };
    found.tty.is_behind() || frame().is_ok_and(|bytes| found.tty.write(&bytes))
}

/// Whether the panel has it.
pub(super) fn is_held() -> bool {
    held().is_some()
}

/// What was said since the terminal was taken, but for the first `known`.
pub(super) fn said(known: usize) -> Vec<String> {
    let held = held();
    let said = held.as_ref().and_then(|said| said.get(known..));
    said.unwrap_or_default().to_vec()
}

fn held() -> MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A panic ends the process without unwinding, or is told while the panel is there: either way it must be legible.
fn restore_before_a_panic_speaks() {
    let speak = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        match (HELD.try_lock(), FOUND.get()) {
            // It is the drawing itself that panics.
            (Err(TryLockError::WouldBlock), Some(found))
                if found.holder == std::thread::current().id() =>
            {
                found.put_back();
            }
            (lock, _) => {
                drop(lock);
                release();
            }
        }
        speak(panic);
    }));
}
