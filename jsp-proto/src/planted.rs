//! Mistakes on purpose, to prove that a checker finds them.
//!
//! **For tests only.** A simulator that checks invariants is worth what it finds. Each [`Bug`] is a mistake
//! that a plausible programmer would have made at one place of the engine; with the cargo feature
//! `planted` one of them can be switched on for the whole process, and a checker can show that it
//! notices. Without the feature [`is`] is constantly false and every site compiles to nothing. No
//! library may enable the feature: it is for the test targets of whoever checks the engine.

use core::fmt;
use core::str::FromStr;

macro_rules! bugs {
    ($($variant:ident $name:literal $what:literal,)+) => {
        /// A mistake that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $(#[doc = $what] $variant,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Its name, in words with hyphens between them.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What is wrong, in one sentence.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }
        }
    };
}

bugs! {
    CreditTwice "credit-twice"
        "A sender charges the connection's credit again for data that it retransmits.",
    FinLost "fin-lost"
        "The end of a stream is not sent again when the packet that carried it was lost.",
    AckRange "ack-range"
        "An ACK claims one packet too many below a range, where two or more are missing.",
    AckOfUnsent "ack-of-unsent"
        "An ACK of packets that were never sent is taken.",
    SpuriousInFlight "spurious-in-flight"
        "The undoing of a spurious loss counts the packet's bytes as in flight for ever.",
    LateTick "late-tick"
        "A probe timeout that is handled more than 5 ms late neither probes nor sets the timer again.",
    EarlyKeyDrop "early-key-drop"
        "A key update forgets the old receiving key at once, so that reordered packets are refused.",
    IdleInFlight "idle-in-flight"
        "The idle timeout does not begin anew with the first ack-eliciting packet after a receipt.",
    WindowStuck "window-stuck"
        "A receive window that the peer has used up is never announced anew.",
    MtuOfLostProbe "mtu-of-lost-probe"
        "A probe of the path's MTU that was lost raises the MTU.",
    DeliverTwice "deliver-twice"
        "Stream data that overlaps what was received puts the bytes before the overlap behind it.",
    WindowIgnored "window-ignored"
        "The congestion window is compared without what is in flight.",
    PacingIgnored "pacing-ignored"
        "The pacer is not asked.",
    AmplificationIgnored "amplification-ignored"
        "A server sends to an address that is not validated as much as it likes.",
    NumberReused "number-reused"
        "The first packet after a probe timeout has the number of the packet before it.",
    TimeoutInPast "timeout-in-past"
        "The timer that gives the memory of silent streams back is not cleared when it fires.",
    MemoryUnbounded "memory-unbounded"
        "The limit on data kept until it is acknowledged is not enforced.",
    EventAfterClose "event-after-close"
        "Events follow the one that says that the connection ended.",
    PollChangesState "poll-changes-state"
        "Each poll for datagrams while the pacer waits moves its timer further away.",
    HandshakeStuck "handshake-stuck"
        "A server does not send handshake data again that was lost.",
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No [`Bug`] has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownBug;

impl fmt::Display for UnknownBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no planted bug has this name")
    }
}

impl core::error::Error for UnknownBug {}

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        Self::ALL.into_iter().find(|bug| bug.name() == name).ok_or(UnknownBug)
    }
}

#[cfg(feature = "planted")]
mod switch {
    use super::Bug;
    use core::sync::atomic::{AtomicU8, Ordering};

    /// One more than the bug's place in [`Bug::ALL`]; 0 for none.
    static PLANTED: AtomicU8 = AtomicU8::new(0);

    /// Plants `bug` in every connection of the process, or none any more.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(0, |bug| bug as u8 + 1), Ordering::Relaxed);
    }

    /// Whether `bug` is planted.
    pub fn is(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u8 + 1
    }
}

#[cfg(feature = "planted")]
pub use switch::{is, plant};

/// Whether `bug` is planted: never, without the feature `planted`.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn is(_bug: Bug) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_found_by_its_name() {
        for bug in Bug::ALL {
            assert_eq!(bug.name().parse(), Ok(bug));
            assert!(bug.what().ends_with('.'));
            assert!(bug.name().bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()));
        }
        assert_eq!("late".parse::<Bug>(), Err(UnknownBug));
    }

    #[test]
    fn nothing_is_planted_unless_asked() {
        assert!(Bug::ALL.into_iter().all(|bug| !is(bug)));
    }
}
