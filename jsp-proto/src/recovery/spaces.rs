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

    /// The smallest of what `of` tells of each state that exists.
    pub(super) fn min<T: Ord>(&self, of: impl Fn(&SpaceState) -> Option<T>) -> Option<T> {
        let data = of(&self.data);
        if self.is_alone() { data } else { self.iter().filter_map(of).min() }
    }

    /// Whether something holds of each state that exists.
    pub(super) fn all(&self, holds: impl Fn(&SpaceState) -> bool) -> bool {
        holds(&self.data) && (self.is_alone() || self.iter().all(holds))
    }

    /// Whether there are none of the handshake's: then nobody has to walk over them.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self.handshake, [None, None])
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
