//! The codecs as a whole: what is written is read back, and what is not valid is refused.

mod frames;
mod headers;
mod hostile;
mod parameters;
mod permissions;
mod sample;
