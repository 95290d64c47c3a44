//! What a box is asked about a datagram, and what it answers.

use crate::datagram::Datagram;
use crate::link::Dropped;
use jsp_proto::time::Time;
use std::fmt;
use std::net::IpAddr;

/// What a box does with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, to the address that it has now.
    Forward,
    /// It ends here.
    Drop(Dropped),
}

impl From<Result<(), Dropped>> for Verdict {
    fn from(result: Result<(), Dropped>) -> Self {
        result.map_or_else(Self::Drop, |()| Self::Forward)
    }
}

/// A box that is the gateway of an inner segment and has addresses in an outer one.
///
/// Time never runs back from one call to the next.
pub trait Middlebox: fmt::Debug + Send {
    /// A datagram from the inner segment to somewhere in the outer one.
    fn outbound(&mut self, now: Time, datagram: &mut Datagram) -> Verdict;

    /// A datagram from the outer segment to one of the box's addresses.
    fn inbound(&mut self, now: Time, datagram: &mut Datagram) -> Verdict;

    /// A datagram from the inner segment to one of the box's outer addresses: it is turned round, if
    /// the box does that (RFC 4787, section 6).
    fn hairpin(&mut self, now: Time, datagram: &mut Datagram) -> Verdict;

    /// Forgets every mapping, as after a loss of power: new ones differ from those before.
    fn rebind(&mut self, now: Time);

    /// Whether an outer address is the box's, or leads through it.
    fn answers_for(&self, address: IpAddr) -> bool;
}
