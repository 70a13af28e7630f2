//! A terminal of our own: a pseudo-terminal, a program that has it for its controlling terminal, and what would stand on
//! its screen.

use super::{VERIFIER, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Lines that the emulator keeps of what has scrolled off.
const HISTORY: usize = 1000;

pub(super) struct Pty {
    /// Where keys are typed; dropped, the terminal is gone.
    keyboard: Option<File>,
    /// Kept open, so that the terminal outlives the program.
    terminal: File,
    screen: Arc<Mutex<vt100::Parser>>,
    before: Termios,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    child: Child,
}

impl Pty {
    /// Runs the verifier on a terminal of that kind and size.
    pub(super) fn run(folder: &Path, kind: &str, size: (u16, u16), args: &[&str]) -> Pty {
        let keyboard =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new())
            .unwrap()
            .into_string()
            .unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let (keyboard, terminal) = (File::from(keyboard), open());
        resize(&keyboard, size);
        let before = tcgetattr(&terminal).unwrap();
        // It is no leader of a process group, so that this process becomes the verifier.
        let child = Command::new("setsid")
            .args(["--ctty", VERIFIER])
            .args(args)
            .current_dir(folder)
            .env("TERM", kind)
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let (width, height) = size;
        let parser = vt100::Parser::new(height, width, HISTORY);
        let screen = Arc::new(Mutex::new(parser));
        let (shown, mut output) = (Arc::clone(&screen), keyboard.try_clone().unwrap());
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !closed.load(SeqCst) {
                if has_more(&output) {
                    let read = output.read(&mut bytes).unwrap_or(0);
                    shown.lock().unwrap().process(&bytes[..read]);
                }
            }
        });
        Pty {
            keyboard: Some(keyboard),
            terminal,
            screen,
            before,
            closing,
            reader: Some(reader),
            child,
        }
    }

    pub(super) fn type_keys(&mut self, keys: &str) {
        let mut keyboard = self.keyboard.as_ref().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(super) fn resize(&self, size: (u16, u16)) {
        let (width, height) = size;
        let mut screen = self.screen.lock().unwrap();
        screen.screen_mut().set_size(height, width);
        resize(self.keyboard.as_ref().unwrap(), size);
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Everything on the screen.
    pub(super) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub(super) fn is_alternate(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    pub(super) fn wait_for(&self, text: &str) {
        wait_until(text, || self.text().contains(text));
    }

    /// Waits until it has ended and everything that it wrote stands on the screen.
    pub(super) fn end(&mut self, last_words: &str) -> ExitStatus {
        let status = self.child.wait().unwrap();
        self.wait_for(last_words);
        status
    }

    /// As it was found: what is typed is shown, line by line; the screen that scrolls; the cursor.
    #[track_caller]
    pub(super) fn assert_restored(&self) {
        let now = tcgetattr(&self.terminal).unwrap();
        assert_eq!(format!("{now:?}"), format!("{:?}", self.before));
        let screen = self.screen.lock().unwrap();
        assert!(!screen.screen().alternate_screen());
        assert!(!screen.screen().hide_cursor());
    }

    /// The terminal goes away, as when its window is closed; then waits for the end.
    pub(super) fn close(&mut self) -> ExitStatus {
        self.closing.store(true, SeqCst);
        // The reader's handle is the last but one.
        self.reader.take().unwrap().join().unwrap();
        self.keyboard = None;
        self.child.wait().unwrap()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.closing.store(true, SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_more(output: &File) -> bool {
    let soon = Timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    let mut ready = [PollFd::new(output, PollFlags::IN)];
    poll(&mut ready, Some(&soon)).is_ok_and(|ready| ready > 0)
}

fn resize(keyboard: &File, (width, height): (u16, u16)) {
    let size = Winsize {
        ws_row: height,
        ws_col: width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(keyboard, size).unwrap();
}
