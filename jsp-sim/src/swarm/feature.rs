//! What a scenario may contain, and which of it one run does (swarm testing: Groce et al., 2012).
//!
//! A run in which everything happens at once hides what only shows while something else is absent. So each
//! run leaves out about half of what there is.

use super::draw::Draw;
use std::collections::BTreeSet;

macro_rules! features {
    ($($name:ident $often:literal,)+) => {
        /// Something that a run does or leaves out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Feature { $($name,)+ }

        impl Feature {
            /// All, each with how rarely it is there: once in so many runs.
            const ALL: &[(Self, u64)] = &[$((Self::$name, $often),)+];
        }
    };
}

features! {
    Jitter 2, Rate 2, Codel 4, Trace 6, Loss 2, Bursts 3, Every 4, Reorder 2, Duplicate 2, Corrupt 3, Mtu 3,
    Ecn 4, Blackout 4, Asymmetric 2, Shuffle 3,
    Nat 4, Connections 3,
    Send 2, Request 2, Echo 2, Ping 2, UpdateKeys 2, Reset 3, Stop 3, Read 2, Close 8, Forge 12,
    Stall 3, ClockJump 4, ClockStop 4, LateTimers 2, Segments 3, RefuseSends 3, FillSocket 4, LinkChange 4,
    Outage 3, Restart 12, Address 12, Rebind 4,
    SmallWindows 3, SmallBuffers 3, FewStreams 3, Timeouts 3, ShortIdle 8, Mtus 4, Retry 4, SlowSigning 4, Ed25519 6,
}

/// What one run does.
#[derive(Debug)]
pub(super) struct Features(BTreeSet<Feature>);

impl Features {
    /// A random choice.
    pub(super) fn draw(seed: u64) -> Self {
        let mut draw = Draw::new(seed, "features");
        let drawn = Feature::ALL.iter().filter(|(_, rarely)| draw.one_in(*rarely));
        Self(drawn.map(|(feature, _)| *feature).collect())
    }

    /// Whether this run does it.
    pub(super) fn has(&self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }

    /// Those of `some` that this run does.
    pub(super) fn among(&self, some: &[Feature]) -> Vec<Feature> {
        some.iter().copied().filter(|feature| self.has(*feature)).collect()
    }
}
