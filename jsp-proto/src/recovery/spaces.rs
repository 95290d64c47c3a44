//! The three packet-number spaces. Those of the handshake have a state only while there is something in it.

use super::space::SpaceState;
use crate::ids::Space;
use alloc::boxed::Box;
use core::ops::{Index, IndexMut};

/// A state for each space, found by [`Space::index`]. A space of the handshake that was not used yet, or is
/// forgotten, reads as one in which nothing was sent, and takes no memory.
#[derive(Debug, Default)]
pub(super) struct Spaces {
    handshake: [Option<Box<SpaceState>>; 2],
    data: SpaceState,
}

static UNUSED: SpaceState = SpaceState::new();

impl Spaces {
    /// The states that exist.
    pub(super) fn iter(&self) -> impl Iterator<Item = &SpaceState> {
        self.handshake.iter().flatten().map(|state| &**state).chain([&self.data])
    }

    /// The same, to change.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SpaceState> {
        self.handshake.iter_mut().flatten().map(|state| &mut **state).chain([&mut self.data])
    }

    /// Takes the state of a space, which begins anew.
    pub(super) fn take(&mut self, space: Space) -> SpaceState {
        match self.handshake.get_mut(space.index()) {
            Some(state) => state.take().map_or_else(SpaceState::default, |state| *state),
            None => core::mem::take(&mut self.data),
        }
    }
}

impl Index<usize> for Spaces {
    type Output = SpaceState;

    fn index(&self, at: usize) -> &SpaceState {
        match self.handshake.get(at) {
            Some(state) => state.as_deref().unwrap_or(&UNUSED),
            None => &self.data,
        }
    }
}

impl IndexMut<usize> for Spaces {
    fn index_mut(&mut self, at: usize) -> &mut SpaceState {
        match self.handshake.get_mut(at) {
            Some(state) => state.get_or_insert_default(),
            None => &mut self.data,
        }
    }
}
