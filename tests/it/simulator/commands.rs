//! `wxhook simulate push` and `wxhook simulate platform`, as a user runs them.

use std::io;
use std::io::Write;

use clap::Parser;
use serde_json::Value;
use wxhook::cli::simulate;
use wxhook::cli::simulate::SimulateArgs;
use wxhook::cli::simulate::SimulateContext;
use wxhook::cli::simulate::SimulateError;
use wxhook::id::AppId;
use wxhook::secret::AppSecret;
use wxhook::secret::PushToken;
use wxhook::simulator::handle::DevHandle;
use wxhook::simulator::platform::Windows;
use wxhook::simulator::pusher::Identity;
use wxhook::simulator::pusher::Mode;
use wxhook::simulator::pusher::Target;

use super::APP;
use super::Served;
use super::access_token;
use super::listener;
use super::pusher::KEY;
use super::pusher::ORIGINAL_ID;
use super::pusher::Server;
use super::pusher::TOKEN;
use super::pusher::between;
use super::pusher::ok;
use super::pusher::server;
use super::served;

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    simulate: SimulateArgs,
}

fn parse(line: &[&str]) -> Result<SimulateArgs, clap::Error> {
    Line::try_parse_from(line).map(|line| line.simulate)
}

/// Runs a command line: what it printed, and how it ended.
pub(super) async fn run(
    line: &[&str],
    context: SimulateContext,
) -> (String, Result<(), SimulateError>) {
    let args = parse(line).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let end = simulate::execute(args, context, &mut out, || async {});
        (String::from_utf8(out).unwrap(), end)
    })
    .await
    .unwrap()
}

fn dev(url: &str, simulator_url: &str) -> SimulateContext {
    let dev = DevHandle {
        url: url.to_owned(),
        simulator_url: simulator_url.to_owned(),
        app_id: APP.to_owned(),
        token: TOKEN.to_owned(),
        encoding_aes_key: Some(KEY.to_owned()),
        mode: "secure".to_owned(),
        original_id: ORIGINAL_ID.to_owned(),
        pid: 1,
    };
    SimulateContext {
        dev: Some(dev),
        ..SimulateContext::default()
    }
}

/// A server that answers `success` and then writes to the user through the local platform.
async fn replying_server(served: &Served) -> Server {
    let token = access_token(served).await;
    let url = served.skin.url().to_owned();
    server(move |_, seen| {
        let document = seen.opened();
        let user = between(&document, "FromUserName").unwrap();
        let content = between(&document, "Content").unwrap();
        let body = format!(
            r#"{{"touser":"{user}","msgtype":"text","text":{{"content":"收到 {content}"}}}}"#
        );
        let path = format!("/cgi-bin/message/custom/send?access_token={token}");
        let (url, request) = (url.clone(), super::post(&path, &body));
        tokio::spawn(async move { super::raw(&url, &request).await });
        ok("success")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_a_running_dev_shows_the_answer_and_the_reply() {
    let served = served(Windows::On);
    let server = replying_server(&served).await;
    let context = || dev(&server.url, served.skin.url());
    let (printed, end) = run(&["push", "--text", "你好"], context()).await;
    end.unwrap();
    assert!(printed.contains("answer   success, after "), "{printed}");
    assert!(printed.contains("reply    收到 你好\n"), "{printed}");

    let (printed, end) = run(&["push", "--text", "你好", "--json"], context()).await;
    end.unwrap();
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["verdict"], "success");
    assert_eq!(report["attempts"][0]["status"], 200);
    assert_eq!(report["replies"][0]["content"], "收到 你好");
    served.skin.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_prints_a_table_of_answers_replies_and_latencies() {
    let served = served(Windows::On);
    let server = replying_server(&served).await;
    let line = [
        "push",
        "--text",
        "no {number}",
        "--count",
        "40",
        "--connections",
        "4",
        "--users",
        "9",
    ];
    let context = || dev(&server.url, served.skin.url());
    let (printed, end) = run(&line, context()).await;
    end.unwrap();
    for expected in [
        "40 pushes of 9 users over 4 connections in ",
        "  success               40\n",
        "  replies               40\n",
        "  p99.9 ",
    ] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
    let (printed, end) = run(&[&line[..], &["--json"]].concat(), context()).await;
    end.unwrap();
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&report["answers"]["success"], &report["replies"]),
        (&40.into(), &40.into())
    );
    served.skin.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_wechat_would_not_like_ends_with_code_1() {
    let server = server(|_, _| ok("\"success\"")).await;
    let url = server.url.as_str();
    let account = ["--url", url, "--app-id", APP, "--token", TOKEN];
    for (name, line, printed_part, error_part) in [
        (
            "a push",
            &["push", "--follow"][..],
            "\\\"success\\\"",
            "WeChat would not be content",
        ),
        (
            "a load",
            &["push", "--count", "3"],
            "invalid",
            "3 of 3 pushes failed",
        ),
        (
            "an echo",
            &["push", "--verify"],
            "not the right echo",
            "did not prove",
        ),
    ] {
        let (printed, end) = run(&[line, &account[..]].concat(), SimulateContext::default()).await;
        let error = end.expect_err(name);
        assert!(printed.contains(printed_part), "{name}: {printed}");
        assert!(error.to_string().contains(error_part), "{name}: {error}");
        assert_eq!(error.code(), 1, "{name}");
    }
    assert_eq!(server.seen.lock().unwrap().len(), 4 + 3 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_win_over_dev_and_dev_over_the_configured_account() {
    let [configured, running, named] = [
        server(|_, _| ok("success")).await,
        server(|_, _| ok("success")).await,
        server(|_, _| ok("success")).await,
    ];
    let served = served(Windows::Off);
    let account = Identity {
        url: configured.url.clone(),
        app_id: AppId::parse(APP).unwrap(),
        token: PushToken::new("configured"),
        key: None,
        mode: Mode::Plain,
        original_id: "gh_configured".to_owned(),
    };
    let context = |with_dev: bool| SimulateContext {
        account: Some(account.clone()),
        dev: dev(&running.url, served.skin.url())
            .dev
            .filter(|_| with_dev),
        ..SimulateContext::default()
    };
    let line = ["push", "--unfollow"];
    let named_line = ["push", "--unfollow", "--url", &named.url];
    run(&line, context(false)).await.1.unwrap();
    run(&line, context(true)).await.1.unwrap();
    run(&named_line, context(true)).await.1.unwrap();
    let only = |server: &Server| {
        let seen = server.seen.lock().unwrap();
        assert_eq!(seen.len(), 1);
        seen[0].clone()
    };
    let plain = |server| only(server).element("ToUserName").map(str::to_owned);
    assert_eq!(plain(&configured).as_deref(), Some("gh_configured"));
    assert!(only(&running).opened().contains("unsubscribe"));
    // The account that is configured for that URL, not the throw-away one of dev.
    assert_eq!(plain(&named).as_deref(), Some("gh_configured"));
    served.skin.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_from_a_file_is_pushed_as_it_is() {
    let server = server(|_, _| ok("success")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("push.xml");
    let document =
        "<xml><FromUserName>oX</FromUserName><MsgType>event</MsgType><Event>VIEW</Event></xml>";
    std::fs::write(&path, document).unwrap();
    let path = path.to_str().unwrap();
    let line = [
        "push",
        "--file",
        path,
        "--url",
        &server.url,
        "--app-id",
        APP,
        "--token",
        TOKEN,
    ];
    run(&line, SimulateContext::default()).await.1.unwrap();
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!((seen.body.as_str(), seen.value("openid")), (document, "oX"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_ends_with_code_2_before_anything_is_sent() {
    let account = ["--app-id", APP, "--token", TOKEN];
    let here = ["--url", "http://127.0.0.1:1/"];
    for (name, line, expected) in [
        (
            "nobody to push to",
            vec!["push", "--follow"],
            "no `wxhook dev` is running",
        ),
        (
            "another machine",
            [
                &["push", "--follow", "--url", "http://example.com/"],
                &account[..],
            ]
            .concat(),
            "add --yes",
        ),
        (
            "TLS",
            [
                &["push", "--follow", "--url", "https://127.0.0.1/"],
                &account[..],
            ]
            .concat(),
            "must begin with http://",
        ),
        (
            "no key",
            [
                &["push", "--follow", "--mode", "安全"],
                &here[..],
                &account[..],
            ]
            .concat(),
            "secure mode needs an EncodingAESKey",
        ),
        (
            "no file",
            [
                &["push", "--file", "/no/such/file"],
                &here[..],
                &account[..],
            ]
            .concat(),
            "/no/such/file: ",
        ),
        (
            "a platform for everybody",
            vec!["platform", "--listen", "0.0.0.0:0"],
            "add --yes",
        ),
    ] {
        let (printed, end) = run(&line, SimulateContext::default()).await;
        let error = end.expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!((error.code(), printed.as_str()), (2, ""), "{name}");
    }
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for line in [
        &["push", "--text", "a", "--follow"][..],
        &["push", "--follow", "--key", "K"],
        &["push", "--follow", "--rate", "5"],
        &["push", "--follow", "--count", "0"],
        &["push", "--follow", "--count", "1", "--rate", "NaN"],
        &["push", "--verify", "--count", "1"],
        &["push", "--follow", "--mode", "open"],
        &["push", "--follow", "--token", "a b"],
        &["push", "--follow", "--encoding-aes-key", "short"],
        &["platform", "--listen", "here"],
        &["platform", "--token", TOKEN],
        &["platform", "--aes-key", KEY],
        &[
            "platform",
            "--push-to",
            "http://127.0.0.1:1/",
            "--mode",
            "open",
        ],
        &[],
    ] {
        let error = parse(line).expect_err(&line.join(" "));
        assert_eq!(error.exit_code(), 2, "{line:?}");
    }
    let args = parse(&[
        "push", "--event", "CLICK", "--key", "ORDER", "--token", TOKEN,
    ])
    .unwrap();
    assert!(!format!("{args:?}").contains(TOKEN));
}

#[test]
fn a_platform_serves_until_it_is_stopped_and_says_how_to_use_it() {
    let listen = listener().local_addr().unwrap().to_string();
    let url = format!("http://{listen}");
    for (name, secret, shown) in [("made up", None, true), ("given", Some("s3cret"), false)] {
        let context = SimulateContext {
            app_secret: secret.map(AppSecret::new),
            ..SimulateContext::default()
        };
        let args = parse(&["platform", "--listen", &listen, "--app-id", APP]).unwrap();
        let mut out = Vec::new();
        let target = Target::parse(&url).unwrap();
        let stop = || async move {
            let answer = target.fetch("/simulator/status").await;
            assert_eq!(answer, Ok((200, br#"{"calls":0,"deliveries":0}"#.to_vec())));
        };
        simulate::execute(args, context, &mut out, stop).expect(name);
        let printed = String::from_utf8(out).unwrap();
        assert!(
            printed.contains(&format!("export WXHOOK_API_HOSTS={url}\n")),
            "{printed}"
        );
        assert!(
            printed.contains(&format!("export WECHAT_APP_ID={APP}\n")),
            "{printed}"
        );
        assert_eq!(printed.contains("WECHAT_APP_SECRET="), shown, "{name}");
        assert!(!printed.contains("s3cret"));
    }
}

/// An output whose reader has gone, like `| head -0`.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_who_has_read_enough_is_no_failure() {
    let args = parse(&["platform", "--listen", "127.0.0.1:0"]).unwrap();
    let end = simulate::execute(args, SimulateContext::default(), &mut Closed, || async {});
    assert_eq!(end.unwrap_err().code(), 0);
}
