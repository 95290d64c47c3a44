//! Stories of two connections, told at the level of packets.

mod amplification;
mod audit;
mod batch;
mod clock;
mod ending;
mod extremes;
mod forged;
mod keys;
mod life;
mod limits;
mod malformed;
mod mitm;
mod pair;
mod permissions;
mod size;
mod tap;
mod train;
