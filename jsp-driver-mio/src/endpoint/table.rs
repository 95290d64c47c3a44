//! The connections of an endpoint, and which of them need a look.

use crate::clock::Clock;
use crate::event::Event;
use crate::signing::{SignWith, Signers};
use jsp_proto::connection::{self as engine, Connection};
use jsp_proto::crypto::CryptoError;
use jsp_proto::handshake::SignRequest;
use jsp_proto::ids::{ConnectionHandle, Side};
use jsp_proto::rng::Rng;
use jsp_proto::time::Time;
use std::collections::VecDeque;

/// What only the handshake needs.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) signers: Signers,
    /// For the hedging of signatures.
    pub(super) rng: Rng,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) engine: Connection,
    greeting: Option<Box<Greeting>>,
    /// Where the timers have it. A timeout that moves later leaves this as it is: the connection is
    /// then looked at once too often, and steady flow, which moves timeouts ever later, costs nothing.
    pub(super) alarm: Option<Time>,
    /// Whether it stands in the list of those that may have something to send.
    due: bool,
    /// Whether it stands in the list of those that may have events.
    eventful: bool,
    /// Whether the application knows that it has ended.
    pub(super) told: bool,
}

/// Who needs a look. Nobody stands twice in a list.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    due: VecDeque<u32>,
    eventful: VecDeque<u32>,
}

impl Lists {
    /// `live` may have something to send, and its timer may have moved.
    pub(crate) fn mark_due(&mut self, live: &mut Live) {
        if !std::mem::replace(&mut live.due, true) {
            self.due.push_back(live.engine.handle().index);
        }
    }

    /// Anything may have happened to `live`.
    pub(crate) fn mark(&mut self, live: &mut Live) {
        self.mark_due(live);
        if !std::mem::replace(&mut live.eventful, true) {
            self.eventful.push_back(live.engine.handle().index);
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Option<Box<Live>>>,
    count: usize,
    pub(super) lists: Lists,
}

impl Table {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Takes a new connection in, to be looked at.
    pub(super) fn insert(&mut self, engine: Connection, greeting: Greeting) -> ConnectionHandle {
        let handle = engine.handle();
        let index = handle.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        let mut live = Box::new(Live {
            engine,
            greeting: Some(Box::new(greeting)),
            alarm: None,
            due: false,
            eventful: false,
            told: false,
        });
        self.lists.mark(&mut live);
        self.slots[index] = Some(live);
        self.count += 1;
        handle
    }

    /// The connection at `index`, with the lists.
    pub(super) fn at(&mut self, index: u32) -> Option<(&mut Live, &mut Lists)> {
        let live = self.slots.get_mut(index as usize)?.as_deref_mut()?;
        Some((live, &mut self.lists))
    }

    /// The connection of a handle, unless it is gone.
    pub(super) fn get(&mut self, handle: ConnectionHandle) -> Option<(&mut Live, &mut Lists)> {
        self.at(handle.index).filter(|(live, _)| live.engine.handle() == handle)
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, index: u32) -> Option<ConnectionHandle> {
        let live = self.slots.get_mut(index as usize)?.take()?;
        self.count -= 1;
        if live.due {
            self.lists.due.retain(|other| *other != index);
        }
        if live.eventful {
            self.lists.eventful.retain(|other| *other != index);
        }
        Some(live.engine.handle())
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.slots.len() as u32
    }

    /// How many may have something to send.
    pub(super) fn due(&self) -> usize {
        self.lists.due.len()
    }

    /// Whether any may have an event.
    pub(super) fn is_eventful(&self) -> bool {
        !self.lists.eventful.is_empty()
    }

    /// Takes the next that may have something to send off the list.
    pub(super) fn take_due(&mut self) -> Option<(&mut Live, &mut Lists)> {
        let index = self.lists.due.pop_front()?;
        let (live, lists) = self.at(index)?;
        live.due = false;
        Some((live, lists))
    }

    /// The next event of any connection.
    pub(super) fn poll_event(&mut self, clock: &Clock) -> Option<(&mut Live, Event)> {
        loop {
            let index = *self.lists.eventful.front()?;
            let event = self.at(index).and_then(|(live, lists)| live.poll_event(clock, lists));
            if let Some(event) = event {
                let (live, _) = self.at(index)?;
                return Some((live, event));
            }
            self.lists.eventful.pop_front();
            if let Some((live, _)) = self.at(index) {
                live.eventful = false;
            }
        }
    }
}

impl Live {
    /// The next event that is for the application.
    fn poll_event(&mut self, clock: &Clock, lists: &mut Lists) -> Option<Event> {
        loop {
            match self.engine.poll_event()? {
                engine::Event::Stream(event) => return Some(event.into()),
                engine::Event::Confirmed => self.greeting = None,
                engine::Event::Sign(request) => {
                    lists.mark_due(self);
                    if let Some(request) = self.sign(clock.now(), request) {
                        return Some(Event::SignatureWanted(request));
                    }
                }
                engine::Event::Connected => {
                    tracing::debug!(
                        connection = self.engine.handle().index,
                        side = ?self.engine.side(),
                        peer = %self.engine.remote(),
                        suite = self.engine.suite().map(tracing::field::display),
                        "connected"
                    );
                    return Some(Event::Connected);
                }
                engine::Event::Closed(reason) => {
                    let side = if self.engine.side() == Side::Client { "client" } else { "server" };
                    let connection = self.engine.handle().index;
                    tracing::debug!(connection, side, %reason, "connection ended");
                    self.greeting = None;
                    self.told = true;
                    return Some(Event::Closed(reason));
                }
            }
        }
    }

    /// Signs a proof here, or returns it to be signed elsewhere.
    fn sign(&mut self, now: Time, request: SignRequest) -> Option<SignRequest> {
        let greeting = self.greeting.as_mut()?;
        let signature = match greeting.signers.find(&request.identity) {
            Some(SignWith::Inline(signer)) => {
                let mut rng = Rng::new(&greeting.rng.seed(), "signature");
                signer.sign(&mut rng, &request.message)
            }
            Some(SignWith::Blocking(_) | SignWith::Remote(_)) => return Some(request),
            None => {
                tracing::warn!(identity = %request.identity, "no signer for this identity");
                Err(CryptoError)
            }
        };
        self.engine.provide_signature(now, signature);
        None
    }

    /// Whether nobody needs it any more.
    pub(super) fn is_over(&self) -> bool {
        self.told && self.engine.is_drained()
    }
}
