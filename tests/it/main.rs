//! The promises of the house, one file each, against the real parts.

mod api;
mod commands;
mod conformance;
mod crash;
mod dispatch;
mod docs;
mod durability;
mod floors;
mod main_job;
mod simulator;
mod support;
mod vectors;
mod webhook;
