//! The loop: one thread, one poll, sockets around a [`Relay`].

use super::alarm::Alarm;
use super::clients::ClientId;
use super::relay::{Change, Relay, Route};
use super::settings::Settings;
use super::socket::{Inbox, Socket};
use super::summary::Summary;
use super::train::Train;
use jsp_proto::time::{Duration, Time};
use mio::{Events, Poll, Token, Waker};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const LISTENING: Token = Token(0);
const ALARM: Token = Token(1);
const STOP: Token = Token(2);
/// The first token of a client's socket.
const CLIENTS: usize = 3;
/// Trains that leave before something is received again.
const TRAINS: usize = 64;

/// A proxy at work.
#[derive(Debug)]
pub struct Proxy {
    relay: Relay,
    target: SocketAddr,
    start: Instant,
    poll: Poll,
    alarm: Alarm,
    stopper: Stopper,
    listening: Socket,
    /// The sockets towards the target: one for each client, and one of before a rebinding.
    uplinks: BTreeMap<Token, Uplink>,
    present: BTreeMap<ClientId, Token>,
    next_token: usize,
    /// Sockets that may have something to receive.
    ready: BTreeSet<Token>,
    inbox: Inbox,
    train: Train,
}

#[derive(Debug)]
struct Uplink {
    client: ClientId,
    socket: Socket,
}

/// Ends a proxy from anywhere.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Stopper {
    /// Has the proxy return from [`Proxy::run`], soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // Where waking fails it still ends with its next datagram.
        let _ = self.waker.wake();
    }
}

impl Proxy {
    /// A proxy that clients reach at `listen`; port 0 is any free one. Its time starts now.
    ///
    /// # Errors
    /// The address cannot be used, or the system has no more sockets.
    pub fn bind(listen: SocketAddr, settings: &Settings) -> io::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let waker = Arc::new(Waker::new(poll.registry(), STOP)?);
        let listening = Socket::bind(listen, poll.registry(), LISTENING)?;
        Ok(Self {
            relay: Relay::new(settings),
            target: settings.target,
            start: Instant::now(),
            poll,
            alarm,
            stopper: Stopper { stop: Arc::default(), waker },
            listening,
            uplinks: BTreeMap::new(),
            present: BTreeMap::new(),
            next_token: CLIENTS,
            ready: BTreeSet::new(),
            inbox: Inbox::new(),
            train: Train::default(),
        })
    }

    /// Where clients send to.
    pub const fn local_addr(&self) -> SocketAddr {
        self.listening.local_addr()
    }

    /// What ends the proxy, from a signal handler or another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Relays until it is stopped, or for this long since its start, and tells what it did.
    ///
    /// # Errors
    /// The system cannot poll, or the listening socket is broken.
    pub fn run(&mut self, time: Option<Duration>) -> io::Result<Summary> {
        let end = time.map(|time| Time::ZERO + time);
        let mut events = Events::with_capacity(256);
        while !self.stopper.stop.load(Ordering::Relaxed) {
            let now = self.now();
            if end.is_some_and(|end| now >= end) {
                break;
            }
            let more = self.receive()?;
            let busy = self.work()? || more;
            let wait = if busy { Some(Duration::ZERO) } else { self.sleep(end)? };
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let sockets = events.iter().map(mio::event::Event::token);
            self.ready.extend(sockets.filter(|token| *token != ALARM && *token != STOP));
        }
        Ok(Summary::new(&self.relay, self.now().since(Time::ZERO)))
    }

    fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    /// How long there is nothing to do: sets the alarm.
    fn sleep(&mut self, end: Option<Time>) -> io::Result<Option<Duration>> {
        match self.relay.next_timeout().into_iter().chain(end).min() {
            Some(time) => self.alarm.set(time.since(self.now())),
            None => Ok(None),
        }
    }

    /// Does what is due, within limits. Whether there is more.
    fn work(&mut self) -> io::Result<bool> {
        self.relay.handle_timeout(self.now());
        while let Some(change) = self.relay.poll_change() {
            self.carry_out(change)?;
        }
        for _ in 0..TRAINS {
            let most = self.listening.max_segments();
            let now = self.now();
            if !self.train.load(&mut self.relay, now, most) {
                return Ok(false);
            }
            self.depart();
        }
        Ok(true)
    }

    /// Receives once from every socket that may have something. Whether there may be more.
    fn receive(&mut self) -> io::Result<bool> {
        for token in self.ready.clone() {
            // What has come by now is in it; reading it takes time.
            let now = self.now();
            let socket = match self.uplinks.get(&token) {
                Some(uplink) => &uplink.socket,
                None if token == LISTENING => &self.listening,
                None => {
                    self.ready.remove(&token);
                    continue;
                }
            };
            match socket.receive(&mut self.inbox) {
                Ok(()) => {
                    self.take_in(now, token);
                    self.work()?;
                }
                // Nothing more, or what an earlier datagram met: others may fare better.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.remove(&token);
                }
                Err(_) => {}
            }
        }
        Ok(!self.ready.is_empty())
    }

    /// Hands what was received to the relay.
    fn take_in(&mut self, now: Time, token: Token) {
        let uplink = self.uplinks.get(&token);
        for (from, local, ecn, payload) in self.inbox.datagrams() {
            match uplink {
                None => self.relay.from_client(now, (from, local), ecn, payload),
                // Nobody else is heard, as behind the strictest translators.
                Some(_) if (from.ip(), from.port()) != (self.target.ip(), self.target.port()) => {}
                Some(Uplink { client, .. }) if self.present.get(client) == Some(&token) => {
                    self.relay.from_target(now, *client, ecn, payload);
                }
                Some(_) => self.relay.from_target_to_nobody(payload),
            }
        }
    }

    /// Sends the train.
    fn depart(&mut self) {
        let departures = self.train.departures();
        let Some(first) = departures.first() else { return };
        let (socket, to, from) = match first.route {
            Route::Client(to, from) => (Some(&self.listening), to, from),
            Route::Target(client) => {
                let uplink = self.present.get(&client).and_then(|token| self.uplinks.get(token));
                (uplink.map(|uplink| &uplink.socket), self.target, None)
            }
        };
        let send = |bytes: &[u8]| {
            let segment = first.payload.len();
            socket.is_some_and(|socket| socket.send(to, from, first.ecn, bytes, segment).is_ok())
        };
        let whole = departures.len() > 1 && send(self.train.bytes());
        let now = Time::ZERO + self.start.elapsed();
        for departure in departures {
            // Without the kernel's help, one by one.
            if whole || send(&departure.payload) {
                let now = if whole { now } else { Time::ZERO + self.start.elapsed() };
                self.relay.departed(now, departure);
            } else {
                self.relay.refused(departure);
            }
        }
    }

    fn carry_out(&mut self, change: Change) -> io::Result<()> {
        match change {
            Change::Open(client) => self.open(client),
            Change::Rebind(client) => {
                let present = self.present.get(&client).copied();
                let old = self.tokens(client).into_iter().filter(|token| Some(*token) != present);
                old.for_each(|token| self.close(token));
                self.open(client)
            }
            Change::Close(client) => {
                self.present.remove(&client);
                self.tokens(client).into_iter().for_each(|token| self.close(token));
                Ok(())
            }
        }
    }

    /// Opens a new socket for a client; the one that it has stays open.
    fn open(&mut self, client: ClientId) -> io::Result<()> {
        let ip = match self.target.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let token = Token(self.next_token);
        let socket = Socket::bind(SocketAddr::new(ip, 0), self.poll.registry(), token)?;
        self.next_token += 1;
        self.uplinks.insert(token, Uplink { client, socket });
        self.present.insert(client, token);
        Ok(())
    }

    fn tokens(&self, client: ClientId) -> Vec<Token> {
        let owned = self.uplinks.iter().filter(|(_, uplink)| uplink.client == client);
        owned.map(|(token, _)| *token).collect()
    }

    fn close(&mut self, token: Token) {
        self.ready.remove(&token);
        if let Some(uplink) = self.uplinks.remove(&token) {
            uplink.socket.close(self.poll.registry());
        }
    }
}
