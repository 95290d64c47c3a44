//! Stories of two connections, told at the level of packets.

mod life;
mod pair;
