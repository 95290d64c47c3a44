//! What runs on a connection: sans-IO applications, and some that tests need again and again.
//!
//! [`Source`] sends bulk data whose every byte follows from its position, and [`Sink`] checks that it
//! arrives in order, exactly once. [`Asker`] asks questions, [`Echo`] answers, and the answers are
//! timed. [`Idle`] does nothing.

mod bulk;
pub mod content;
mod echo;

pub use bulk::{Sink, Source};
pub use echo::{Asker, Echo};

use jsp_proto::connection::{Connection, Event};
use jsp_proto::time::Time;
use std::any::Any;
use std::fmt::Debug;

/// An application on one end of one connection.
///
/// An error is something that the transport promised not to do, and fails the run.
pub trait App: Any + Debug {
    /// Something happened on the connection. Requests for signatures do not come here.
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String>;

    /// After all events of an instant: the time to read and write. With nothing new it must change
    /// nothing.
    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        let _ = (now, connection);
        Ok(())
    }

    /// When the application wants to be polled, if nothing happens before.
    fn next_timeout(&self) -> Option<Time> {
        None
    }

    /// Whether it has done everything that it came for.
    fn is_done(&self) -> bool;
}

/// Two applications on one connection. Each must leave the other's streams alone.
impl<A: App, B: App> App for (A, B) {
    fn on_event(
        &mut self,
        now: Time,
        connection: &mut Connection,
        event: &Event,
    ) -> Result<(), String> {
        self.0.on_event(now, connection, event)?;
        self.1.on_event(now, connection, event)
    }

    fn poll(&mut self, now: Time, connection: &mut Connection) -> Result<(), String> {
        self.0.poll(now, connection)?;
        self.1.poll(now, connection)
    }

    fn next_timeout(&self) -> Option<Time> {
        self.0.next_timeout().into_iter().chain(self.1.next_timeout()).min()
    }

    fn is_done(&self) -> bool {
        self.0.is_done() && self.1.is_done()
    }
}

/// An application that does nothing, and is done once it is connected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle {
    connected: bool,
}

impl Idle {
    /// One that is not connected yet.
    pub const fn new() -> Self {
        Self { connected: false }
    }
}

impl App for Idle {
    fn on_event(&mut self, _: Time, _: &mut Connection, event: &Event) -> Result<(), String> {
        self.connected |= matches!(event, Event::Connected);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.connected
    }
}
