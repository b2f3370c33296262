//! Addresses of the platform, and its look at the way to the server URL.

use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::post;
use super::endpoint::text;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/cgi-bin/get_api_domain_ip", api_addresses),
    get("/cgi-bin/getcallbackip", callback_addresses),
    post("/cgi-bin/callback/check", check),
];

/// Addresses and segments, as the official text says of it.
fn api_addresses(_: &mut Visit<'_>) -> Handled {
    let list = json!({ "ip_list": ["203.0.113.7", "198.51.100.0/24"] });
    Ok(Answer::json(list.to_string()))
}

fn callback_addresses(_: &mut Visit<'_>) -> Handled {
    let list = json!({ "ip_list": ["192.0.2.146", "192.0.2.211", "198.51.100.0/25"] });
    Ok(Answer::json(list.to_string()))
}

/// `POST /cgi-bin/callback/check`: the way to the server URL in the console, if there is one.
fn check(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let action = text(&request, "action").unwrap_or("");
    let operator = match text(&request, "check_operator") {
        Some("DEFAULT") | None => "UNICOM",
        Some(operator @ ("CHINANET" | "UNICOM" | "CAP")) => operator,
        Some(_) => return Err(Refusal::code(40203)),
    };
    if !matches!(action, "all" | "dns" | "ping") {
        return Err(Refusal::code(40202));
    }
    if !visit.settings.has_server_url {
        return Err(Refusal::code(40201));
    }
    let mut checked = json!({});
    if action != "ping" {
        checked["dns"] = json!([{ "ip": "127.0.0.1", "real_operator": operator }]);
    }
    if action != "dns" {
        let time = format!(
            "{}.{:03}ms",
            visit.random.below(40),
            visit.random.below(1000)
        );
        checked["ping"] = json!([{
            "ip": "127.0.0.1", "from_operator": operator, "package_loss": "0%", "time": time,
        }]);
    }
    Ok(Answer::json(checked.to_string()))
}
