//! What stands on the terminal: from one frame to the next, only what differs is written.

use crate::run::terminal;
use anyhow::Result;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io::{BufWriter, Stderr, stderr};

/// Room for a whole frame: it is written at once.
const FRAME_BYTES: usize = 64 << 10;

/// The terminal while the panel holds it.
pub(super) struct Screen {
    backend: CrosstermBackend<BufWriter<Stderr>>,
    shown: Buffer,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Why it can not be had.
    pub(super) fn open() -> Result<Screen> {
        terminal::hold()?;
        Ok(Screen {
            backend: CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, stderr())),
            shown: Buffer::default(),
        })
    }

    /// Shows another frame, of whatever size the terminal has now. False when it is no longer there, or not ours.
    pub(super) fn draw(&mut self, frame: impl FnOnce(Rect, &mut Buffer)) -> bool {
        let drawn = terminal::while_held(|| self.renew(frame));
        matches!(drawn, Some(Ok(())))
    }

    fn renew(&mut self, frame: impl FnOnce(Rect, &mut Buffer)) -> Result<()> {
        let (width, height) = terminal::size()?;
        let area = Rect::new(0, 0, width, height);
        if area != self.shown.area {
            self.backend.clear()?;
            self.shown = Buffer::empty(area);
        }
        let mut next = Buffer::empty(area);
        frame(area, &mut next);
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        Backend::flush(&mut self.backend)?;
        self.shown = next;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        terminal::release();
    }
}
