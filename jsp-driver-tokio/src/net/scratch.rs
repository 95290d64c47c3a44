//! Memory that a call needs only while it runs, one set for each thread.

use std::cell::Cell;
use std::task::Waker;

/// Room for one train of segments: the largest UDP payload, and what an engine wants to be offered.
const TRAIN: usize = 65_535;

/// Where datagrams are written before they are sent, and the wakers of tasks to be woken once the
/// connection is unlocked, so that who is woken does not wait for the lock.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) train: Box<[u8]>,
    pub(crate) wakers: Vec<Waker>,
}

/// Tells threads apart, of those that run at the same time: where a variable of this one is.
pub(super) fn this_thread() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

thread_local! {
    static HERE: u8 = const { 0 };
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    fn new() -> Self {
        Self { train: vec![0; TRAIN].into(), wakers: Vec::new() }
    }

    /// Lends this thread's scratch memory to `f`, then wakes whom `f` left to be woken.
    pub(crate) fn lend<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        // Who is woken may run at once and come here again: then there is another set.
        let mut scratch = SCRATCH.take().unwrap_or_else(|| Box::new(Self::new()));
        let result = f(&mut scratch);
        scratch.wake();
        SCRATCH.set(Some(scratch));
        result
    }

    /// Wakes who waits.
    pub(crate) fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
