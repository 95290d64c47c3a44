//! The asking end of `jsp`.

mod link;
mod transfer;

pub(crate) use link::{Link, with_link};
pub(crate) use transfer::{get, list, put};
