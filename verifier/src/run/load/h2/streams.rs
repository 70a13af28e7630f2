//! The requests in flight of one worker, each under a number that is free again when it has ended.

use super::stream::Stream;

/// Streams by number.
#[derive(Default)]
pub(super) struct Streams {
    all: Vec<Option<Stream>>,
    vacant: Vec<usize>,
}

impl Streams {
    /// Takes a stream in, and gives its number.
    pub(super) fn insert(&mut self, stream: Stream) -> usize {
        match self.vacant.pop() {
            Some(number) => {
                self.all[number] = Some(stream);
                number
            }
            None => {
                self.all.push(Some(stream));
                self.all.len() - 1
            }
        }
    }

    /// `None`: it has ended.
    pub(super) fn get(&mut self, number: usize) -> Option<&mut Stream> {
        self.all.get_mut(number)?.as_mut()
    }

    /// Takes a stream out, as it has ended.
    pub(super) fn remove(&mut self, number: usize) -> Option<Stream> {
        let stream = self.all.get_mut(number)?.take()?;
        self.vacant.push(number);
        Some(stream)
    }

    /// Numbers of the streams of which that holds.
    pub(super) fn those(&self, holds: impl Fn(&Stream) -> bool) -> Vec<usize> {
        let numbered = self.all.iter().enumerate();
        numbered
            .filter(|(_, stream)| stream.as_ref().is_some_and(&holds))
            .map(|(number, _)| number)
            .collect()
    }
}
