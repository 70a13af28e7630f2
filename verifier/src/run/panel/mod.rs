//! What a person sees of a run on a terminal: the recorder's running figures, several times a second, on a screen of
//! their own. It reads them and nothing else.

mod draw;
mod head;
mod histogram;
mod look;
mod looking;
mod notes;
mod outcomes;
mod rate;
mod screen;
mod times;
mod traces;
mod words;

#[cfg(test)]
mod tests;

pub use look::Phase;

use crate::plan::Plan;
use crate::record::Recorder;
use anyhow::Result;
use looking::Looking;
use screen::Screen;

/// The panel, for as long as it has the terminal.
pub struct Panel {
    screen: Screen,
    looking: Looking,
}

impl Panel {
    /// Takes the terminal. `target`: where the load goes, for a person; `keys`: what is typed is read.
    ///
    /// # Errors
    /// Why there can be none: stderr is no terminal, or not one that can do it, or it is another's.
    pub fn open(plan: &Plan, target: String, keys: bool) -> Result<Panel> {
        Ok(Panel {
            screen: Screen::open()?,
            looking: Looking::new(plan, target, keys),
        })
    }

    /// Shows how it stands. False when the terminal has gone away, or somebody has given it back.
    pub fn show(&mut self, recorder: &Recorder, phase: Phase) -> bool {
        let look = self.looking.look(recorder, phase);
        self.screen
            .draw(|area, buffer| draw::draw(&look, area, buffer))
    }
}
