//! Which connections, or streams, are to be looked at next: wakers that put a number on a list.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// One bell per number.
#[derive(Debug, Default)]
pub(super) struct Bells {
    rung: Arc<Mutex<Vec<usize>>>,
    bells: Vec<(Arc<Bell>, Waker)>,
}

#[derive(Debug)]
struct Bell {
    number: usize,
    /// It is on the list already.
    rings: AtomicBool,
    rung: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Bell>) {
        // A worker's bells are rung by its own thread only.
        if !self.rings.swap(true, Relaxed) {
            let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            rung.push(self.number);
        }
    }
}

impl Bells {
    /// What rings the number's bell.
    pub(super) fn waker(&mut self, number: usize) -> &Waker {
        while self.bells.len() <= number {
            let bell = Arc::new(Bell {
                number: self.bells.len(),
                rings: AtomicBool::new(false),
                rung: Arc::clone(&self.rung),
            });
            self.bells.push((Arc::clone(&bell), Waker::from(bell)));
        }
        &self.bells[number].1
    }

    pub(super) fn ring(&mut self, number: usize) {
        self.waker(number).wake_by_ref();
    }

    /// Takes the numbers whose bells have rung since the last time.
    pub(super) fn rung(&self) -> Vec<usize> {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = std::mem::take(&mut *rung);
        for number in &numbers {
            self.bells[*number].0.rings.store(false, Relaxed);
        }
        numbers
    }
}
