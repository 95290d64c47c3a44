//! The links of a network at work, each with its place.

use super::segment::InterfaceId;
use crate::link::{Link, Pipe};
use jsp_proto::rng::{Rng, Seed};

/// Which link is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineRef {
    /// From an interface to its segment.
    Up(InterfaceId),
    /// From its segment to an interface.
    Down(InterfaceId),
    /// The path from one interface of a segment to another.
    Path(InterfaceId, InterfaceId),
}

/// A link at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineId(u32);

/// What the end of a line leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// From this interface to its segment.
    Up(InterfaceId),
    /// To this interface.
    Down(InterfaceId),
    /// To the link down to this interface.
    Path(InterfaceId),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) role: Role,
    pub(super) pipe: Pipe,
    name: String,
}

/// All lines of a network.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
}

impl Lines {
    /// Lays a line whose random streams follow from the network's seed and its name.
    pub(super) fn add(&mut self, role: Role, link: Link, seed: &Seed, name: &str) -> LineId {
        let id = LineId(u32::try_from(self.lines.len()).unwrap_or(u32::MAX));
        let pipe = Pipe::new(link, &Rng::new(seed, name).seed());
        self.lines.push(Line { role, pipe, name: name.into() });
        id
    }

    /// Has a line obey another link from now on.
    pub(super) fn change(&mut self, id: LineId, link: Link, seed: &Seed) {
        let Line { name, pipe, .. } = self.get_mut(id);
        pipe.change(link, &Rng::new(seed, name).seed());
    }

    pub(super) fn get(&self, id: LineId) -> &Line {
        &self.lines[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: LineId) -> &mut Line {
        &mut self.lines[id.0 as usize]
    }
}
