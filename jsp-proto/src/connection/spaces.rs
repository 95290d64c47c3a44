//! The packet-number spaces: what each has received, what it owes acknowledgements for, its keys.

use crate::ids::Space;
use crate::protection::{DataKeys, LevelKeys, ReceivedWindow};
use crate::recovery::AckScheduler;
use crate::time::Duration;
use crate::wire::header::{KEY_PHASE, Kind};
use alloc::boxed::Box;

/// What arrived in a space.
#[derive(Debug)]
pub(super) struct Inbound {
    /// Refuses replays, and is what acknowledgements are built from.
    pub(super) window: ReceivedWindow,
    /// Decides when to acknowledge.
    pub(super) acks: AckScheduler,
}

impl Inbound {
    fn new(space: Space, max_ack_delay: Duration) -> Self {
        Self { window: ReceivedWindow::new(), acks: AckScheduler::new(space, max_ack_delay) }
    }
}

/// The Initial or the Handshake space, while it lasts.
pub(super) struct Level {
    pub(super) inbound: Inbound,
    pub(super) keys: LevelKeys,
}

impl Level {
    pub(super) fn new(space: Space, keys: LevelKeys) -> Box<Self> {
        // Acknowledgements of the handshake are not held back.
        Box::new(Self { inbound: Inbound::new(space, Duration::ZERO), keys })
    }
}

/// All spaces of a connection. Those of the handshake cost nothing once they are gone.
pub(super) struct Spaces {
    pub(super) initial: Option<Box<Level>>,
    pub(super) handshake: Option<Box<Level>>,
    /// Whether the Handshake space has come and gone: its packets are then dropped, not deferred.
    pub(super) handshake_done: bool,
    pub(super) data: Inbound,
    pub(super) data_keys: Option<Box<DataKeys>>,
}

impl Spaces {
    /// The spaces of a connection that begins: only Initial keys exist. `max_ack_delay` is what this end
    /// promises for Data packets.
    pub(super) fn new(initial: LevelKeys, max_ack_delay: Duration) -> Self {
        Self {
            initial: Some(Level::new(Space::Initial, initial)),
            handshake: None,
            handshake_done: false,
            data: Inbound::new(Space::Data, max_ack_delay),
            data_keys: None,
        }
    }

    /// The level of a handshake space, while it lasts.
    pub(super) fn level(&mut self, space: Space) -> Option<&mut Level> {
        match space {
            Space::Initial => self.initial.as_deref_mut(),
            Space::Handshake => self.handshake.as_deref_mut(),
            Space::Data => None,
        }
    }

    /// What a space has received, while it lasts.
    pub(super) fn inbound(&mut self, space: Space) -> Option<&mut Inbound> {
        match space {
            Space::Data => Some(&mut self.data),
            _ => self.level(space).map(|level| &mut level.inbound),
        }
    }

    /// The same, to look at.
    pub(super) fn inbound_ref(&self, space: Space) -> Option<&Inbound> {
        match space {
            Space::Initial => self.initial.as_deref().map(|level| &level.inbound),
            Space::Handshake => self.handshake.as_deref().map(|level| &level.inbound),
            Space::Data => Some(&self.data),
        }
    }

    /// Whether packets can be sealed in `space`.
    pub(super) fn can_seal(&self, space: Space) -> bool {
        match space {
            Space::Initial => self.initial.is_some(),
            Space::Handshake => self.handshake.is_some(),
            Space::Data => self.data_keys.is_some(),
        }
    }

    /// The receiving generation of a packet that was just opened, whose first byte is `first`.
    pub(super) fn generation_opened(&self, kind: Kind, first: u8) -> u64 {
        let keys = self.data_keys.as_ref().filter(|_| kind == Kind::Data);
        keys.map_or(0, |keys| keys.generation_opened(first & KEY_PHASE != 0))
    }

    /// Forgets a space of the handshake.
    pub(super) fn discard(&mut self, space: Space) {
        match space {
            Space::Initial => self.initial = None,
            Space::Handshake => {
                self.handshake = None;
                self.handshake_done = true;
            }
            Space::Data => {}
        }
    }
}
