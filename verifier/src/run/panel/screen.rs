//! What stands on the terminal: from one frame to the next, only what differs is written.

use crate::run::terminal;
use anyhow::Result;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

/// The terminal while the panel holds it.
pub(super) struct Screen {
    /// Turns cells into bytes.
    backend: CrosstermBackend<Bytes>,
    bytes: Bytes,
    shown: Buffer,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Why it can not be had.
    pub(super) fn open() -> Result<Screen> {
        terminal::hold()?;
        let bytes = Bytes::default();
        Ok(Screen {
            backend: CrosstermBackend::new(bytes.clone()),
            bytes,
            shown: Buffer::default(),
        })
    }

    /// Shows another frame, of whatever size the terminal has now. False when it is no longer there, or not ours.
    pub(super) fn draw(&mut self, frame: impl FnOnce(Rect, &mut Buffer)) -> bool {
        terminal::show(|| self.renew(frame))
    }

    /// The bytes that make what stands there the next frame.
    fn renew(&mut self, frame: impl FnOnce(Rect, &mut Buffer)) -> Result<Vec<u8>> {
        let (width, height) = terminal::size()?;
        let area = Rect::new(0, 0, width, height);
        if area != self.shown.area {
            self.backend.clear()?;
            self.shown = Buffer::empty(area);
        }
        let mut next = Buffer::empty(area);
        frame(area, &mut next);
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        self.shown = next;
        Ok(self.bytes.take())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        terminal::release();
    }
}

/// A frame's bytes, on their way from the backend to the terminal.
#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl Bytes {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
