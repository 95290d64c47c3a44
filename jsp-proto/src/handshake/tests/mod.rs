//! Both ends against each other, without packets between them.

mod agreement;
mod attacks;
mod delivery;
mod flipped_bits;
mod identities;
mod pair;
mod sizes;
