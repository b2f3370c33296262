//! HTTP itself: methods, paths, sizes, framing that two servers could read differently.

use wxhook::metric::Check;
use wxhook::protocol::Mode;

use super::stage::{By, Bytes, Row, push, request, right, text_message};

/// A push that would be taken, but for its head.
fn framed(mode: Mode, headers: &str, make: impl Fn(&str) -> String) -> String {
    let (query, body) = right(mode, &text_message());
    let body = make(&body);
    format!(
        "POST /wechat?{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\r\n\r\n{body}"
    )
}

/// In chunks, as HTTP writes them.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

pub(super) fn rows(mode: Mode) -> Vec<Row> {
    let mut rows = methods_and_paths(mode);
    rows.extend(framings(mode));
    rows.extend(heads(mode));
    rows.extend(sizes(mode));
    rows
}

fn methods_and_paths(mode: Mode) -> Vec<Row> {
    let mut rows = Vec::new();
    for method in [
        "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "PROPFIND", "post", "XYZZY",
    ] {
        let (query, body) = right(mode, &text_message());
        let bytes = request(method, &format!("/wechat?{query}"), "", &body);
        rows.push(Row::refused(
            &format!("method {method}"),
            bytes,
            405,
            Check::Method,
        ));
    }
    for path in [
        "/",
        "/other",
        "/WECHAT",
        "/wechat/other",
        "/wechat/default/more",
        "//wechat",
        "/wechat//",
        "/wechat;x",
        "/%77echat",
        "/wechat%2f",
        "/wechat/../wechat",
        "/./wechat",
        "/wechat%00",
        "/component/default",
        "/v1/counters",
        "/healthz",
        "/metrics",
        "/wechat.php",
    ] {
        let (query, body) = right(mode, &text_message());
        let bytes = request("POST", &format!("{path}?{query}"), "", &body);
        rows.push(Row::refused(
            &format!("path {path}"),
            bytes,
            404,
            Check::Path,
        ));
    }
    rows
}

fn framings(mode: Mode) -> Vec<Row> {
    let http = |name: &str, bytes: String| Row::new(name, bytes, 400, By::Http);
    let with = |headers: &str| framed(mode, headers, str::to_owned);
    let length = framed(mode, "", str::to_owned)
        .split_once("\r\n\r\n")
        .unwrap()
        .1
        .len();
    let smuggled = "0\r\n\r\nPOST /wechat HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n<xml>";
    vec![
        http(
            "a length and chunks",
            framed(
                mode,
                &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
                chunked,
            ),
        ),
        http(
            "chunks and a length",
            framed(
                mode,
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                chunked,
            ),
        ),
        http(
            "a length around a smuggled request",
            framed(
                mode,
                &format!(
                    "Content-Length: {}\r\nTransfer-Encoding: chunked",
                    smuggled.len()
                ),
                |_| smuggled.to_owned(),
            ),
        ),
        http(
            "two lengths",
            with(&format!("Content-Length: {length}\r\nContent-Length: 5")),
        ),
        http(
            "a list of lengths",
            with(&format!("Content-Length: {length}, {length}")),
        ),
        http("a negative length", with("Content-Length: -1")),
        http(
            "a length with a sign",
            with(&format!("Content-Length: +{length}")),
        ),
        http("a length in hexadecimal", with("Content-Length: 0x100")),
        http(
            "a length beyond 64 bits",
            with("Content-Length: 99999999999999999999999"),
        ),
        http("an empty length", with("Content-Length:")),
        http(
            "an unknown coding",
            framed(mode, "Transfer-Encoding: xchunked", chunked),
        ),
        http(
            "chunks hidden behind a tab",
            framed(mode, "Transfer-Encoding:\x0bchunked", chunked),
        ),
        http(
            "a coding with a colon too many",
            framed(mode, "Transfer-Encoding : chunked", chunked),
        ),
        http(
            "a coding on a folded line",
            framed(mode, "Transfer-Encoding:\r\n chunked", chunked),
        ),
        http(
            "a folded line",
            with(&format!("X-A: b\r\n c\r\nContent-Length: {length}")),
        ),
        http(
            "a line without a colon",
            with(&format!("Nonsense\r\nContent-Length: {length}")),
        ),
        http(
            "a blank before the colon",
            with(&format!("Content-Length : {length}")),
        ),
        http(
            "a null in a header",
            with(&format!("X-A: b\0c\r\nContent-Length: {length}")),
        ),
        http(
            "a name with blanks",
            with(&format!("X A: b\r\nContent-Length: {length}")),
        ),
    ]
}

fn heads(mode: Mode) -> Vec<Row> {
    let (query, body) = right(mode, &text_message());
    let length = body.len();
    let line = |line: &str| {
        format!("{line}\r\nHost: t\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let http = |name: &str, bytes: Vec<u8>| Row::new(name, bytes, 400, By::Http);
    let forged = query.replace("nonce=", "nonce=9");
    vec![
        http(
            "no version",
            line(&format!("POST /wechat?{query}")).into_bytes(),
        ),
        http(
            "version 2",
            line(&format!("POST /wechat?{query} HTTP/2.0")).into_bytes(),
        ),
        http(
            "version 9",
            line(&format!("POST /wechat?{query} HTTP/9.9")).into_bytes(),
        ),
        http(
            "the preface of HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        ),
        http(
            "TLS",
            [
                &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
                &[0; 64],
                b"\r\n\r\n",
            ]
            .concat(),
        ),
        http("noise", [&[0xff_u8; 256][..], b"\r\n\r\n"].concat()),
        http(
            "a blank in the path",
            line(&format!("POST /we chat?{query} HTTP/1.1")).into_bytes(),
        ),
        Row::new(
            "very many headers",
            framed(mode, &"X-A: b\r\n".repeat(200), str::to_owned),
            431,
            By::Http,
        ),
        Row::new(
            "a very long header",
            framed(
                mode,
                &format!("X-A: {}", "b".repeat(200_000)),
                str::to_owned,
            ),
            431,
            By::Http,
        ),
        Row::new(
            "a very long path",
            line(&format!("POST /{} HTTP/1.1", "b".repeat(200_000))),
            431,
            By::Http,
        ),
        Row::refused(
            "an absolute address, forged",
            line(&format!("POST http://t/wechat?{forged} HTTP/1.1")),
            403,
            Check::Signature,
        ),
        Row::refused(
            "another host, forged",
            line(&format!("POST /wechat?{forged} HTTP/1.1\r\nHost: evil")).replacen(
                "Host: t\r\n",
                "",
                1,
            ),
            403,
            Check::Signature,
        ),
        Row::refused(
            "an upgrade, forged",
            line(&format!("POST /wechat?{forged} HTTP/1.1\r\nUpgrade: h2c")),
            403,
            Check::Signature,
        ),
        Row::refused(
            "a made-up source, forged",
            line(&format!(
                "POST /wechat?{forged} HTTP/1.1\r\nX-Forwarded-For: 127.0.0.1"
            )),
            403,
            Check::Signature,
        ),
        Row::refused(
            "a rewritten path, forged",
            line(&format!(
                "POST /wechat?{forged} HTTP/1.1\r\nX-Original-URL: /v1/counters"
            )),
            403,
            Check::Signature,
        ),
        Row::refused(
            "an overridden method",
            request(
                "PUT",
                &format!("/wechat?{query}"),
                "X-HTTP-Method-Override: POST\r\n",
                &body,
            ),
            405,
            Check::Method,
        ),
    ]
}

fn sizes(mode: Mode) -> Vec<Row> {
    let big = "x".repeat(1024 * 1024 + 1);
    let (query, body) = right(mode, &text_message());
    let declared = |length: &str| {
        format!(
            "POST /wechat?{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let many = format!("400\r\n{}\r\n", "x".repeat(1024)).repeat(1_025);
    let broken = |name: &str, chunks: String| {
        Row::refused(
            name,
            framed(mode, "Transfer-Encoding: chunked", |_| chunks.clone()),
            400,
            Check::BrokenBody,
        )
    };
    let (forged, _) = right(mode, &text_message());
    let forged = forged.replace("nonce=", "nonce=9");
    let expecting = format!(
        "POST /wechat?{forged} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
    );
    vec![
        Row::refused("a byte too long", push(&query, &big), 413, Check::Size),
        Row::refused("a terabyte, announced", declared("1099511627776"), 413, Check::Size),
        Row::refused("too long in chunks", framed(mode, "Transfer-Encoding: chunked", |_| format!("{many}0\r\n\r\n")), 413, Check::Size),
        Row::refused("chunks without an end", framed(mode, "Transfer-Encoding: chunked", |_| many.clone()), 413, Check::Size),
        Row::refused("a body that breaks off", declared("5000"), 400, Check::BrokenBody).cut(),
        broken("a chunk's size in words", "five\r\nhello\r\n0\r\n\r\n".to_owned()),
        broken("a negative chunk", "-5\r\nhello\r\n0\r\n\r\n".to_owned()),
        broken("a chunk beyond 64 bits", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n".to_owned()),
        broken("a chunk longer than said", "2\r\nhello\r\n0\r\n\r\n".to_owned()),
        Row::refused("a forged one that waits to be asked for its body", expecting, 403, Check::Signature),
        Row {
            name: "a body that comes after its refusal".to_owned(),
            bytes: Bytes::Then(
                format!("POST /wechat?{forged} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes(),
                body.clone().into_bytes(),
            ),
            status: 403,
            by: By::Check(Check::Signature),
        },
        Row::refused(
            "a forged one behind another",
            format!("GET /other HTTP/1.1\r\nHost: t\r\n\r\n{}", push(&forged, &body).replace("/wechat?", "/other?")),
            404,
            Check::Path,
        )
        .cut(),
    ]
}
