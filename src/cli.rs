//! One file for each sub-command: parse, call, exit code.

pub mod simulate;
