//! Connection IDs (`spec/06-connection-ids.md`; RFC 9000, sections 5.1, 10.3, 19.15 and 19.16).
//!
//! The room owns the function that turns a connection's place into IDs and back ([`CidKey`]), the
//! one that turns an ID into its stateless reset token ([`ResetKey`]), and the two tables of a
//! connection: the IDs that it gave to the peer ([`LocalIds`]) and those that the peer gave to it
//! ([`RemoteIds`]). Both tables are bounded, whatever the peer does.

mod codec;
mod local;
mod remote;
mod reset;

pub use codec::{CidKey, MAX_SLOTS, Place};
pub use local::LocalIds;
pub use remote::{MAX_ACTIVE, RemoteIds};
pub use reset::ResetKey;
