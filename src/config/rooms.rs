//! Each room's settings, read section by section.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::account::AccountSettings;
use super::raw::Reader;
use super::value::Problem;
use super::{Config, LogFormat, Needs, StoreKind};
use super::{account, bundle, component, quota, token, window};
use crate::dispatch::{Attempts, LongTexts, MAX_CUT_SIGN_BYTES};
use crate::http::network::Network;
use crate::http::source::AllowList;
use crate::id::AppId;
use crate::platform::hosts::{ApiHost, Hosts};
use crate::secret::AdminKey;
use crate::transport::EgressProxy;

/// Reads everything. `None` means that at least one fault was noted.
pub(super) fn read(reader: &mut Reader, needs: Needs) -> Option<Config> {
    let http = http(reader);
    let admin_key = reader.secret("admin.key", admin_key);
    let store_kind = reader.text("store.kind", store_kind);
    let store = store(reader);
    let dispatch = dispatch(reader);
    let api = api(reader);
    let tokens = token::settings(reader);
    let log_filter = reader.text("log.filter", |text| Ok(text.to_owned()));
    let log_format = reader.text("log.format", log_format);
    let components = component::read_all(reader);
    let receives = needs != Needs::Tokens;
    let needs = match &components {
        Some(components) if components.is_empty() => needs,
        // A server for a third-party platform needs no account of its own.
        _ => Needs::NoAccount,
    };
    let reply = account::reply(reader);
    let accounts = account::read_all(reader, needs, receives, reply.unwrap_or_default());
    reply?;
    let account_windows = dispatch.as_ref().and_then(|dispatch| {
        let accounts = accounts.as_deref().unwrap_or_default();
        account_windows(reader, accounts, &dispatch.windows)
    });
    let token_service = token::service(reader);
    let quota = quota::settings(
        reader,
        accounts.as_deref().unwrap_or_default(),
        tokens.as_ref(),
    );
    let bundle = bundle::settings(reader, accounts.as_deref().unwrap_or_default());
    let service = token_service.as_ref().and_then(Option::as_ref);
    token::check_publisher(reader, tokens.as_ref(), service);
    let js_origins = token::origins(reader);
    let clients = token::clients(reader, accounts.as_deref().unwrap_or_default());
    let http = http?;
    if let Some(store) = &store
        && store.seen_retention < http.freshness_window.saturating_mul(2)
    {
        reader.fault(
            "store.seen_retention",
            "is less than twice server.freshness_window, so an old request could be repeated unrecognised",
            "make it longer, or the window shorter",
        );
    }
    let asks = |accounts: &Vec<(String, super::AccountSettings)>| {
        accounts
            .iter()
            .any(|(_, account)| account.app_secret.is_some())
    };
    if http.allow_list.wechat
        && matches!(token_service, Some(None))
        && accounts.as_ref().is_some_and(|accounts| !asks(accounts))
    {
        reader.fault(
            "server.allow_list",
            "holds \"wechat\", but no account has an AppSecret with which WeChat's addresses could be asked for",
            "set app_secret, or write the addresses",
        );
    }
    let (hosts, mut transport, api) = api?;
    if let Some(Some(service)) = &token_service {
        let is_https = service.url.to_string().starts_with("https://");
        transport.https |= is_https;
        transport.plain_http |= !is_https;
    }
    Some(Config {
        http,
        admin_key: admin_key?,
        store_kind: store_kind?,
        store: store?,
        dispatch: crate::dispatch::Settings {
            account_windows: account_windows?,
            ..dispatch?
        },
        bundle: bundle?,
        hosts: Arc::new(hosts),
        transport,
        api,
        token_service: token_service?,
        clients: clients?,
        js_origins: js_origins?,
        token: tokens?,
        quota: quota?,
        log_filter: log_filter?,
        log_format: log_format?,
        accounts: BTreeMap::from_iter(accounts?),
        components: BTreeMap::from_iter(components?),
    })
}

fn http(reader: &mut Reader) -> Option<crate::http::Settings> {
    let listen = reader.text("server.listen", address);
    let admin_listen = reader.text("admin.listen", address);
    let workers = count(reader, "server.workers", 0, 1_024);
    // WeChat gives up after 5 s; an answer that leaves later is never read.
    let request_budget = reader.duration("server.request_budget", "100ms", "4800ms");
    let freshness_window = reader.duration("server.freshness_window", "30s", "1d");
    let max_connections = count(reader, "server.max_connections", 1, 1_000_000);
    let public_healthz = reader.flag("server.public_healthz");
    let allow_list = reader.list("server.allow_list", allowed);
    let trusted_proxies = reader.list("server.trusted_proxies", network);
    Some(crate::http::Settings {
        listen: listen?,
        admin_listen: admin_listen?,
        workers: workers?,
        request_budget: request_budget?,
        freshness_window: freshness_window?,
        max_connections: max_connections?,
        public_healthz: public_healthz?,
        allow_list: AllowList {
            wechat: allow_list.as_ref()?.contains(&Allowed::Wechat),
            networks: allow_list?
                .into_iter()
                .filter_map(Allowed::network)
                .collect(),
        },
        trusted_proxies: trusted_proxies?,
    })
}

/// An entry of the allow-list.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    Wechat,
    Network(Network),
}

impl Allowed {
    fn network(self) -> Option<Network> {
        match self {
            Self::Wechat => None,
            Self::Network(network) => Some(network),
        }
    }
}

fn allowed(text: &str) -> Result<Allowed, Problem> {
    match text.trim() {
        "wechat" => Ok(Allowed::Wechat),
        text => network(text).map(Allowed::Network).map_err(|problem| {
            Problem::new(
                problem.problem,
                "write \"wechat\", or an address, or a range like 203.0.113.0/24",
            )
        }),
    }
}

fn network(text: &str) -> Result<Network, Problem> {
    text.parse::<Network>().map_err(|error| {
        Problem::new(
            error.to_string(),
            "write an address, or a range like 203.0.113.0/24",
        )
    })
}

fn store(reader: &mut Reader) -> Option<crate::store::embedded::Settings> {
    let data_dir = reader.text("store.data_dir", directory);
    let seen_retention = reader.duration("store.seen_retention", "2m", "7d");
    let seen_cap = count(reader, "store.seen_cap", 1_000, 100_000_000);
    let done_retention = reader.duration("store.done_retention", "1m", "3650d");
    let reserve_bytes = reader.size("store.reserve_bytes");
    let done_bytes = reader.size("store.done_bytes");
    let dead_cap = count(reader, "store.dead_cap", 1, 100_000_000);
    let dead_retention = reader.duration("store.dead_retention", "1m", "3650d");
    let max_bytes = reader.size("store.max_bytes");
    let ride = reader.duration("store.ride", "1ms", "5s");
    let batch = count(reader, "store.batch", 1, 1_024);
    Some(crate::store::embedded::Settings {
        data_dir: data_dir?,
        seen_retention: seen_retention?,
        seen_cap: seen_cap?,
        done_retention: done_retention?,
        done_bytes: done_bytes?,
        dead_cap: u64::try_from(dead_cap?).ok()?,
        dead_retention: dead_retention?,
        max_bytes: max_bytes?,
        reserve_bytes: reserve_bytes?,
        ride: ride?,
        batch: batch?,
    })
}

fn dispatch(reader: &mut Reader) -> Option<crate::dispatch::Settings> {
    let key = |name: &str| format!("dispatch.{name}");
    let handlers = count(reader, &key("handlers"), 1, 100_000);
    let handler_threads = count(reader, &key("handler_threads"), 1, 1_024);
    let max_handler_threads = count(reader, &key("max_handler_threads"), 1, 1_024);
    let blocking_threads = count(reader, &key("blocking_threads"), 1, 1_024);
    let blocked_after = reader.duration(&key("blocked_after"), "10ms", "1h");
    let handler_timeout = reader.duration(&key("handler_timeout"), "10ms", "1d");
    let attempts = reader.list(&key("attempts"), |text| Ok(text.to_owned()));
    let attempts = attempts.and_then(|times| {
        Attempts::after(times)
            .map_err(|error| {
                reader.fault(
                    &key("attempts"),
                    error.to_string(),
                    "write it like [\"2s\", \"10s\", \"1m\"]",
                )
            })
            .ok()
    });
    let max_starts = count(reader, &key("max_starts"), 1, 1_000);
    let lane_hold = reader.duration(&key("lane_hold"), "0s", "10m");
    let lane_pushes = count(reader, &key("lane_pushes"), 1, 100_000);
    let pushes_in_memory = count(reader, &key("pushes_in_memory"), 1, 10_000_000);
    let bytes_in_memory = reader.size(&key("bytes_in_memory"));
    let sends = count(reader, &key("sends"), 1, 10_000);
    let send_patience = reader.duration(&key("send_patience"), "0s", "1h");
    let conversation_expires = reader.duration(&key("conversation_expires"), "1s", "30d");
    let texts = texts(reader);
    let windows = window::read(reader);
    let stale_after = reader.duration_or_empty(&key("stale_after"), "10s", "30d");
    // Later than half a minute after the message nothing can be shown.
    let typing_after = reader.duration(&key("typing_after"), "0s", "29s");
    let stop_grace = reader.duration(&key("stop_grace"), "0s", "1h");
    Some(crate::dispatch::Settings {
        handlers: handlers?,
        handler_timeout: handler_timeout?,
        attempts: attempts?,
        max_starts: u32::try_from(max_starts?).ok()?,
        lane_hold: lane_hold?,
        lane_pushes: lane_pushes?,
        pushes_in_memory: pushes_in_memory?,
        bytes_in_memory: usize::try_from(bytes_in_memory?).ok()?,
        sends: sends?,
        send_patience: send_patience?,
        conversation_expires: conversation_expires?,
        windows: windows?,
        texts: texts?,
        stale_after: stale_after?,
        typing_after: Some(typing_after?).filter(|after| !after.is_zero()),
        stop_grace: stop_grace?,
        handler_threads: handler_threads?,
        max_handler_threads: max_handler_threads?,
        blocking_threads: blocking_threads?,
        blocked_after: blocked_after?,
        ..crate::dispatch::Settings::default()
    })
}

/// The windows of the accounts that have figures of their own.
fn account_windows(
    reader: &mut Reader,
    accounts: &[(String, AccountSettings)],
    all: &crate::quota::window::Settings,
) -> Option<BTreeMap<AppId, crate::quota::window::Settings>> {
    let own: Vec<_> = accounts
        .iter()
        .map(|(name, account)| {
            let app_id = account.credentials.app_id().clone();
            Some((app_id, window::own(reader, name, all)?))
        })
        .collect();
    let own: Vec<_> = own.into_iter().collect::<Option<_>>()?;
    let differs = |(app_id, own): (AppId, Option<_>)| Some((app_id, own?));
    Some(own.into_iter().filter_map(differs).collect())
}

fn texts(reader: &mut Reader) -> Option<LongTexts> {
    let split = reader.flag("dispatch.split_texts");
    let cut_sign = reader.text("dispatch.cut_sign", cut_sign);
    Some(LongTexts {
        split: split?,
        cut_sign: cut_sign?,
    })
}

fn cut_sign(text: &str) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(
            "is empty, so a cut text would look whole",
            "write what the user is to read, for example \"……\"",
        ));
    }
    if text.len() > MAX_CUT_SIGN_BYTES {
        return Err(Problem::new(
            format!("has {} bytes", text.len()),
            format!("use at most {MAX_CUT_SIGN_BYTES}"),
        ));
    }
    Ok(text.to_owned())
}

/// The hosts, how they are connected to, and how they are called.
fn api(reader: &mut Reader) -> Option<(Hosts, crate::transport::Settings, crate::api::Settings)> {
    let hosts = reader.list("api.hosts", host).and_then(|hosts| {
        Hosts::new(hosts)
            .map_err(|error| {
                reader.fault(
                    "api.hosts",
                    error.to_string(),
                    "remove it to use the default",
                )
            })
            .ok()
    });
    let proxy = reader.secret("api.proxy", proxy);
    let connect_timeout = reader.duration("api.connect_timeout", "50ms", "1m");
    let timeout = reader.duration("api.timeout", "50ms", "2m");
    let qr_host = reader.text("api.qr_host", |text| match text {
        "" => Ok(None),
        text => host(text).map(Some),
    });
    let media_timeout = reader.duration("api.media_timeout", "1s", "10m");
    let patience = reader.duration("api.patience", "0s", "10m");
    let busy_means_not_sent = reader.flag("api.busy_means_not_sent");
    let (hosts, qr_host) = (hosts?, qr_host?);
    let is_plain = |host: &ApiHost| !host.is_https();
    let transport = crate::transport::Settings {
        https: hosts.any_https() || qr_host.as_ref().is_some_and(ApiHost::is_https),
        plain_http: hosts.any_plain_http() || qr_host.as_ref().is_some_and(is_plain),
        connect_timeout: connect_timeout?,
        proxy: proxy?,
        ..crate::transport::Settings::default()
    };
    let api = crate::api::Settings {
        timeout: timeout?,
        media_timeout: media_timeout?,
        patience: patience?,
        qr_host,
        busy_means_not_sent: busy_means_not_sent?,
    };
    Some((hosts, transport, api))
}

pub(super) fn count(reader: &mut Reader, key: &str, least: i64, most: i64) -> Option<usize> {
    usize::try_from(reader.number(key, least, most)?).ok()
}

fn address(text: &str) -> Result<SocketAddr, Problem> {
    text.trim().parse().map_err(|_| {
        Problem::new(
            "is not an address",
            "write ADDRESS:PORT, for example 127.0.0.1:8080",
        )
    })
}

fn directory(text: &str) -> Result<PathBuf, Problem> {
    match text.trim() {
        "" => Err(Problem::new(
            "is empty",
            "name a directory, for example ./data",
        )),
        path => Ok(PathBuf::from(path)),
    }
}

fn host(text: &str) -> Result<ApiHost, Problem> {
    ApiHost::parse(text.trim()).map_err(|error| {
        Problem::new(
            error.to_string(),
            "write https://HOST, or http://HOST:PORT for a stand-in",
        )
    })
}

fn proxy(text: &str) -> Result<EgressProxy, Problem> {
    EgressProxy::parse(text).map_err(|error| {
        Problem::new(
            error.to_string(),
            "write http://USER:PASSWORD@HOST:PORT, or https, socks5, socks5h",
        )
    })
}

fn admin_key(text: &str) -> Result<AdminKey, Problem> {
    if text.len() < 16 {
        return Err(Problem::new("is too short", "use 16 characters or more"));
    }
    Ok(AdminKey::new(text))
}

fn store_kind(text: &str) -> Result<StoreKind, Problem> {
    match text.trim() {
        "embedded" => Ok(StoreKind::Embedded),
        "memory" => Ok(StoreKind::Memory),
        text if text.starts_with("redis://") || text.starts_with("rediss://") => Err(Problem::new(
            "Redis is not supported yet",
            "use \"embedded\"",
        )),
        _ => Err(Problem::new(
            "is not a store",
            "use \"embedded\" or \"memory\"",
        )),
    }
}

fn log_format(text: &str) -> Result<LogFormat, Problem> {
    match text.trim() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Problem::new("is not a format", "use \"text\" or \"json\"")),
    }
}
