//! An endpoint among strangers.

mod admission;
mod fixture;
mod resets;
mod routes;
mod shards;
