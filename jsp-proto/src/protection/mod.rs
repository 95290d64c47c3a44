//! Packet protection (`spec/05-protection.md`; RFC 9001, sections 5 and 6).
//!
//! The room owns packet keys, their header protection, the count of what they sealed and of the
//! forgeries that they refused, the replay window, and the key update. It promises that nothing
//! changes before a packet is authenticated: a forged packet costs one count, nothing else.
//!
//! ```text
//!            level.rs  Initial, Handshake          update.rs  Data
//!            one generation                        previous, current and next generation
//!                 \                                 /         \
//!   initial.rs     +---------- keys.rs ------------+           limits.rs
//!   whose secrets         seal and open a packet    \
//!        \                    |                      window.rs
//!         +------ label.rs ---+                      opened.rs
//!                                                    which packets arrived, and may be taken
//! ```

#[cfg(all(test, feature = "rustcrypto"))]
mod fixture;
mod initial;
mod keys;
mod label;
mod level;
mod limits;
mod opened;
mod retry;
mod update;
mod window;

pub use initial::{InitialSecrets, initial_secrets};
pub use keys::{HeaderMask, OpenKey, SealKey, Unprotected, sample};
pub use label::{MAX_LABEL, expand_label, expand_secret};
pub use level::LevelKeys;
pub use limits::CLOSE_RESERVE;
pub use opened::{OpenError, Opened};
pub use retry::{retry_tag, verify_retry};
pub use update::DataKeys;
pub use window::{ReceivedRanges, ReceivedWindow, WINDOW};
