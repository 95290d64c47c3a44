//! What runs on a connection: sans-IO applications, your own or one of these.
//!
//! | application | what it does |
//! |---|---|
//! | [`Source`], [`Sink`] | sends bulk data whose every byte follows from its position; checks that it arrives in order, exactly once |
//! | [`Asker`], [`Echo`] | asks questions and times the answers; answers |
//! | [`Player`] | all of that at both ends, as it is told: what runs behind scenarios |
//! | [`Idle`] | nothing |
//!
//! # An application of your own
//!
//! Implement [`App`] for a struct with what the application knows. It is called when something
//! happened on its connection ([`App::on_event`]), then once everything of an instant has been told
//! ([`App::poll`]), and whenever [`App::next_timeout`] has come. It calls the connection directly, as
//! any user of the engine does: open, write, finish, read, close.
//!
//! ```
//! use jsp_proto::connection::{Connection, Event};
//! use jsp_proto::ids::Dir;
//! use jsp_proto::time::Time;
//! use jsp_sim::app::{App, Idle};
//! use jsp_sim::{link::Link, ms, pair::Scenario};
//!
//! /// Says hello on a stream.
//! #[derive(Debug, Default)]
//! struct Greeter {
//!     said: bool,
//! }
//!
//! impl App for Greeter {
//!     fn on_event(&mut self, _: Time, connection: &mut Connection, event: &Event) -> Result<(), String> {
//!         if let Event::Connected = event {
//!             let id = connection.open_stream(Dir::Uni).ok_or("no stream is allowed")?;
//!             connection.write(id, b"hello").map_err(|error| error.to_string())?;
//!             connection.finish(id).map_err(|error| error.to_string())?;
//!             self.said = true;
//!         }
//!         Ok(())
//!     }
//!
//!     fn is_done(&self) -> bool {
//!         self.said
//!     }
//! }
//!
//! let path = Link::new().delay(ms(20)).loss(0.1);
//! let report = Scenario::new(1).link(&path).client_app(Greeter::default()).run().unwrap();
//! assert!(report.is_success());
//! ```
//!
//! What makes applications easy to test here makes them deterministic: they ask no clock, draw from no
//! random source but a seeded one of their own, and let no hash map decide an order. `examples/chat.rs`
//! is a longer one, with a tutorial.

mod answer;
mod bulk;
pub mod content;
mod echo;
mod pace;
mod player;
mod reader;
mod writer;

pub use bulk::{Sink, Source};
pub use echo::{Asker, Echo};
pub use pace::Pace;
pub use player::{Abandon, Part, Player};

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
