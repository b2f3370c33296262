//! The promises of the house, one file each, against the real parts.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod allow_list;
mod api;
mod assistant;
mod backlog;
mod bundle;
mod certificates;
mod commands;
mod compiler;
mod conformance;
mod conversation;
mod crash;
mod dispatch;
mod docs;
mod durability;
mod explain;
mod fairness;
mod floors;
mod handover;
mod hostile;
mod main_job;
mod media;
mod menu;
mod messages;
mod newcomer;
mod odd_answers;
mod overload;
mod own;
mod passive;
mod people;
mod permissions;
#[cfg(feature = "redis")]
mod publish;
mod quota;
mod rotation;
mod rules;
mod secrecy;
mod send;
#[cfg(feature = "redis")]
mod servers;
mod shell;
mod simulator;
mod store_check;
mod support;
mod testing;
mod token_service;
mod tokens;
#[cfg(feature = "redis")]
mod tokenstores;
mod typing;
mod usage;
mod vectors;
mod vocabulary;
mod webhook;
mod windows;
