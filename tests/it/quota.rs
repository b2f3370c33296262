//! Calls are counted before they are made, by day in Beijing, for all processes together.

mod child;
mod day;
mod killed;
mod operators;
mod stage;
mod stores;
mod verdicts;

#[cfg(feature = "redis")]
mod shared;
