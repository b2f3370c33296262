//! Tickets for the JS-SDK: the same one while it is current, with the same `expires_in` each time.

use std::collections::HashMap;

use super::Answer;
use super::Call;
use super::Platform;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Method;
use super::endpoint::open;
use crate::clock::Timestamp;

pub(super) const ENDPOINTS: &[Endpoint] = &[open(
    Method::Get,
    "/cgi-bin/ticket/getticket",
    Platform::js_ticket,
)];

/// Seconds that a ticket lives.
const TICKET_LIFETIME_SECONDS: i64 = 7200;

/// The current ticket of each account and type, and when it was made.
#[derive(Debug, Default)]
pub(super) struct Tickets(HashMap<(usize, String), (String, Timestamp)>);

impl Platform {
    /// `GET /cgi-bin/ticket/getticket`
    fn js_ticket(&mut self, now: Timestamp, call: &Call) -> Result<Answer, Refusal> {
        let claimed = call.parameter("access_token").ok_or(Refusal::code(41001))?;
        let token = self.tokens.check(now, &claimed, &mut self.random)?;
        let kind = call
            .parameter("type")
            .filter(|kind| matches!(kind.as_str(), "jsapi" | "wx_card"))
            .ok_or(Refusal::code(40097))?;
        let key = (token.account, kind);
        let lives = |made: Timestamp| now.seconds() - made.seconds() < TICKET_LIFETIME_SECONDS;
        let current = self.tickets.0.get(&key).filter(|(_, made)| lives(*made));
        let ticket = match current {
            Some((ticket, _)) => ticket.clone(),
            None => {
                let ticket = format!(
                    "{}-{:016x}{:016x}",
                    key.1,
                    self.random.next(),
                    self.random.next()
                );
                self.tickets.0.insert(key, (ticket.clone(), now));
                ticket
            }
        };
        let body = serde_json::json!({
            "errcode": 0, "errmsg": "ok", "ticket": ticket, "expires_in": TICKET_LIFETIME_SECONDS,
        });
        Ok(Answer {
            code: Some(0),
            ..Answer::json(body.to_string())
        })
    }
}
