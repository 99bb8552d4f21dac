//! Training of the network and what it learns from.

pub mod phantom;
