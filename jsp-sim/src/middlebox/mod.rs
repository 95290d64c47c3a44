//! Boxes between segments of the network: address translators and firewalls.
//!
//! ```text
//!   inner segment                         outer segment
//!   10.0.0.2:4433  ──outbound──> ┌─────┐ ──────────────> 198.51.100.7:4433
//!                  ──hairpin───> │ box │ 203.0.113.1
//!                  <──────────── └─────┘ <──inbound─────
//! ```
//!
//! A [`Middlebox`] is sans-IO: it is asked about each datagram as it passes, and may rewrite its
//! addresses. It has no timers; what has timed out is noticed when the next datagram comes.

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

/// A box that is the gateway of an inner segment and has addresses in an outer one.
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
