//! Bodies that do not come, at a door with a short budget.

use wxhook::metric::Check;
use wxhook::protocol::Mode;

use super::stage::{Row, right, text_message};

pub(super) fn rows(mode: Mode) -> Vec<Row> {
    let (query, body) = right(mode, &text_message());
    let head = |headers: &str| {
        format!(
            "POST /wechat?{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\r\n\r\n"
        )
    };
    let late = |name: &str, bytes: String| Row::refused(name, bytes, 408, Check::SlowBody);
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    vec![
        late("no body", head("Content-Length: 500")),
        late("half a body", head("Content-Length: 5000") + &body),
        late(
            "a body without its last byte",
            head(&format!("Content-Length: {}", body.len() + 1)) + &body,
        ),
        late("no chunk", head("Transfer-Encoding: chunked")),
        late(
            "half a chunk",
            head("Transfer-Encoding: chunked") + &chunk[..chunk.len() / 2],
        ),
        late("no last chunk", head("Transfer-Encoding: chunked") + &chunk),
        late(
            "a body that is never asked for",
            head("Expect: 100-continue\r\nContent-Length: 500"),
        ),
    ]
}
