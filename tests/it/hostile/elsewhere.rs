//! Right pushes from the wrong place: somebody has the token, and perhaps the key.

use wxhook::metric::Check;
use wxhook::protocol::Mode;

use super::stage::{Row, request, right, text_message};

/// What a trusted proxy adds to a push from WeChat.
pub(super) const FROM_WECHAT: &str = "X-Forwarded-For: 203.0.113.7\r\n";

pub(super) fn rows(mode: Mode) -> Vec<Row> {
    let from = |name: &str, headers: &str| {
        let (query, body) = right(mode, &text_message());
        let bytes = request("POST", &format!("/wechat?{query}"), headers, &body);
        Row::refused(name, bytes, 403, Check::Source)
    };
    vec![
        from("past the proxy", ""),
        from("from elsewhere", "X-Forwarded-For: 198.51.100.1\r\n"),
        from(
            "with WeChat's address made up before it",
            "X-Forwarded-For: 203.0.113.7, 198.51.100.1\r\n",
        ),
        from(
            "with WeChat's address on a line before it",
            "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 198.51.100.1\r\n",
        ),
        from(
            "with WeChat's address in another header",
            "X-Real-IP: 203.0.113.7\r\n",
        ),
        from(
            "with WeChat's address in the standard's header",
            "Forwarded: for=203.0.113.7\r\n",
        ),
        from(
            "with nonsense behind WeChat's address",
            "X-Forwarded-For: 203.0.113.7, unknown\r\n",
        ),
        from("with an empty list", "X-Forwarded-For: \r\n"),
        from("from next to WeChat", "X-Forwarded-For: 203.0.114.7\r\n"),
        from(
            "from the other protocol",
            "X-Forwarded-For: 2001:db8::cb00:7107\r\n",
        ),
    ]
}
