//! The runtimes that commands run on.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// One thread, and others for blocking work: a client has one connection.
pub(crate) fn single() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// All processors: a server has many.
pub(crate) fn all() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}
