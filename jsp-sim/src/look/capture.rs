//! Captures of whole runs, written while the runs go on: the sealed datagrams of a world, the opened
//! packets of its connections.
//!
//! ```text
//! World ── Observer ──────────> Datagrams ─┐
//!                                          ├──> pcapng
//! Machine ── PacketObserver ──> Packets ───┘
//! ```
//!
//! A datagram is recorded as it was sent, with a comment where it was dropped. So it is held back until it is known
//! what became of it; of a packet it must be known between which addresses it went. Memory stays
//! bounded: what has waited too long is written as it is.

use super::pcapng::{Capture, Opened, Seen};
use crate::datagram::{Datagram, NodeId};
use crate::invariant::{PacketObserver, Who};
use crate::trace::Observer;
use jsp_proto::connection::TapPacket;
use jsp_proto::ids::PacketNumber;
use jsp_proto::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many datagrams, or packets, wait at most.
const WAITING: usize = 1 << 14;

/// A capture that is being written, until it fails.
struct Output<W> {
    capture: Option<Capture<W>>,
    error: Option<io::Error>,
}

impl<W: Write> Output<W> {
    fn new(out: W) -> io::Result<Self> {
        Ok(Self { capture: Some(Capture::new(out)?), error: None })
    }

    fn write(&mut self, write: impl FnOnce(&mut Capture<W>) -> io::Result<()>) {
        if let Some(capture) = self.capture.as_mut().filter(|_| self.error.is_none()) {
            self.error = write(capture).err();
        }
    }

    fn finish(&mut self) -> io::Result<W> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let gone = || io::Error::other("the capture is finished");
        self.capture.take().ok_or_else(gone)?.finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Captures the sealed datagrams of a world. Clones write to the same capture: one of them watches, another
/// finishes it.
pub struct Datagrams<W>(Arc<Mutex<Sealed<W>>>);

struct Sealed<W> {
    out: Output<W>,
    /// Datagrams of consecutive numbers whose fate, or an earlier one's, is not known.
    waiting: VecDeque<Waiting>,
    /// The number of the first.
    first: u64,
}

struct Waiting {
    time: Time,
    datagram: Datagram,
    fate: Fate,
}

enum Fate {
    Unknown,
    Arrived,
    Dropped(&'static str),
}

impl<W: Write> Datagrams<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(out: W) -> io::Result<Self> {
        let out = Output::new(out)?;
        Ok(Self(Arc::new(Mutex::new(Sealed { out, waiting: VecDeque::new(), first: 0 }))))
    }

    /// Writes what waits, and hands back what was written to. What happens after that is not recorded.
    ///
    /// # Errors
    /// The first error of the writer, whenever it was; records are missing then.
    pub fn finish(&self) -> io::Result<W> {
        let mut sealed = lock(&self.0);
        while sealed.write_first() {}
        sealed.out.finish()
    }
}

impl<W: Write> Sealed<W> {
    fn write_first(&mut self) -> bool {
        let Some(Waiting { time, datagram, fate }) = self.waiting.pop_front() else { return false };
        self.first += 1;
        let comment = match fate {
            Fate::Dropped(why) => Some(why),
            Fate::Unknown | Fate::Arrived => None,
        };
        self.out.write(|capture| capture.datagram(time, &datagram, comment));
        true
    }

    fn settle(&mut self, number: u64, fate: Fate) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(waiting) = at.and_then(|at| self.waiting.get_mut(at)) {
            waiting.fate = fate;
        }
        while self.waiting.front().is_some_and(|first| !matches!(first.fate, Fate::Unknown)) {
            self.write_first();
        }
    }
}

impl<W: Write + Send> Observer for Datagrams<W> {
    fn sent(&mut self, time: Time, _: NodeId, number: u64, datagram: &Datagram) {
        let mut sealed = lock(&self.0);
        // Whoever begins to watch in the middle begins with this one.
        if number != sealed.first + sealed.waiting.len() as u64 {
            while sealed.write_first() {}
            sealed.first = number;
        }
        if sealed.waiting.len() == WAITING {
            sealed.write_first();
        }
        let waiting = Waiting { time, datagram: datagram.clone(), fate: Fate::Unknown };
        sealed.waiting.push_back(waiting);
    }

    fn dropped(&mut self, _: Time, _: NodeId, number: u64, why: &'static str) {
        lock(&self.0).settle(number, Fate::Dropped(why));
    }

    fn arrived(&mut self, _: Time, _: NodeId, number: u64, _: &Datagram) {
        lock(&self.0).settle(number, Fate::Arrived);
    }
}

impl<W> Clone for Datagrams<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W> fmt::Debug for Datagrams<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").finish_non_exhaustive()
    }
}

/// Captures the opened packets of the connections of the machines that it is handed to
/// ([`Machine::observe`](crate::machine::Machine::observe)). Each packet is in it twice, as its sender sealed
/// it and as its receiver opened it.
pub struct Packets<W> {
    out: Output<W>,
    /// Between which addresses connections run, seen from their own ends.
    addresses: BTreeMap<Who, (SocketAddr, SocketAddr)>,
    /// Packets of connections of which that is not known, and those behind them.
    waiting: VecDeque<Packet>,
}

struct Packet {
    who: Who,
    seen: Seen,
    time: Time,
    number: PacketNumber,
    generation: u64,
    header: Vec<u8>,
    payload: Vec<u8>,
}

impl<W: Write> Packets<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(out: W) -> io::Result<Self> {
        let (addresses, waiting) = (BTreeMap::new(), VecDeque::new());
        Ok(Self { out: Output::new(out)?, addresses, waiting })
    }

    /// Tells between which addresses a connection runs, by what its own end knows.
    pub fn locate(&mut self, who: Who, local: SocketAddr, remote: SocketAddr) {
        if self.addresses.insert(who, (local, remote)) != Some((local, remote)) {
            while self.waiting.front().is_some_and(|first| self.addresses.contains_key(&first.who))
            {
                self.write_first();
            }
        }
    }

    /// Writes what waits, and hands back what was written to.
    ///
    /// # Errors
    /// The first error of the writer, whenever it was; records are missing then.
    pub fn finish(&mut self) -> io::Result<W> {
        while self.write_first() {}
        self.out.finish()
    }

    fn write_first(&mut self) -> bool {
        let Some(packet) = self.waiting.pop_front() else { return false };
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let known = self.addresses.get(&packet.who).copied();
        let (local, remote) = known.unwrap_or((nowhere, nowhere));
        let (from, to, sender) = match packet.seen {
            Seen::Sent => (local, remote, packet.who.side),
            Seen::Received => (remote, local, packet.who.side.peer()),
        };
        let Packet { seen, time, number, generation, ref header, ref payload, .. } = packet;
        let opened = Opened { time, from, to, sender, seen, number, generation, header, payload };
        self.out.write(|capture| capture.opened(&opened, None));
        true
    }

    fn note(&mut self, who: Who, seen: Seen, packet: &TapPacket<'_>) {
        if self.waiting.len() == WAITING {
            self.write_first();
        }
        self.waiting.push_back(Packet {
            who,
            seen,
            time: packet.now,
            number: packet.number,
            generation: packet.generation,
            header: packet.header.to_vec(),
            payload: packet.payload.to_vec(),
        });
        if self.waiting.len() == 1 && self.addresses.contains_key(&who) {
            self.write_first();
        }
    }
}

impl<W: Write + Send> PacketObserver for Packets<W> {
    fn sent(&mut self, who: Who, packet: &TapPacket<'_>) {
        self.note(who, Seen::Sent, packet);
    }

    fn received(&mut self, who: Who, packet: &TapPacket<'_>) {
        self.note(who, Seen::Received, packet);
    }
}

impl<W> fmt::Debug for Packets<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packets").finish_non_exhaustive()
    }
}
