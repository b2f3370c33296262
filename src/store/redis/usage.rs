//! Uses in Redis: one hash of each account, a field for each client.

use ::redis::Script;

use super::link::within_limit;
use super::{RedisTokens, number};
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::store::tokens::{Promise, TokensError};
use crate::store::usage::{CLIENTS_KEPT, ClientUse, TokenUsage};

/// KEYS: the hash. ARGV: how many to keep, then of each client its name, reads, time of the last,
/// reports, time of the last, code of the last.
const ADD: &str = r"
local function whole(number) return string.format('%.0f', number) end
for i = 2, #ARGV, 6 do
  local old = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  local value = {}
  for part in string.gmatch(old, '%S+') do value[#value + 1] = tonumber(part) or 0 end
  for n = 1, 5 do value[n] = value[n] or 0 end
  local new = {}
  for n = 1, 5 do new[n] = tonumber(ARGV[i + n]) end
  value[1] = value[1] + new[1]
  value[2] = math.max(value[2], new[2])
  value[3] = value[3] + new[3]
  if new[3] > 0 and new[4] >= value[4] then value[4] = new[4]; value[5] = new[5] end
  for n = 1, 5 do value[n] = whole(value[n]) end
  redis.call('HSET', KEYS[1], ARGV[i], table.concat(value, ' '))
end
local excess = redis.call('HLEN', KEYS[1]) - tonumber(ARGV[1])
if excess <= 0 then return 1 end
local all, seen = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local read, report = string.match(all[i + 1], '^%S+ (%S+) %S+ (%S+)')
  seen[#seen + 1] = { all[i], math.max(tonumber(read or '0'), tonumber(report or '0')) }
end
table.sort(seen, function(a, b) return a[2] < b[2] end)
for i = 1, excess do redis.call('HDEL', KEYS[1], seen[i][1]) end
return 1
";

pub(super) fn script() -> Script {
    Script::new(ADD)
}

fn name(account: &AppId) -> String {
    format!("wxhook:{{{}}}:clients", account.as_str())
}

fn parse((client, text): (String, String)) -> Result<ClientUse, TokensError> {
    let mut parts = text.split(' ');
    let mut next = || parts.next().unwrap_or_default();
    Ok(ClientUse {
        client,
        reads: number(next())?,
        last_read_at: Timestamp::from_milliseconds(number(next())?),
        reports: number(next())?,
        last_report_at: Timestamp::from_milliseconds(number(next())?),
        last_errcode: number(next())?,
    })
}

impl TokenUsage for RedisTokens {
    fn add<'a>(&'a self, account: &'a AppId, uses: &'a [ClientUse]) -> Promise<'a, ()> {
        Box::pin(within_limit(async move {
            let mut call = self.usage.key(name(account));
            call.arg(CLIENTS_KEPT);
            for used in uses {
                call.arg(&used.client)
                    .arg(used.reads)
                    .arg(used.last_read_at.milliseconds())
                    .arg(used.reports)
                    .arg(used.last_report_at.milliseconds())
                    .arg(used.last_errcode);
            }
            self.link.run(&call).await
        }))
    }

    fn uses<'a>(&'a self, account: &'a AppId) -> Promise<'a, Vec<ClientUse>> {
        Box::pin(within_limit(async move {
            let mut command = ::redis::cmd("HGETALL");
            command.arg(name(account));
            let found: Vec<(String, String)> = self
                .link
                .ask(async |connection| command.query_async(connection).await)
                .await?;
            let mut uses: Vec<ClientUse> =
                found.into_iter().map(parse).collect::<Result<_, _>>()?;
            uses.sort_by(|a, b| (b.last_at(), &a.client).cmp(&(a.last_at(), &b.client)));
            Ok(uses)
        }))
    }
}
