use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, Faults, Needs, Sources, load};
use crate::protocol::Mode;
use crate::quota::window::{Buckets, Figure};

mod account;
mod own;
mod quota;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    Sources {
        file: None,
        environment: environment.collect(),
    }
}

fn with_account(pairs: &[(&str, &str)]) -> Sources {
    let mut sources = environment(&[
        ("WECHAT_APP_ID", "wx0123456789abcdef"),
        ("WECHAT_TOKEN", "token123"),
    ]);
    sources.environment.extend(environment(pairs).environment);
    sources
}

fn file(text: &str) -> Sources {
    let environment = BTreeMap::new();
    Sources {
        file: Some((PathBuf::from("wxhook.toml"), text.to_owned())),
        environment,
    }
}

fn loaded(sources: &Sources) -> Config {
    load(sources, Needs::Accounts).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(sources: &Sources) -> Faults {
    load(sources, Needs::Accounts).unwrap_err()
}

#[test]
fn the_example_file_holds_the_defaults_of_every_room() {
    let config = loaded(&with_account(&[]));
    assert_eq!(config.http, crate::http::Settings::default());
    assert_eq!(
        config.store,
        crate::store::embedded::Settings::new("./data")
    );
    assert_eq!(config.dispatch, crate::dispatch::Settings::default());
    assert_eq!(config.api, crate::api::Settings::default());
    assert_eq!(config.transport, crate::transport::Settings::default());
}

#[test]
fn the_mode_is_secure_with_a_key_and_plain_without_unless_it_is_said() {
    for (name, pairs, expected) in [
        ("no key", vec![], Mode::Plain),
        ("key", vec![("WECHAT_ENCODING_AES_KEY", KEY)], Mode::Secure),
        (
            "key under an alias",
            vec![("WECHAT_AES_KEY", KEY)],
            Mode::Secure,
        ),
        (
            "said",
            vec![("WECHAT_AES_KEY", KEY), ("WECHAT_MODE", "兼容")],
            Mode::Compatible,
        ),
        (
            "key but plain",
            vec![("WECHAT_AES_KEY", KEY), ("WECHAT_MODE", "plain")],
            Mode::Plain,
        ),
    ] {
        let config = loaded(&with_account(&pairs));
        assert_eq!(
            config.accounts["default"].credentials.mode(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn the_environment_wins_over_the_file_and_any_key_is_a_variable() {
    let mut sources = file("[server]\nlisten = \"127.0.0.1:1\"\nworkers = 3\n");
    sources.environment = with_account(&[
        ("WXHOOK_LISTEN", "127.0.0.1:2"),
        ("WXHOOK__DISPATCH__MAX_STARTS", "9"),
        (
            "WXHOOK_API_HOSTS",
            "http://127.0.0.1:3, https://api2.weixin.qq.com",
        ),
    ])
    .environment;
    let config = loaded(&sources);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.http.workers, 3);
    assert_eq!(config.dispatch.max_starts, 9);
    assert_eq!(config.hosts.all().len(), 2);
}

#[test]
fn every_fault_is_one_line_with_key_value_and_remedy_and_all_come_at_once() {
    let mut sources = file(
        "[server]\nlisten = \"here\"\nrequest_budget = \"9s\"\n[sevrer]\nworkers = 1\n[store]\nkind = \"redis://x\"\n",
    );
    sources.environment = environment(&[
        ("WECHAT_TOKEN", "no good!"),
        ("WECHAT_MODE", "secret"),
        ("WXHOOK_LITSEN", "x"),
        ("WECHAT_LOG_LEVEL", "debug"),
    ])
    .environment;
    insta::assert_snapshot!(faults(&sources).to_string());
}

#[test]
fn a_secret_is_never_in_a_message() {
    let sources = with_account(&[
        ("WECHAT_ENCODING_AES_KEY", "s3cret-but-too-short"),
        ("WXHOOK_ADMIN_KEY", "s3cret"),
    ]);
    let text = faults(&sources).to_string();
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn accounts_have_paths_by_name_by_app_id_and_of_their_own() {
    let one = "token = \"token123\"\n";
    let config = loaded(&file(&format!(
        "[accounts.shop]\napp_id = \"wxa\"\n{one}path = \"/weixin/\"\n"
    )));
    assert_eq!(
        config.accounts["shop"].paths,
        ["/wechat", "/wechat/shop", "/wechat/wxa", "/weixin"]
    );
    let config = loaded(&file(&format!(
        "[accounts.a]\napp_id = \"wxa\"\n{one}[accounts.b]\napp_id = \"wxb\"\n{one}"
    )));
    assert_eq!(config.accounts["b"].paths, ["/wechat/b", "/wechat/wxb"]);
    let twice = faults(&file(&format!(
        "[accounts.a]\napp_id = \"wxa\"\n{one}[accounts.b]\napp_id = \"wxa\"\n{one}"
    )));
    assert_eq!(
        twice.to_string(),
        "accounts.b.app_id (file wxhook.toml, line 5): is also the AppID of accounts.a; give each account its own"
    );
}

#[test]
fn commands_that_only_look_need_no_account() {
    assert!(
        load(&environment(&[]), Needs::NoAccount)
            .unwrap()
            .accounts
            .is_empty()
    );
    assert!(
        faults(&environment(&[]))
            .to_string()
            .starts_with("accounts: no account is configured")
    );
}

#[test]
fn a_value_beside_its_file_is_a_fault_and_the_file_alone_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "fromfile1\n").unwrap();
    let path = path.to_str().unwrap();
    let both = with_account(&[("WECHAT_TOKEN_FILE", path)]);
    assert!(
        faults(&both)
            .to_string()
            .contains("set only one of the two")
    );
    let mut alone = both;
    alone.environment.remove("WECHAT_TOKEN");
    let config = loaded(&alone);
    assert_eq!(
        config.accounts["default"]
            .credentials
            .token()
            .current
            .expose(),
        "fromfile1"
    );
}

#[test]
fn an_egress_proxy_is_read_and_never_shown() {
    assert_eq!(loaded(&with_account(&[])).transport.proxy, None);
    let proxy = "http://me:hunter2@egress.example:3128";
    let config = loaded(&with_account(&[("WXHOOK__API__PROXY", proxy)]));
    assert!(config.transport.proxy.is_some());
    assert!(!format!("{config:?}").contains("hunter2"));
    let wrong = "ftp://me:hunter2@egress.example:3128";
    let faults = faults(&with_account(&[("WXHOOK__API__PROXY", wrong)]));
    insta::assert_snapshot!(faults, @"api.proxy (environment variable WXHOOK__API__PROXY): has a scheme that is not spoken; http, https, socks5 and socks5h are; write http://USER:PASSWORD@HOST:PORT, or https, socks5, socks5h");
}

#[test]
fn clients_have_keys_of_their_own_rights_and_accounts() {
    let account = "[accounts.shop]\napp_id = \"wxa\"\ntoken = \"token123\"\n";
    let config = loaded(&file(&format!(
        "{account}[clients.crm]\nkey = \"0123456789abcdef\"\nrights = [\"token:read\", \"jssdk\"]\naccounts = [\"shop\"]\n"
    )));
    let client = &config.clients[0];
    let accounts: Vec<&str> = client
        .accounts
        .iter()
        .flatten()
        .map(crate::id::AppId::as_str)
        .collect();
    assert_eq!((client.name.as_str(), accounts), ("crm", vec!["wxa"]));
    assert_eq!(
        client.rights,
        [
            crate::http::client::Right::ReadToken,
            crate::http::client::Right::JsSdk
        ]
    );

    let wrong = faults(&file(&format!(
        "{account}[clients.admin]\nkey = \"short\"\nrights = [\"token:write\"]\naccounts = [\"shp\"]\n\
         [clients.a]\nrights = [\"jssdk\"]\n\
         [token]\nsource = \"10.0.0.5/x\"\n[jssdk]\norigins = [\"shop.example.com\"]\n"
    )));
    insta::assert_snapshot!(wrong.to_string());
    let twice = faults(&file(&format!(
        "{account}[clients.a]\nkey = \"0123456789abcdef\"\n[clients.b]\nkey = \"0123456789abcdef\"\n[token]\nsource = \"http://10.0.0.5:8081\"\n"
    )));
    insta::assert_snapshot!(twice.to_string());
}

#[test]
fn tokens_are_kept_in_the_data_directory_unless_another_store_is_named() {
    let stores = [
        (None, "Embedded"),
        (Some("embedded"), "Embedded"),
        (Some("memory"), "Memory"),
        #[cfg(feature = "redis")]
        (
            Some("redis://:hunter2@10.0.0.5:6379/0"),
            "Redis(StoreAddress(32 bytes, redacted))",
        ),
        #[cfg(feature = "redis")]
        (
            Some("rediss://10.0.0.5"),
            "Redis(StoreAddress(17 bytes, redacted))",
        ),
        #[cfg(feature = "mysql")]
        (
            Some("mysql://wx:hunter2@10.0.0.5/wx"),
            "Mysql(StoreAddress(30 bytes, redacted))",
        ),
    ];
    for (written, expected) in stores {
        let pairs = written.map(|store| ("WXHOOK_TOKEN_STORE", store));
        let config = loaded(&with_account(pairs.as_slice()));
        assert_eq!(format!("{:?}", config.token.store), expected, "{written:?}");
    }
}

#[test]
fn a_wrong_token_store_is_named_without_its_password() {
    let stores = [
        ("postgres://wx:hunter2@10.0.0.5/wx", "is not a token store"),
        #[cfg(feature = "redis")]
        (
            "redis://:hunter2@10.0.0.5:port",
            "is not of the form redis://",
        ),
        #[cfg(not(feature = "redis"))]
        (
            "redis://:hunter2@10.0.0.5",
            "build it with --features redis",
        ),
        #[cfg(feature = "mysql")]
        ("mysql://wx:hunter2@10.0.0.5", "is not of the form mysql://"),
        #[cfg(not(feature = "mysql"))]
        (
            "mysql://wx:hunter2@10.0.0.5/wx",
            "build it with --features mysql",
        ),
    ];
    for (written, expected) in stores {
        let found = faults(&with_account(&[("WXHOOK_TOKEN_STORE", written)])).to_string();
        assert!(found.contains(expected), "{written}: {found}");
        assert!(!found.contains("hunter2"), "{written}: {found}");
    }
}

#[test]
fn sending_windows_are_read_and_each_wrong_one_is_named() {
    let config = loaded(&with_account(&[
        ("WXHOOK__WINDOWS__MESSAGE", "20 in 48h"),
        ("WXHOOK__WINDOWS__BUCKETS", "shared"),
        ("WXHOOK__DISPATCH__SPLIT_TEXTS", "false"),
    ]));
    let windows = &config.dispatch.windows;
    let expected = Figure::new(20, Duration::from_secs(172_800)).unwrap();
    assert_eq!(
        (windows.message, windows.buckets),
        (expected, Buckets::Shared)
    );
    assert!(!config.dispatch.texts.split);

    let wrong = faults(&with_account(&[
        ("WXHOOK__WINDOWS__CHECK", "maybe"),
        ("WXHOOK__WINDOWS__MESSAGE", "five"),
        ("WXHOOK__WINDOWS__MENU", "0 in 1m"),
        ("WXHOOK__WINDOWS__FOLLOW", "3 in 8d"),
        ("WXHOOK__WINDOWS__SCAN", "3 in a minute"),
        ("WXHOOK__WINDOWS__BUCKETS", "one"),
        ("WXHOOK__WINDOWS__USERS", "7"),
        ("WXHOOK__DISPATCH__CUT_SIGN", " "),
    ]));
    insta::assert_snapshot!(wrong.to_string());
}

#[cfg(feature = "redis")]
#[test]
fn plain_copies_need_an_address_and_a_key_that_names_the_account() {
    let url = ("WXHOOK_TOKEN_PUBLISH_URL", "redis://:hunter2@10.0.0.5/1");
    let key = ("WXHOOK__TOKEN__PUBLISH__KEY", "wx:{appid}:access_token");
    let config = loaded(&with_account(&[url, key]));
    let publish = config.token.publish.as_ref().unwrap();
    assert_eq!(publish.key, "wx:{appid}:access_token");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(loaded(&with_account(&[])).token.publish.is_none());
    let wrong = [
        vec![url],
        vec![key],
        vec![url, ("WXHOOK__TOKEN__PUBLISH__KEY", "access_token")],
        vec![url, ("WXHOOK__TOKEN__PUBLISH__KEY", "{wx}:{appid}")],
        vec![
            ("WXHOOK_TOKEN_PUBLISH_URL", "http://:hunter2@10.0.0.5"),
            key,
        ],
        vec![
            url,
            key,
            ("WXHOOK__TOKEN__SOURCE", "http://10.0.0.5:8081"),
            ("WXHOOK__TOKEN__CLIENT_KEY", "0123456789abcdef"),
        ],
    ];
    let told = wrong.map(|pairs| faults(&with_account(&pairs)).to_string());
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_server_that_only_keeps_tokens_needs_nothing_to_verify_pushes_with() {
    let text = "[accounts.shop]\napp_id = \"wxa\"\napp_secret = \"s\"\nmode = \"secure\"\n\
                token_endpoint = \"plain\"\n[accounts.crm]\napp_id = \"wxb\"\napp_secret = \"s\"\n";
    let config = load(&file(text), Needs::Tokens).unwrap_or_else(|faults| panic!("{faults}"));
    let endpoints = config
        .accounts
        .values()
        .map(|account| account.token_endpoint);
    assert_eq!(
        endpoints.collect::<Vec<_>>(),
        [None, Some(crate::token::Endpoint::Plain)]
    );
    let told = faults(&file(text)).to_string();
    for key in ["accounts.shop.token", "accounts.crm.token"] {
        assert!(told.contains(&format!("{key}: is not set")), "{told}");
    }
    let wrong = text.replace("plain", "plane");
    let told = load(&file(&wrong), Needs::Tokens).unwrap_err().to_string();
    assert!(told.contains("accounts.shop.token_endpoint"), "{told}");
    // What stands in for a Token is known to nobody, and never the same.
    let tokens = config
        .accounts
        .values()
        .map(|account| account.credentials.token().current.digest());
    let tokens: std::collections::BTreeSet<_> = tokens.collect();
    assert_eq!(tokens.len(), 2);
}
