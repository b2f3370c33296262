//! Bytes in, values out: what WeChat sends and what we say. No clock, no I/O.

pub mod push;
