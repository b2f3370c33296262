//! What public types show of themselves, in `Debug` and in errors: everything but their secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clap::{Command, FromArgMatches as _, Subcommand as _};
use regex::Regex;
use wxhook::api::quota::ClearQuotaWithSecret;
use wxhook::api::{Api, ApiParts, Settings, TicketLease};
use wxhook::cli::simulate::{SimulateCommand, SimulateContext};
use wxhook::clock::{Clock, ManualClock, Timestamp};
use wxhook::config::{self, Needs, Sources};
use wxhook::http::admin::AdminParts;
use wxhook::id::AppId;
use wxhook::metric::Counters;
use wxhook::platform::Platform;
use wxhook::platform::exchange::Call;
use wxhook::platform::hosts::{ApiHost, Hosts};
use wxhook::secret::{
    AccessToken, AdminKey, AesKey, AppSecret, ClientKey, HandlerSecret, JsTicket, PushToken,
    VerifyTicket,
};
use wxhook::simulator;
use wxhook::simulator::pusher::Identity;
use wxhook::store::ComponentTicket;
use wxhook::store::memory_tokens::MemoryTokens;
use wxhook::store::tokens::{NewToken, TokenRecord};
use wxhook::token::central::Central;
use wxhook::token::mint::Minted;
use wxhook::token::remote::{RemoteParts, RemoteTokens};
use wxhook::token::{Endpoint, Keeper, KeeperParts, Lease, Suspect};
use wxhook::transport::{
    Body, EgressProxy, HttpTransport, Method, Request, Settings as TransportSettings, Transport,
};

use super::leak;

const ACCESS: &str = "87_an-access-token-that-nobody-may-see";
const APP: &str = "an-app-secret-that-nobody-may-see";
const PUSH: &str = "pushTokenThatNobodyMaySee";
const ADMIN: &str = "an-admin-key-that-nobody-may-see";
const CLIENT: &str = "a-client-key-that-nobody-may-see";
const TICKET: &str = "a-ticket-that-nobody-may-see";
const PASSWORD: &str = "a-password-that-nobody-may-see";
const AES: &str = "NobodyMaySeeThisKeyNobodyMaySeeThisKey01234";

fn secrets() -> Vec<(&'static str, String)> {
    let key = wxhook::protocol::envelope::decode_key(AES).unwrap();
    let bytes = format!("{:?}", &key.expose()[..8]);
    vec![
        ("an access token", ACCESS.to_owned()),
        ("an AppSecret", APP.to_owned()),
        ("a Token", PUSH.to_owned()),
        ("an admin key", ADMIN.to_owned()),
        ("a client's key", CLIENT.to_owned()),
        ("a ticket", TICKET.to_owned()),
        ("a password", PASSWORD.to_owned()),
        ("an EncodingAESKey", AES.to_owned()),
        (
            "an AES key's bytes",
            bytes.trim_matches(['[', ']']).to_owned(),
        ),
    ]
}

/// What was shown, by the name of the type.
#[derive(Default)]
struct Shown(Vec<(&'static str, String)>);

impl Shown {
    fn add(&mut self, name: &'static str, value: &dyn Debug) {
        self.0.push((name, format!("{value:?} {value:#?}")));
    }
}

fn account() -> AppId {
    AppId::parse("wx0123456789abcdef").unwrap()
}

fn sources() -> Sources {
    let text = format!(
        "[admin]\nkey = \"{ADMIN}\"\n\
         [api]\nproxy = \"http://me:{PASSWORD}@egress.example:3128\"\n\
         [token]\nstore = \"redis://me:{PASSWORD}@10.0.0.4:6379/0\"\n\
         source = \"http://10.0.0.5:8081\"\nclient_key = \"{CLIENT}-of-ours\"\n\
         [clients.crm]\nkey = \"{CLIENT}\"\nrights = [\"token:read\"]\n\
         [accounts.default]\napp_id = \"wx0123456789abcdef\"\napp_secret = \"{APP}\"\n\
         token = \"{PUSH}\"\nencoding_aes_key = \"{AES}\"\n\
         previous_token = \"{PUSH}2\"\nprevious_encoding_aes_key = \"{AES}\"\n\
         [components.default]\napp_id = \"wxcomponent\"\ntoken = \"{PUSH}\"\nencoding_aes_key = \"{AES}\"\n"
    );
    let environment = [("WECHAT_APP_SECRET", APP), ("WXHOOK_ADMIN_KEY", ADMIN)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Sources {
        file: Some((PathBuf::from("wxhook.toml"), text)),
        environment: environment.into_iter().collect(),
    }
}

/// One that asks the platform itself, and publishes what it gives.
fn publishing() -> Sources {
    let text = format!(
        "[token]\npublish.key = \"wx:{{appid}}:access_token\"\n\
         publish.url = \"redis://me:{PASSWORD}@10.0.0.4:6379/1\"\n\
         [accounts.default]\napp_id = \"wx0123456789abcdef\"\napp_secret = \"{APP}\"\n\
         token = \"{PUSH}\"\nencoding_aes_key = \"{AES}\"\n"
    );
    Sources {
        file: Some((PathBuf::from("wxhook.toml"), text)),
        environment: sources().environment,
    }
}

fn configured(shown: &mut Shown) {
    let sources = sources();
    shown.add("Sources", &sources);
    let config = config::load(&sources, Needs::Accounts).unwrap();
    shown.add("Config", &config);
    let is_there = format!("{config:?}").matches("redacted").count();
    assert!(is_there >= 8, "the secrets are in it: {config:?}");
    let account = config.accounts.values().next().unwrap();
    shown.add("AccountSettings", account);
    shown.add("Credentials", &account.credentials);
    shown.add("Cipher", &account.credentials.ciphers().unwrap());
    shown.add("Client", &config.clients[0]);
    shown.add("TokenService", config.token_service.as_ref().unwrap());
    shown.add("TokenStoreKind", &config.token.store);
    shown.add("CounterStoreKind", &config.quota.store);
    let mut sources = sources;
    let key = ("WXHOOK__HANDLERS__BOT__KEY".to_owned(), CLIENT.to_owned());
    sources.environment.extend([key]);
    let read = config::read(&sources, Needs::Accounts).unwrap();
    shown.add("Reading", &read);
    shown.add("Own", &read.own);
    let bots: BTreeMap<String, BTreeMap<String, HandlerSecret>> = read.own.read().unwrap();
    assert!(bots["bot"]["key"].matches(CLIENT), "it is in it: {bots:?}");
    shown.add("HandlerSecret", &bots);
    let sources = publishing();
    let config = config::load(&sources, Needs::Accounts).unwrap();
    shown.add("Config", &config);
    shown.add("PublishSettings", config.token.publish.as_ref().unwrap());
}

/// A sub-command of `wxhook simulate`, as it was typed.
fn typed(words: &[&str]) -> SimulateCommand {
    let command = SimulateCommand::augment_subcommands(Command::new("simulate"));
    let matches = command.try_get_matches_from([&["simulate"], words].concat());
    SimulateCommand::from_arg_matches(&matches.unwrap()).unwrap()
}

fn simulated(shown: &mut Shown) {
    let settings = simulator::platform::Settings::for_account(account(), AppSecret::new(APP));
    shown.add("Account", &settings.accounts[0]);
    let platform = simulator::platform::Platform::new(settings, 1);
    shown.add("Platform", &Arc::new(Mutex::new(platform)));
    let call = simulator::platform::Call {
        query: format!("appid=wx0123456789abcdef&secret={APP}&access_token={ACCESS}"),
        body: Bytes::from(format!("{{\"secret\":\"{APP}\"}}")),
        ..Default::default()
    };
    shown.add("Call", &call);
    let identity = Identity {
        url: "http://127.0.0.1:1/wechat".to_owned(),
        app_id: account(),
        token: PushToken::new(PUSH),
        key: Some(wxhook::protocol::envelope::decode_key(AES).unwrap()),
        mode: "secure".parse().unwrap(),
        original_id: "gh_1".to_owned(),
    };
    shown.add("Identity", &identity);
    let context = SimulateContext {
        account: Some(identity),
        app_secret: Some(AppSecret::new(APP)),
        ..SimulateContext::default()
    };
    shown.add("SimulateContext", &context);
    let push = [
        "push",
        "--text",
        "hi",
        "--token",
        PUSH,
        "--encoding-aes-key",
        AES,
    ];
    shown.add("PushArgs", &typed(&push));
    let events = [
        "platform",
        "--app-secret",
        APP,
        "--push-to",
        "http://127.0.0.1:8080/",
        "--token",
        PUSH,
        "--aes-key",
        AES,
    ];
    let platform = typed(&events);
    shown.add("PlatformArgs", &platform);
    shown.add("EventArgs", &platform);
}

fn stored(shown: &mut Shown) {
    let moment = Timestamp::from_seconds(1_700_000_000);
    let record = TokenRecord {
        token: AccessToken::new(ACCESS),
        generation: 7,
        obtained_at: moment,
        confirmed_at: moment,
        expires_at: moment,
        obtained_by: "process 7".to_owned(),
    };
    shown.add("TokenRecord", &record);
    let new = NewToken {
        token: AccessToken::new(ACCESS),
        asked_at: moment,
        expires_at: moment,
        known: 7,
        by: "process 7".to_owned(),
    };
    shown.add("NewToken", &new);
    let ticket = ComponentTicket {
        component: account(),
        ticket: VerifyTicket::new(TICKET),
        created_at: moment,
        received_at: moment,
    };
    shown.add("ComponentTicket", &ticket);
    #[cfg(feature = "redis")]
    {
        let url = format!("redis://me:{PASSWORD}@10.0.0.4:6379/0");
        let store = wxhook::store::redis::RedisTokens::open(&url).unwrap();
        shown.add("RedisTokens", &store);
        let wrong = format!("redis://me:{PASSWORD}@10.0.0.4:6379/x");
        let error = wxhook::store::redis::RedisTokens::open(&wrong).unwrap_err();
        shown.add("AddressError", &(error.to_string(), error));
        let pattern = "wx:{appid}:access_token";
        let copies = wxhook::store::redis::RedisCopies::open(&url, pattern).unwrap();
        shown.add("RedisCopies", &copies);
        let error = wxhook::store::redis::RedisCopies::open(&wrong, pattern).unwrap_err();
        shown.add("CopiesError", &(error.to_string(), error));
        let counters = wxhook::store::redis::RedisCounters::open(&url).unwrap();
        shown.add("RedisCounters", &counters);
    }
    #[cfg(feature = "mysql")]
    {
        let url = format!("mysql://me:{PASSWORD}@10.0.0.4/tokens");
        let store = wxhook::store::mysql::MysqlTokens::open(&url).unwrap();
        shown.add("MysqlTokens", &store);
    }
}

fn outward(shown: &mut Shown) {
    let clock = Arc::new(ManualClock::at(1_700_000_000)) as Arc<dyn Clock>;
    let proxy = EgressProxy::parse(&format!("http://me:{PASSWORD}@egress.example:3128")).unwrap();
    shown.add("EgressProxy", &proxy);
    let settings = TransportSettings {
        https: false,
        plain_http: true,
        proxy: Some(proxy),
        ..TransportSettings::default()
    };
    shown.add("Settings", &settings);
    let transport = HttpTransport::new(&settings).unwrap() as Arc<dyn Transport>;
    shown.add("HttpTransport", &transport);
    let request = Request {
        method: Method::Post,
        url: format!("https://api.example/cgi-bin/x?access_token={ACCESS}&secret={APP}"),
        content_type: None,
        bearer: Some(ClientKey::new(CLIENT)),
        body: Body::Bytes(Bytes::from(format!("{{\"secret\":\"{APP}\"}}"))),
        timeout: Duration::from_secs(1),
    };
    shown.add("Request", &request);
    let call = Call {
        query: vec![("secret".into(), APP.to_owned())],
        access_token: Some(AccessToken::new(ACCESS)),
        credentials: Some((account(), AppSecret::new(APP))),
        ..Call::post(
            "/cgi-bin/x",
            Bytes::from(format!("{{\"secret\":\"{APP}\"}}")),
        )
    };
    shown.add("Call", &call);
    let clear = ClearQuotaWithSecret::new(account(), AppSecret::new(APP));
    shown.add("ClearQuotaWithSecret", &clear);
    let ticket = TicketLease {
        ticket: JsTicket::new(TICKET),
        remaining: Duration::from_secs(7),
    };
    shown.add("TicketLease", &ticket);
    let lease = Lease {
        token: AccessToken::new(ACCESS),
        generation: 7,
        remaining: Duration::from_secs(7),
    };
    shown.add("Lease", &lease);
    let minted = Minted {
        token: AccessToken::new(ACCESS),
        lifetime: Duration::from_secs(7),
    };
    shown.add("Minted", &minted);
    shown.add("Suspect", &Suspect::Token(AccessToken::new(ACCESS)));
    let remote = RemoteParts {
        account: account(),
        service: ApiHost::parse("http://10.0.0.5:8081").unwrap(),
        key: ClientKey::new(CLIENT),
        transport: Arc::clone(&transport),
        clock: Arc::clone(&clock),
    };
    shown.add("RemoteParts", &remote);
    shown.add("RemoteTokens", &RemoteTokens::new(remote));
    let hosts = Arc::new(Hosts::parse(["a.example"]).unwrap());
    let platform = Arc::new(Platform::new(transport, hosts, Arc::clone(&clock)));
    let keeper = KeeperParts {
        account: account(),
        secret: AppSecret::new(APP),
        endpoint: Endpoint::Plain,
        store: MemoryTokens::new(Arc::clone(&clock)),
        platform: Arc::clone(&platform),
        clock: Arc::clone(&clock),
        counters: Arc::default(),
        tally: None,
    };
    shown.add("KeeperParts", &keeper);
    let keeper = Arc::new(Keeper::new(keeper));
    shown.add("Keeper", &keeper);
    #[cfg(feature = "redis")]
    {
        let url = format!("redis://me:{PASSWORD}@10.0.0.4:6379/1");
        let copies = wxhook::store::redis::RedisCopies::open(&url, "wx:{appid}").unwrap();
        let publisher = wxhook::token::publisher::Publisher::new(keeper, Arc::new(copies));
        shown.add("Publisher", &publisher);
    }
    let api = Arc::new(Api::new(ApiParts {
        platform,
        sources: Vec::new(),
        tickets: None,
        clock: Arc::clone(&clock),
        quotas: None,
        settings: Settings::default(),
    }));
    let runtime = tokio::runtime::Handle::current();
    let admin = AdminParts {
        pushes: None,
        central: Central::new(Vec::new(), BTreeMap::new(), Arc::clone(&clock), runtime),
        api,
        origins: Vec::new(),
        clock,
        counters: Arc::new(Counters::default()),
        key: AdminKey::new(ADMIN),
        clients: config::load(&sources(), Needs::Accounts).unwrap().clients,
    };
    shown.add("AdminParts", &admin);
}

/// Sources below a directory.
fn sources_below(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources_below(&path, found);
        } else if !path.ends_with("secret.rs") && !path.ends_with("tests.rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The public types in whose declaration a type of `secret.rs`, or a way to a server, stands, by name.
fn holders() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let declared = std::fs::read_to_string(root.join("secret.rs")).unwrap();
    let kinds = Regex::new(r"(?m)^    ([A-Z]\w+)$|^pub struct ([A-Z]\w+)\(").unwrap();
    let kinds: Vec<&str> = kinds
        .captures_iter(&declared)
        .map(|found| found.get(1).or(found.get(2)).unwrap().as_str())
        .collect();
    assert!(
        kinds.contains(&"AccessToken") && kinds.contains(&"AesKey"),
        "{kinds:?}"
    );
    // What speaks to a server knows its password.
    let links = [
        cfg!(feature = "redis").then_some("Link"),
        cfg!(feature = "mysql").then_some("MySqlConnectOptions"),
    ];
    let kinds: Vec<&str> = kinds
        .into_iter()
        .chain(links.into_iter().flatten())
        .collect();
    let holds = Regex::new(&format!(r"\b(?:{})\b", kinds.join("|"))).unwrap();
    let beside = Regex::new(r#"(?m)//.*$|"(?:[^"\\]|\\(?s:.))*""#).unwrap();
    let declaration =
        Regex::new(r"(?ms)^pub (?:struct|enum) (\w+)[^;{]*?(?:\{.*?^\}|\([^;]*\);)").unwrap();
    let mut files = Vec::new();
    sources_below(&root, &mut files);
    let mut holders = BTreeSet::new();
    for file in &files {
        let code = beside.replace_all(file, "");
        for found in declaration.captures_iter(&code) {
            if holds.is_match(&found[0]) {
                holders.insert(found[1].to_owned());
            }
        }
    }
    holders
}

#[tokio::test]
async fn no_public_type_that_holds_a_secret_shows_it() {
    let mut shown = Shown::default();
    configured(&mut shown);
    simulated(&mut shown);
    stored(&mut shown);
    outward(&mut shown);
    for (name, text) in &shown.0 {
        assert_eq!(leak(text.as_bytes(), &secrets()), None, "{name}");
    }
    let rendered: BTreeSet<String> = shown.0.iter().map(|(name, _)| (*name).to_owned()).collect();
    let holders = holders();
    assert!(holders.len() >= 20, "{holders:?}");
    let missing: Vec<_> = holders.difference(&rendered).collect();
    assert!(
        missing.is_empty(),
        "show these in this test, too: {missing:?}"
    );
}

#[test]
fn a_fault_of_a_secret_setting_names_it_and_does_not_repeat_it() {
    let good = sources();
    for (key, value) in [
        ("WECHAT_TOKEN", "hush hush!"),
        ("WECHAT_ENCODING_AES_KEY", "hush-hush"),
        ("WXHOOK_TOKEN_STORE", "redis://me:hush-hush@/x"),
        ("WXHOOK__TOKEN__CLIENT_KEY", "hush-hush"),
        ("WXHOOK__CLIENTS__CRM__KEY", "hush-hush"),
        ("WXHOOK__API__PROXY", "ftp://me:hush-hush@egress.example"),
    ] {
        let mut sources = good.clone();
        sources.environment.insert(key.to_owned(), value.to_owned());
        let faults = config::load(&sources, Needs::Accounts).unwrap_err();
        let text = format!("{faults} {faults:?}");
        assert!(!text.contains("hush"), "{key}: {text}");
        assert!(text.contains(key), "{key}: {text}");
    }
}

/// The bytes of a key have no spelling of their own in [`leak`].
#[test]
fn an_aes_key_shows_its_length_alone() {
    let shown = format!("{:?}", AesKey::new([201; 32]));
    assert!(!shown.contains("201"), "{shown}");
}
