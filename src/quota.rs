//! What the platform allows, and what of it is left.

pub mod window;
