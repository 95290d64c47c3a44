//! Both ends against each other, without packets between them.

mod agreement;
mod pair;
