//! Pushes to send: distinct, sealed and signed, whole HTTP requests in one piece of memory.

use wxhook::protocol::envelope;
use wxhook::protocol::signature;
use wxhook::secret::AesKey;

pub(crate) const APP_ID: &str = "wx0123456789abcdef";
pub(crate) const TOKEN: &str = "mpInboundT0ken";
/// The EncodingAESKey, as the console shows it.
pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// Users who write in turns: as many as keep every lane short.
const USERS: usize = 10_000;

/// What they write; with it a request's body has about 0.6 KB.
const TEXT: &str = "你好，请问我的订单什么时候发货？";

/// Requests, ready to be written to a socket.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Builds `count` pushes with message ids from `first` on, signed at `timestamp`.
    pub(crate) fn build(first: usize, count: usize, timestamp: i64) -> Self {
        let key = envelope::decode_key(KEY).expect("a key");
        let mut requests = Self {
            bytes: Vec::with_capacity(count * 1_024),
            ends: Vec::with_capacity(count),
        };
        for number in first..first + count {
            requests.add(&key, number, timestamp);
        }
        requests
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of one request.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[index]]
    }

    /// Bytes of a request's body, of the first one.
    pub(crate) fn body_bytes(&self) -> usize {
        let request = self.bytes(0);
        let head = memchr::memmem::find(request, b"\r\n\r\n").expect("a head");
        request.len() - head - 4
    }

    fn add(&mut self, key: &AesKey, number: usize, timestamp: i64) {
        // Spread, so that one user's pushes do not follow each other.
        let user = format!("oJb3Uw5c9XkQm1T0s7Zr2Lh{:05}", number * 7_919 % USERS);
        let document = format!(
            "<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n\
             <FromUserName><![CDATA[{user}]]></FromUserName>\n\
             <CreateTime>{timestamp}</CreateTime>\n\
             <MsgType><![CDATA[text]]></MsgType>\n\
             <Content><![CDATA[{TEXT}{number}]]></Content>\n\
             <MsgId>{}</MsgId>\n</xml>",
            24_601_234_500_000_000 + number as u64,
        );
        let random = (number as u128 * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes();
        let encrypted = envelope::seal(key, APP_ID, random, document.as_bytes());
        let body = format!(
            "<xml>\n    <ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n    \
             <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>\n"
        );
        let (timestamp, nonce) = (timestamp.to_string(), (1_000_000_000 + number).to_string());
        let parts = [TOKEN, &timestamp, &nonce, &encrypted].map(str::as_bytes);
        let request = format!(
            "POST /wechat?signature={}&timestamp={timestamp}&nonce={nonce}&openid={user}\
             &encrypt_type=aes&msg_signature={} HTTP/1.1\r\n\
             Host: 127.0.0.1\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nPragma: no-cache\r\n\
             Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            signature::sign(&parts[..3]),
            signature::sign(&parts),
            body.len(),
        );
        self.bytes.extend_from_slice(request.as_bytes());
        self.ends.push(self.bytes.len());
    }
}
