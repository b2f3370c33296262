//! What stands in the writer's queue, and the way its outcome goes back.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::clock::Timestamp;
use crate::id::{OpenId, PushId};
use crate::protocol::push::Kind;
use crate::store::seen::Seen;
use crate::store::{
    Accepted, LaneKey, NewPush, Part, PartVerdict, Room, Settlement, StoreError, StoredPush, Ticket,
};

/// Where the outcome of a call goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A change that the engine asks for.
#[derive(Debug)]
pub(super) enum Change {
    Start(PushId),
    Settle(Settlement),
    MarkSending(Part),
    Record(PartVerdict),
    Replay(PushId, Timestamp),
    Reread(PushId, Kind, OpenId, Timestamp),
    Discard(PushId),
    Spill(LaneKey, Vec<PushId>),
}

/// One place in the queue. The permit goes back when the outcome is known.
#[derive(Debug)]
pub(super) enum Command {
    Accept {
        push: NewPush,
        ticket: Ticket,
        room: Room,
    },
    Change {
        change: Change,
        answer: Answer<()>,
        room: OwnedSemaphorePermit,
    },
    Unspill {
        lane: LaneKey,
        limit: usize,
        answer: Answer<Vec<StoredPush>>,
        room: OwnedSemaphorePermit,
    },
    /// Ends the writer: after what is queued, or at once as a crash would.
    Stop {
        crash: bool,
        ended: oneshot::Sender<()>,
    },
}

impl Command {
    /// Whether somebody waits for the commit. What is not urgent rides with what is.
    pub(super) fn is_urgent(&self) -> bool {
        match self {
            Self::Change { change, .. } => match change {
                Change::Start(_) | Change::Record(_) => false,
                // The user's next push waits for the conversation.
                Change::Settle(settlement) => {
                    !settlement.parts.is_empty() || settlement.conversation.is_some()
                }
                Change::MarkSending(_)
                | Change::Replay(..)
                | Change::Reread(..)
                | Change::Discard(_)
                | Change::Spill(..) => true,
            },
            Self::Accept { .. } | Self::Unspill { .. } | Self::Stop { .. } => true,
        }
    }

    /// Whether it brings a push, new or not.
    pub(super) fn is_accept(&self) -> bool {
        matches!(self, Self::Accept { .. })
    }

    /// Whether nobody waits any more for what is done at this moment of the monotonic clock.
    pub(super) fn is_late(&self, done_at: Duration) -> bool {
        matches!(self, Self::Accept { ticket, .. } if ticket.is_late(done_at))
    }

    /// Whether it brings a push that the store does not have.
    pub(super) fn is_new(&self, seen: &Seen) -> bool {
        matches!(self, Self::Accept { push, .. } if seen.find(&push.key).is_none())
    }
}

/// What a command brought about.
#[derive(Debug)]
pub(super) enum Applied {
    Accepted(Accepted),
    Changed,
    Unspilled(Vec<StoredPush>),
}

/// Hands out what a committed batch brought about: the workers' tickets first, with one wake each.
pub(super) fn deliver(commands: Vec<Command>, outcomes: Vec<Result<Applied, StoreError>>) {
    let mut tickets = Vec::with_capacity(commands.len());
    let mut rooms = Vec::with_capacity(commands.len());
    let mut others = Vec::new();
    for (command, outcome) in commands.into_iter().zip(outcomes) {
        match (command, outcome) {
            (Command::Accept { ticket, room, .. }, Ok(Applied::Accepted(accepted))) => {
                tickets.push((ticket, Ok(accepted)));
                rooms.push(room);
            }
            (command, outcome) => others.push((command, outcome)),
        }
    }
    Ticket::complete_all(tickets.into_iter());
    drop(rooms);
    for (command, outcome) in others {
        answer(command, outcome);
    }
}

fn answer(command: Command, outcome: Result<Applied, StoreError>) {
    match (command, outcome) {
        (Command::Change { answer, room, .. }, Ok(_)) => tell(answer, Ok(()), room),
        (Command::Unspill { answer, room, .. }, Ok(Applied::Unspilled(found))) => {
            tell(answer, Ok(found), room);
        }
        (command, Err(error)) => fail(command, &error),
        // Dropping says that the store is closed; no command is answered by another's outcome.
        (command, Ok(_)) => drop(command),
    }
}

/// Tells whoever waits for this command that it was not done.
pub(super) fn fail(command: Command, error: &StoreError) {
    match command {
        Command::Accept { ticket, room, .. } => {
            ticket.complete(Err(error.clone()));
            drop(room);
        }
        Command::Change { answer, room, .. } => tell(answer, Err(error.clone()), room),
        Command::Unspill { answer, room, .. } => tell(answer, Err(error.clone()), room),
        Command::Stop { .. } => {}
    }
}

fn tell<T>(answer: Answer<T>, outcome: Result<T, StoreError>, room: OwnedSemaphorePermit) {
    // An answer nobody waits for any more is dropped.
    drop(answer.send(outcome));
    drop(room);
}
