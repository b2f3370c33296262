//! Counts in Redis, for any number of processes.
//!
//! The layout, for an AppID `wx1`: a hash for each period, `wxhook:{wx1}:counts:2026-11-25`, with a
//! field for each thing that is counted. It ends [`KEPT`] after it was last written.

use std::fmt;

use ::redis::{Script, ScriptInvocation};

use super::link::{AddressError, Link, within_limit};
use super::milliseconds;
use crate::id::AppId;
use crate::store::counters::{
    Counted, CounterKey, Counters, CountersError, KEPT, MOST, Reservation, Reserved,
};
use crate::store::tokens::TokensError;

/// KEYS: the period's counts. ARGV: the counter, owed, at least, the block, the ceiling, milliseconds to
/// keep it. Gives what is granted and the count.
const RESERVE: &str = r"
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local total = math.min(math.max(before + tonumber(ARGV[2]), tonumber(ARGV[3])), 9007199254740991)
local granted = math.max(math.min(tonumber(ARGV[4]), tonumber(ARGV[5]) - total), 0)
total = total + granted
if total ~= before then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', total))
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
return {string.format('%.0f', granted), string.format('%.0f', total)}
";

/// KEYS: the period's counts. ARGV: the counter, the block, the count known.
const GIVE_BACK: &str = r"
local total = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if total < tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', math.max(total - tonumber(ARGV[2]), 0)))
return 1
";

/// KEYS: the period's counts. ARGV: the counter, what is expected, what it becomes, milliseconds to keep
/// it.
const REPLACE: &str = r"
local total = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if total ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
";

/// Counts in one Redis server, or what speaks like one.
pub struct RedisCounters {
    link: Link,
    reserve: Script,
    give_back: Script,
    replace: Script,
}

impl fmt::Debug for RedisCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCounters").finish_non_exhaustive()
    }
}

impl RedisCounters {
    /// Takes the address; opens no connection yet, so a server that is away stops nobody from starting.
    ///
    /// # Errors
    /// [`AddressError::Form`] when it is no address of a Redis server.
    pub fn open(url: &str) -> Result<Self, AddressError> {
        Ok(Self {
            link: Link::to(url)?,
            reserve: Script::new(RESERVE),
            give_back: Script::new(GIVE_BACK),
            replace: Script::new(REPLACE),
        })
    }

    async fn run<T: ::redis::FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, CountersError> {
        within_limit(self.link.run(call)).await.map_err(away)
    }
}

impl Counters for RedisCounters {
    fn durability(&self) -> &'static str {
        "counts are in Redis, shared by all processes; as durable as it is told to be"
    }

    fn reserve<'a>(&'a self, key: &'a CounterKey, asked: Reservation) -> Counted<'a, Reserved> {
        Box::pin(async move {
            let mut call = self.reserve.key(name(&key.account, &key.period));
            call.arg(&key.counter);
            for number in [asked.owed, asked.at_least, asked.want, asked.ceiling] {
                call.arg(number.min(MOST));
            }
            call.arg(milliseconds(KEPT));
            let (granted, total) = self.run(&call).await?;
            Ok(Reserved { granted, total })
        })
    }

    fn give_back<'a>(&'a self, key: &'a CounterKey, amount: u64, known: u64) -> Counted<'a, ()> {
        Box::pin(async move {
            let mut call = self.give_back.key(name(&key.account, &key.period));
            call.arg(&key.counter).arg(amount).arg(known);
            self.run::<i64>(&call).await.map(drop)
        })
    }

    fn replace<'a>(&'a self, key: &'a CounterKey, expected: u64, new: u64) -> Counted<'a, bool> {
        Box::pin(async move {
            let mut call = self.replace.key(name(&key.account, &key.period));
            call.arg(&key.counter).arg(expected).arg(new);
            call.arg(milliseconds(KEPT));
            self.run(&call).await
        })
    }

    fn counts<'a>(
        &'a self,
        account: &'a AppId,
        period: &'a str,
    ) -> Counted<'a, Vec<(String, u64)>> {
        Box::pin(async move {
            let mut command = ::redis::cmd("HGETALL");
            command.arg(name(account, period));
            let asked = self
                .link
                .ask(async |connection| command.query_async(connection).await);
            let mut listed: Vec<(String, u64)> = within_limit(asked).await.map_err(away)?;
            listed.sort();
            Ok(listed)
        })
    }
}

fn name(account: &AppId, period: &str) -> String {
    format!("wxhook:{{{}}}:counts:{period}", account.as_str())
}

fn away(error: TokensError) -> CountersError {
    match error {
        TokensError::Away(reason) | TokensError::Unreadable(reason) => CountersError::Away(reason),
    }
}
