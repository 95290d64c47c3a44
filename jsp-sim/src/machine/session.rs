//! A connection with its application on top.

use super::forge::TrafficSecrets;
use crate::app::App;
use crate::invariant::{Surroundings, Watch};
use crate::rule::{Rule, Violation};
use crate::world::Context;
use jsp_proto::connection::{Audit, Connection, Event};
use jsp_proto::error::CloseReason;
use jsp_proto::handshake::SignRequest;
use jsp_proto::ids::ConnectionHandle;
use jsp_proto::time::Time;
use std::any::Any;
use std::sync::Arc;

/// A connection with its application, and when it reached what.
#[derive(Debug)]
pub struct Session {
    pub(super) connection: Connection,
    app: Box<dyn App>,
    pub(super) watch: Option<Watch>,
    pub(super) secrets: Arc<TrafficSecrets>,
    /// When it began.
    pub began: Time,
    /// When the handshake completed at this end.
    pub connected: Option<Time>,
    /// When it was known that it completed at the other.
    pub confirmed: Option<Time>,
    /// When and why it ended.
    pub closed: Option<(Time, CloseReason)>,
}

impl Session {
    pub(super) fn new(
        now: Time,
        connection: Connection,
        app: Box<dyn App>,
        watch: Option<Watch>,
        secrets: Arc<TrafficSecrets>,
    ) -> Self {
        let (connected, confirmed, closed) = (None, None, None);
        Self { connection, app, watch, secrets, began: now, connected, confirmed, closed }
    }

    /// The connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the application has done everything that it came for.
    pub fn is_done(&self) -> bool {
        self.app.is_done()
    }

    /// The application, if it is an `A`.
    pub fn app<A: App>(&self) -> Option<&A> {
        (&*self.app as &dyn Any).downcast_ref()
    }

    /// The connection and its application, if that is an `A`.
    pub(super) fn parts<A: App>(&mut self) -> Option<(&mut Connection, &mut A)> {
        let app = (&mut *self.app as &mut dyn Any).downcast_mut()?;
        Some((&mut self.connection, app))
    }
}

/// What a session heard from its connection.
pub(super) struct Heard {
    pub(super) anything: bool,
    pub(super) requests: Vec<SignRequest>,
}

impl Session {
    /// Hands events to the application, and lets it read and write.
    pub(super) fn hear(
        &mut self,
        context: &mut Context<'_>,
        handle: ConnectionHandle,
    ) -> Result<Heard, Violation> {
        let mut heard = Heard { anything: false, requests: Vec::new() };
        let mut next = self.connection.poll_event();
        loop {
            while let Some(event) = next.take().or_else(|| self.connection.poll_event()) {
                self.hear_event(context, handle, &mut heard, &event)?;
            }
            let polled = self.app.poll(context.now, &mut self.connection);
            polled.map_err(|what| Violation::new(Rule::Application, what))?;
            // What the application does may make room, or end something, and it hears of that.
            next = self.connection.poll_event();
            if next.is_none() {
                return Ok(heard);
            }
        }
    }

    fn hear_event(
        &mut self,
        context: &mut Context<'_>,
        handle: ConnectionHandle,
        heard: &mut Heard,
        event: &Event,
    ) -> Result<(), Violation> {
        heard.anything = true;
        context.note(u64::from(handle.index), format!("{event:?}").as_bytes());
        if let Some((_, reason)) = &self.closed {
            let what = format!("{event:?} after the connection was closed: {reason}");
            return Err(Violation::new(Rule::Closed, what));
        }
        match event {
            Event::Sign(request) => {
                heard.requests.push(request.clone());
                return Ok(());
            }
            Event::Connected => self.connected = Some(context.now),
            Event::Confirmed => {
                self.confirmed = Some(context.now);
                self.watch.iter_mut().for_each(Watch::on_confirmed);
            }
            Event::Closed(reason) => {
                self.closed = Some((context.now, reason.clone()));
                if let Some(watch) = &mut self.watch {
                    watch.on_closed(context.now, reason)?;
                }
            }
            Event::Stream(_) => {}
        }
        let result = self.app.on_event(context.now, &mut self.connection, event);
        result.map_err(|what| Violation::new(Rule::Application, what))
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.connection.next_timeout().into_iter().chain(self.app.next_timeout()).min()
    }

    /// A slice that is too small for any packet changes nothing.
    pub(super) fn poll_too_small(&mut self, now: Time, segments: usize) -> Result<(), Violation> {
        let sealed = self.sealed();
        let transmit = self.connection.poll_transmit(now, &mut [0; 8], segments);
        if transmit.is_some() || self.sealed() != sealed {
            return Err(Violation::new(Rule::Polls, "a packet was sealed into 8 bytes"));
        }
        Ok(())
    }

    fn sealed(&self) -> usize {
        self.watch.as_ref().map_or(0, Watch::sealed)
    }

    /// Further polls change nothing, whatever the slice. Returns what the connection says of itself.
    /// (That [`Connection::audit`] and the like change nothing, their signatures say.)
    pub(super) fn check(
        &mut self,
        now: Time,
        buffer: &mut [u8],
        segments: usize,
    ) -> Result<Audit, Violation> {
        let broken = |what: String| Err(Violation::new(Rule::Polls, what));
        let (audit, before) = (self.connection.audit(), self.connection.next_timeout());
        let sealed = self.sealed();
        let small = self.connection.poll_transmit(now, &mut [0; 100], segments).is_some();
        if small || self.connection.poll_transmit(now, buffer, segments).is_some() {
            return broken("a drained connection had more to send".into());
        }
        if let Some(event) = self.connection.poll_event() {
            return broken(format!("polling a drained connection made it say {event:?}"));
        }
        if self.sealed() != sealed {
            return broken("polling sealed a packet that was not sent".into());
        }
        let after = self.connection.next_timeout();
        if before != after {
            return broken(format!("polling moved the timer from {before:?} to {after:?}"));
        }
        let after = self.connection.audit();
        if audit != after {
            return broken(format!("polling changed {audit:?} into {after:?}"));
        }
        Ok(after)
    }

    /// What must hold of every connection after every event.
    pub(super) fn examine(
        &mut self,
        audit: &Audit,
        around: &Surroundings,
    ) -> Result<(), Violation> {
        let watch = self.watch.as_mut();
        watch.map_or(Ok(()), |watch| watch.check(&self.connection, audit, around))
    }
}
