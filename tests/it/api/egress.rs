//! The real program behind a proxy: TLS to the platform through a tunnel, whose owner sees a name, a
//! user and a password, and nothing that is said in it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::certificates::{Authority, Issued};
use crate::main_job::{APP_ID, SECRET, StandIn, TOKEN};
use crate::support::{Answer, Program, raw};

const ADMIN: &str = "the-admin-key-of-the-tests";
const NAME: &str = "api.example";

/// What passed by a proxy, as its owner could have seen it.
type Seen = Arc<Mutex<Vec<u8>>>;

/// Speaks TLS before a stand-in: one request on each connection.
fn secure(stand_in: &StandIn, issued: &Issued) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(&issued.certificate).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&issued.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, onward) = (Arc::new(config), stand_in.url.replace("http://", ""));
    each_connection(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut client = StreamOwned::new(connection, stream);
        let request = read_request(&mut client)?;
        let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let mut platform = TcpStream::connect(&onward)?;
        platform.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        platform.read_to_end(&mut answer)?;
        client.write_all(&answer)?;
        client.conn.send_close_notify();
        client.flush()
    })
}

fn each_connection(
    serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            // What a client does not like it ends; the tests look at what the client says then.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    address
}

fn read_head(stream: &mut impl Read) -> std::io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn read_request(stream: &mut impl Read) -> std::io::Result<String> {
    let head = read_head(stream)?;
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).map_or(0, |rest| {
        rest.lines().next().unwrap().parse::<usize>().unwrap()
    });
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(head + &String::from_utf8_lossy(&body))
}

/// A tunnel, until both sides have ended.
fn tunnel(client: TcpStream, onward: SocketAddr, seen: &Seen) -> std::io::Result<()> {
    let platform = TcpStream::connect(onward)?;
    let copy = |mut from: TcpStream, mut to: TcpStream, seen: Seen| {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            seen.lock().unwrap().extend_from_slice(&buffer[..count]);
            to.write_all(&buffer[..count])?;
        }
        to.shutdown(std::net::Shutdown::Write)
    };
    let (from, to) = (platform.try_clone()?, client.try_clone()?);
    let back = Arc::clone(seen);
    thread::spawn(move || copy(from, to, back));
    copy(client, platform, Arc::clone(seen))
}

/// A proxy that wants `me` and `pass word`, and connects its one name to `onward`.
fn http_proxy(onward: SocketAddr, seen: Seen) -> SocketAddr {
    each_connection(move |mut stream| {
        let head = read_head(&mut stream)?;
        seen.lock().unwrap().extend_from_slice(head.as_bytes());
        let head = head.to_ascii_lowercase();
        let is_let_in = head.contains("proxy-authorization: basic bwu6cgfzcyb3b3jk\r\n");
        if !is_let_in || !head.starts_with(&format!("connect {NAME}:443 http/1.1\r\n")) {
            let refusal =
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(refusal);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        tunnel(stream, onward, &seen)
    })
}

/// The same in SOCKS 5 (RFC 1928, RFC 1929), which resolves the name itself.
fn socks_proxy(onward: SocketAddr, seen: Seen) -> SocketAddr {
    each_connection(move |mut stream| {
        let mut take = |count: usize| {
            let mut bytes = vec![0; count];
            stream.read_exact(&mut bytes).map(|()| bytes)
        };
        let offered = take(2)?[1].into();
        let methods = take(offered)?;
        assert!(methods.contains(&2), "user and password are offered");
        stream.write_all(&[5, 2])?;
        let text = |stream: &mut TcpStream| {
            let mut length = [0];
            stream.read_exact(&mut length)?;
            let mut bytes = vec![0; length[0].into()];
            stream.read_exact(&mut bytes)?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        stream.read_exact(&mut [0])?;
        let (user, password) = (text(&mut stream)?, text(&mut stream)?);
        let is_let_in = user == "me" && password == "pass word";
        stream.write_all(&[1, u8::from(!is_let_in)])?;
        if !is_let_in {
            return Ok(());
        }
        let mut request = [0; 4];
        stream.read_exact(&mut request)?;
        assert_eq!(request, [5, 1, 0, 3], "a connection to a name");
        let name = text(&mut stream)?;
        let mut port = [0; 2];
        stream.read_exact(&mut port)?;
        assert_eq!((name.as_str(), u16::from_be_bytes(port)), (NAME, 443));
        seen.lock().unwrap().extend_from_slice(name.as_bytes());
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        tunnel(stream, onward, &seen)
    })
}

/// What a token server says that goes out through this proxy and trusts this authority, and what it
/// printed.
fn asked(proxy: &str, authority: &Authority) -> (Answer, String) {
    let directory = tempfile::tempdir().unwrap();
    let (data, trusted) = (directory.path().to_str().unwrap(), authority.file());
    let hosts = format!("https://{NAME}");
    let environment = [
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_APP_SECRET", SECRET),
        ("WECHAT_TOKEN", TOKEN),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_ADMIN_KEY", ADMIN),
        ("WXHOOK_DATA_DIR", data),
        ("WXHOOK_API_HOSTS", &hosts),
        ("WXHOOK__API__PROXY", proxy),
        ("WXHOOK_LOG_FORMAT", "json"),
        ("WXHOOK_LOG", "trace"),
        ("SSL_CERT_FILE", &trusted),
    ];
    let mut program = Program::start(&["serve", "--role", "token"], &environment);
    let line = program.line_with("is ready for those who ask for tokens");
    let line: Value = serde_json::from_str(&line).unwrap();
    let admin = line["admin_listen"].as_str().unwrap().parse().unwrap();
    let question = format!(
        "GET /v1/token/default HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n"
    );
    let answer = raw(admin, question);
    program.signal("TERM");
    assert!(program.wait().success());
    (answer, program.printed())
}

fn hides(place: &str, text: &str, stand_in: &StandIn) {
    let platform = stand_in.platform.lock().unwrap();
    let tokens = platform.tokens().map(|token| token.text.clone());
    let passwords = ["pass%20word", "pass word", "wrong-word", SECRET];
    let secrets = passwords.into_iter().map(str::to_owned).chain(tokens);
    for secret in secrets {
        assert!(!text.contains(&secret), "{place}: {secret}");
    }
}

#[test]
fn a_token_comes_through_a_tunnel_that_shows_a_name_and_nothing_else() {
    let authority = Authority::new();
    let (stand_in, seen) = (StandIn::start(), Seen::default());
    let secured = secure(&stand_in, &authority.issue(&format!("DNS:{NAME}")));
    let http = http_proxy(secured, Arc::clone(&seen));
    let socks = socks_proxy(secured, Arc::clone(&seen));
    for (number, proxy) in [
        format!("http://me:pass%20word@{http}"),
        format!("socks5h://me:pass%20word@{socks}"),
    ]
    .iter()
    .enumerate()
    {
        let (answer, printed) = asked(proxy, &authority);
        assert_eq!(answer.status, 200, "{proxy}: {} {printed}", answer.body);
        let given: Value = serde_json::from_str(&answer.body).unwrap();
        let platform = stand_in.platform.lock().unwrap();
        let newest = platform.tokens().last().unwrap().text.clone();
        assert_eq!(given["access_token"], newest.as_str(), "{proxy}");
        let calls: Vec<_> = platform
            .calls_after(0)
            .map(|call| call.path.clone())
            .collect();
        assert_eq!(calls, vec!["/cgi-bin/stable_token"; number + 1], "{proxy}");
        drop(platform);
        hides("the log", &printed, &stand_in);
        let passed = std::mem::take(&mut *seen.lock().unwrap());
        let passed = String::from_utf8_lossy(&passed).into_owned();
        assert!(passed.contains(NAME), "{passed}");
        hides("what the proxy saw", &passed, &stand_in);
    }
}

#[test]
fn without_a_tunnel_or_a_trusted_certificate_nothing_is_asked_and_the_reason_is_told() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (stand_in, seen) = (StandIn::start(), Seen::default());
    let secured = secure(&stand_in, &authority.issue(&format!("DNS:{NAME}")));
    let elsewhere = secure(&stand_in, &authority.issue("DNS:other.example"));
    let http = |onward| http_proxy(onward, Arc::clone(&seen));
    let socks = socks_proxy(secured, Arc::clone(&seen));
    let let_in = |proxy: SocketAddr| format!("http://me:pass%20word@{proxy}");
    for (name, proxy, trusted, expected) in [
        (
            "a wrong password",
            format!("http://me:wrong-word@{}", http(secured)),
            &authority,
            "no connection",
        ),
        (
            "a wrong password of SOCKS",
            format!("socks5h://me:wrong-word@{socks}"),
            &authority,
            "no connection",
        ),
        (
            "an authority that nobody trusts",
            let_in(http(secured)),
            &other,
            "certificate",
        ),
        (
            "a certificate of another name",
            let_in(http(elsewhere)),
            &authority,
            "certificate",
        ),
    ] {
        let (answer, printed) = asked(&proxy, trusted);
        assert_eq!(answer.status, 503, "{name}: {}", answer.body);
        assert!(answer.body.contains(expected), "{name}: {}", answer.body);
        hides(name, &format!("{}{printed}", answer.body), &stand_in);
    }
    assert_eq!(stand_in.platform.lock().unwrap().calls_after(0).count(), 0);
}
