//! What a third-party platform (第三方平台) is told: its notices, and the ticket that some of them bring.

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::id::AppId;
use crate::protocol::push::{Head, Kind, Push};
use crate::secret::VerifyTicket;
use crate::store::ComponentTicket;

/// The `InfoType` of the notice that brings a ticket, every ten minutes.
const TICKET_NOTICE: &str = "component_verify_ticket";

/// Looks into a component's notice: it must be addressed to this component, and its ticket is to be kept.
pub(super) fn look_into(
    component: &AppId,
    body: &Bytes,
    head: Head,
    received_at: Timestamp,
) -> (Head, Option<ComponentTicket>) {
    if head.kind != Kind::Notice {
        return (head, None);
    }
    let Ok(notice) = Push::parse(component, body) else {
        return (head, None);
    };
    let field = |name| notice.fields().get(name);
    if field("AppId") != Some(component.as_str()) {
        let reason = "the notice is addressed to another AppId than the component's".to_owned();
        let malformed = Head {
            kind: Kind::Malformed,
            malformed: Some(reason),
            ..head
        };
        return (malformed, None);
    }
    let ticket = field("ComponentVerifyTicket")
        .filter(|ticket| !ticket.is_empty() && field("InfoType") == Some(TICKET_NOTICE))
        .map(|ticket| ComponentTicket {
            component: component.clone(),
            ticket: VerifyTicket::new(ticket),
            created_at: notice
                .create_time()
                .map_or(received_at, Timestamp::from_seconds),
            received_at,
        });
    (head, ticket)
}
