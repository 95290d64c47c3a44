//! What players write at the front of each stream, so that the other end knows what to expect and what
//! to answer.
//!
//! ```text
//! kind 1 | task 4 | index 4 | size 8 | answer 8
//! ```

use jsp_proto::ids::Dir;

/// What one end of a connection does on streams that it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It sends `size` bytes on each of `streams` one-directional streams.
    Send {
        /// How many streams.
        streams: u64,
        /// How much on each.
        size: u64,
    },
    /// It asks with `size` bytes on each of `streams` streams, and is answered with `answer` bytes.
    Request {
        /// How many streams.
        streams: u64,
        /// The size of each request.
        size: u64,
        /// The size of each answer.
        answer: u64,
    },
    /// It sends `size` bytes on each of `streams` streams, and gets the same back.
    Echo {
        /// How many streams.
        streams: u64,
        /// How much on each.
        size: u64,
    },
}

impl Part {
    /// How many streams it takes.
    pub const fn streams(self) -> u64 {
        match self {
            Self::Send { streams, .. }
            | Self::Request { streams, .. }
            | Self::Echo { streams, .. } => streams,
        }
    }

    /// The kind of its streams.
    pub const fn dir(self) -> Dir {
        match self {
            Self::Send { .. } => Dir::Uni,
            Self::Request { .. } | Self::Echo { .. } => Dir::Bi,
        }
    }

    /// How much comes behind the head of each stream.
    pub(super) const fn size(self) -> u64 {
        match self {
            Self::Send { size, .. } | Self::Request { size, .. } | Self::Echo { size, .. } => size,
        }
    }

    /// How much comes back on each stream, if anything does.
    pub(super) const fn answer(self) -> Option<u64> {
        match self {
            Self::Send { .. } => None,
            Self::Request { answer, .. } => Some(answer),
            Self::Echo { size, .. } => Some(size),
        }
    }

    /// The same for one stream.
    const fn single(self) -> Self {
        match self {
            Self::Send { size, .. } => Self::Send { streams: 1, size },
            Self::Request { size, answer, .. } => Self::Request { streams: 1, size, answer },
            Self::Echo { size, .. } => Self::Echo { streams: 1, size },
        }
    }
}

/// The front of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What the stream belongs to, by the number that its opener gave it.
    pub(super) task: u32,
    /// Which of the task's streams it is.
    pub(super) index: u32,
    /// What it is about.
    pub(super) part: Part,
}

impl Head {
    /// How long a head is.
    pub(super) const LEN: usize = 25;

    /// The head of one stream of a part.
    pub(super) const fn new(task: u32, index: u32, part: Part) -> Self {
        Self { task, index, part: part.single() }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let kind = match self.part {
            Part::Send { .. } => 0,
            Part::Request { .. } => 1,
            Part::Echo { .. } => 2,
        };
        let mut bytes = vec![kind];
        bytes.extend(self.task.to_be_bytes());
        bytes.extend(self.index.to_be_bytes());
        bytes.extend(self.part.size().to_be_bytes());
        bytes.extend(self.part.answer().unwrap_or_default().to_be_bytes());
        bytes
    }

    /// `None` if no player wrote it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (task, rest) = rest.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (answer, []) = rest.split_first_chunk()? else { return None };
        let (size, answer) = (u64::from_be_bytes(*size), u64::from_be_bytes(*answer));
        let part = match kind {
            0 => Part::Send { streams: 1, size },
            1 => Part::Request { streams: 1, size, answer },
            2 => Part::Echo { streams: 1, size },
            _ => return None,
        };
        let (task, index) = (u32::from_be_bytes(*task), u32::from_be_bytes(*index));
        Some(Self { task, index, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_out_as_it_went_in() {
        for part in [
            Part::Send { streams: 1, size: 1 << 40 },
            Part::Request { streams: 1, size: 0, answer: 7 },
            Part::Echo { streams: 1, size: 5 },
        ] {
            let head = Head::new(u32::MAX, 3, part);
            let mut bytes = head.encode();
            assert_eq!(bytes.len(), Head::LEN);
            assert_eq!(Head::decode(&bytes), Some(head));
            bytes[0] = 3;
            assert_eq!(Head::decode(&bytes), None);
        }
    }
}
