//! The loader: one thread, one epoll, keep-alive connections with one push in flight on each.
//!
//! *Closed*: a connection sends its next push when the last one is answered. *Open*: a push is due at
//! a fixed rate whatever the server does, and its latency counts from when it was due, so that waiting
//! for a free connection is part of it.

use std::collections::VecDeque;
use std::io;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::event::Timespec;
use rustix::event::epoll;
use rustix::fd::OwnedFd;

use crate::push::Requests;
use crate::{now, usage};

/// Nothing is answered for so long: the rest is missing. Longer than any request budget.
const PATIENCE: Duration = Duration::from_secs(8);

/// What an answer must begin and end with.
const STATUS: &[u8] = b"HTTP/1.1 200 OK\r\n";
const SUCCESS: &[u8] = b"\r\n\r\nsuccess";

/// No answer to a push is longer.
const ANSWER_BYTES: usize = 2_048;

/// What one load came to. Every push was answered `success`.
pub(crate) struct Answered {
    pub(crate) elapsed: Duration,
    /// Nanoseconds.
    pub(crate) latencies: Histogram<u64>,
    /// CPU time of the loader's thread.
    pub(crate) loader_cpu: Duration,
}

/// How pushes are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    Closed,
    /// Pushes in a second.
    Open(f64),
}

/// Sends these requests on a thread named `loader` and checks every answer.
///
/// # Errors
/// The first wrong, failed or missing answer.
pub(crate) fn load(
    address: SocketAddr,
    connections: usize,
    requests: &Requests,
    range: Range<usize>,
    pace: Pace,
) -> Result<Answered, String> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn_scoped(scope, || {
                let mut loader = Loader::connect(address, connections, requests)
                    .map_err(|error| format!("connecting to {address}: {error}"))?;
                let cpu = usage::thread_cpu();
                let elapsed = loader.run(range, pace)?;
                Ok(Answered {
                    elapsed,
                    latencies: loader.latencies,
                    loader_cpu: usage::thread_cpu() - cpu,
                })
            })
            .expect("a thread")
            .join()
            .expect("the loader does not panic")
    })
}

struct Connection {
    stream: TcpStream,
    /// The push in flight and how much of it is written.
    sending: Option<(usize, usize)>,
    received: usize,
    answer: [u8; ANSWER_BYTES],
    /// When the push in flight was due.
    due: Duration,
}

struct Loader<'a> {
    requests: &'a Requests,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    latencies: Histogram<u64>,
    begun: std::time::Instant,
}

impl<'a> Loader<'a> {
    fn connect(address: SocketAddr, count: usize, requests: &'a Requests) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            // Edge-triggered: an answer is read to its end, so nothing is left behind.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(
                &epoll,
                &stream,
                epoll::EventData::new_u64(index as u64),
                flags,
            )?;
            connections.push(Connection {
                stream,
                sending: None,
                received: 0,
                answer: [0; ANSWER_BYTES],
                due: Duration::ZERO,
            });
        }
        Ok(Self {
            requests,
            epoll,
            idle: (0..count).collect(),
            connections,
            latencies: Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("bounds"),
            begun: now(),
        })
    }

    fn run(&mut self, range: Range<usize>, pace: Pace) -> Result<Duration, String> {
        let (first, total) = (range.start, range.len());
        let (mut sent, mut answered) = (0, 0);
        let mut events = Vec::with_capacity(512);
        let mut heard = Duration::ZERO;
        self.begun = now();
        while answered < total {
            let mut wait = PATIENCE;
            while sent < total {
                let due = match pace {
                    Pace::Closed => self.begun.elapsed(),
                    Pace::Open(rate) => Duration::from_secs_f64(sent as f64 / rate),
                };
                let early = due.saturating_sub(self.begun.elapsed());
                if early > Duration::ZERO {
                    wait = early;
                    break;
                }
                let Some(index) = self.idle.pop_front() else {
                    break;
                };
                self.send(index, first + sent, due)?;
                sent += 1;
            }
            let finished = self.wait(&mut events, wait)?;
            answered += finished;
            let time = self.begun.elapsed();
            if finished > 0 {
                heard = time;
            } else if self.idle.len() < self.connections.len() && time - heard > PATIENCE {
                return Err(format!("{} answers are missing", sent - answered));
            }
        }
        Ok(self.begun.elapsed())
    }

    fn send(&mut self, index: usize, request: usize, due: Duration) -> Result<(), String> {
        let connection = &mut self.connections[index];
        connection.sending = Some((request, 0));
        connection.received = 0;
        connection.due = due;
        self.write(index)
    }

    fn write(&mut self, index: usize) -> Result<(), String> {
        let connection = &mut self.connections[index];
        let Some((request, written)) = &mut connection.sending else {
            return Ok(());
        };
        let bytes = self.requests.bytes(*request);
        while *written < bytes.len() {
            match connection.stream.write(&bytes[*written..]) {
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("writing push {request}: {error}")),
            }
        }
        Ok(())
    }

    /// Waits for events and takes them in; returns how many pushes were answered.
    fn wait(&mut self, events: &mut Vec<epoll::Event>, wait: Duration) -> Result<usize, String> {
        let timeout = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: wait.subsec_nanos().into(),
        };
        events.clear();
        let room = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.epoll, room, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("epoll: {error}")),
        }
        let mut finished = 0;
        for event in events.iter() {
            let index = event.data.u64() as usize;
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) && self.is_unsent(index) {
                self.write(index)?;
            }
            if flags.intersects(!epoll::EventFlags::OUT) && self.read(index)? {
                self.latencies.saturating_record(self.latency(index));
                self.idle.push_back(index);
                finished += 1;
            }
        }
        Ok(finished)
    }

    fn is_unsent(&self, index: usize) -> bool {
        self.connections[index]
            .sending
            .is_some_and(|(request, written)| written < self.requests.bytes(request).len())
    }

    fn latency(&self, index: usize) -> u64 {
        let latency = self
            .begun
            .elapsed()
            .saturating_sub(self.connections[index].due);
        latency.as_nanos() as u64
    }

    /// Reads what has come; whether that completes the answer `success`.
    fn read(&mut self, index: usize) -> Result<bool, String> {
        let connection = &mut self.connections[index];
        loop {
            match connection
                .stream
                .read(&mut connection.answer[connection.received..])
            {
                Ok(0) => return Err("a connection was closed, or an answer is too long".to_owned()),
                Ok(count) => connection.received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(format!("reading: {error}")),
            }
            let answer = &connection.answer[..connection.received];
            if answer.starts_with(STATUS) && answer.ends_with(SUCCESS) {
                if connection.sending.take().is_none() {
                    return Err("an answer without a push".to_owned());
                }
                return Ok(true);
            }
            let said = answer.len().min(STATUS.len());
            if answer[..said] != STATUS[..said] {
                return Err(format!("wrong: {:?}", String::from_utf8_lossy(answer)));
            }
        }
    }
}
