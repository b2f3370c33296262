//! The store in memory: the executable model of the others.
