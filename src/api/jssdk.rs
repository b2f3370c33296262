//! Signatures for pages that use the JS-SDK, and for cards. Pure: time and chance are arguments.

use sha1::{Digest as _, Sha1};

use crate::secret::JsTicket;

/// Bytes of the longest URL that is signed.
pub const MAX_URL_BYTES: usize = 4096;

/// Why a URL is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is too long.
    #[error("the url is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    /// It does not begin with `http://` or `https://`, or has no host.
    #[error("the url must be the whole address of the page: https://HOST/…")]
    NotAbsolute,
    /// It holds characters that a browser's `location.href` never has.
    #[error("the url holds a blank, a control character or a name before @")]
    Character,
    /// Its origin is not in `jssdk.origins`.
    #[error("{0} is not in jssdk.origins")]
    Origin(String),
    /// An origin has more than scheme, host and port.
    #[error("an origin ends after its host or port")]
    NotAnOrigin,
}

/// Scheme, host and port: which pages may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// From `https://HOST` or `https://HOST:PORT`, without a path.
    ///
    /// # Errors
    /// [`UrlError`] says what it lacks, or has too much.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (origin, rest) = split(text)?;
        if rest.is_empty() || rest == "/" {
            Ok(origin)
        } else {
            Err(UrlError::NotAnOrigin)
        }
    }
}

/// The address of a page, without its fragment, at an origin that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUrl(String);

impl PageUrl {
    /// Cuts the fragment off and checks the rest. What is signed is the text as the browser has it.
    ///
    /// # Errors
    /// [`UrlError`] says why it is not signed.
    pub fn parse(text: &str, allowed: &[Origin]) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
        let text = text.split('#').next().unwrap_or_default();
        let (origin, _) = split(text)?;
        if allowed.contains(&origin) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UrlError::Origin(origin.0))
        }
    }
}

/// The origin as it is compared: lower case, without the scheme's own port; and what follows it.
fn split(text: &str) -> Result<(Origin, &str), UrlError> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(UrlError::Character);
    }
    let (scheme, rest) = text.split_once("://").ok_or(UrlError::NotAbsolute)?;
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return Err(UrlError::NotAbsolute),
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.contains('@') {
        return Err(UrlError::Character);
    }
    let authority = authority.to_ascii_lowercase();
    let host = authority.strip_suffix(own_port).unwrap_or(&authority);
    if host.is_empty() || host.starts_with(':') {
        return Err(UrlError::NotAbsolute);
    }
    Ok((Origin(format!("{scheme}://{host}")), rest))
}

/// The signature of a page for `wx.config`: 40 lower-case hexadecimal digits.
///
/// Source: the official page "JS-SDK说明文档", appendix 1, read 2026-11.
pub fn sign_page(ticket: &JsTicket, nonce: &str, timestamp: i64, url: &PageUrl) -> String {
    let ticket = ticket.expose();
    let PageUrl(url) = url;
    hex_of(format!(
        "jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    ))
}

/// The signature of a card for `wx.addCard`: the *values*, sorted and put together. `values` are
/// card_id, code, openid, timestamp and nonce_str; empty ones change nothing.
///
/// Source: the official page "JS-SDK说明文档", appendix 4, read 2026-11.
pub fn sign_card(ticket: &JsTicket, values: &[&str]) -> String {
    let mut sorted = vec![ticket.expose()];
    sorted.extend(values);
    sorted.sort_unstable();
    hex_of(sorted.concat())
}

fn hex_of(text: String) -> String {
    let digest = Sha1::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed() -> Vec<Origin> {
        ["https://shop.example.com", "http://mp.weixin.qq.com"]
            .map(|text| Origin::parse(text).unwrap())
            .to_vec()
    }

    #[test]
    fn the_official_example_is_signed_as_the_documentation_says() {
        // The example of the official page; sha1sum agrees.
        let ticket = JsTicket::new(
            "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg",
        );
        let url = PageUrl::parse("http://mp.weixin.qq.com?params=value#top", &allowed()).unwrap();
        let signature = sign_page(&ticket, "Wm3WZYTPz0wzccnW", 1_414_587_457, &url);
        assert_eq!(signature, "0f9de62fce790f9a083d5c99e95740ceb90c27ed");
    }

    #[test]
    fn the_values_of_a_card_are_sorted_and_empty_ones_change_nothing() {
        // printf 1414587457abcnoncep1ticket | sha1sum
        let expected = "87cbcfc3a69f9ca3a868f2e516d249fa72d6e700";
        let values = ["nonce", "", "p1", "1414587457", "abc"];
        assert_eq!(sign_card(&JsTicket::new("ticket"), &values), expected);
    }

    #[test]
    fn only_pages_of_allowed_origins_are_signed() {
        for (text, expected) in [
            ("https://shop.example.com", Ok("https://shop.example.com")),
            (
                "https://shop.example.com/a?b=c#/route?x",
                Ok("https://shop.example.com/a?b=c"),
            ),
            (
                "https://SHOP.example.com:443/",
                Ok("https://SHOP.example.com:443/"),
            ),
            (
                "http://shop.example.com/",
                Err(UrlError::Origin("http://shop.example.com".into())),
            ),
            (
                "https://shop.example.com:8443/",
                Err(UrlError::Origin("https://shop.example.com:8443".into())),
            ),
            (
                "https://shop.example.com.evil.example/",
                Err(UrlError::Origin(
                    "https://shop.example.com.evil.example".into(),
                )),
            ),
            (
                "https://evil.example/https://shop.example.com",
                Err(UrlError::Origin("https://evil.example".into())),
            ),
            (
                "https://evil.example\\@shop.example.com/",
                Err(UrlError::Origin("https://evil.example".into())),
            ),
            (
                "https://shop.example.com@evil.example/",
                Err(UrlError::Character),
            ),
            ("https://shop.example.com/\u{7}", Err(UrlError::Character)),
            ("javascript://shop.example.com/", Err(UrlError::NotAbsolute)),
            ("//shop.example.com/", Err(UrlError::NotAbsolute)),
            ("https://", Err(UrlError::NotAbsolute)),
            ("", Err(UrlError::NotAbsolute)),
        ] {
            let found = PageUrl::parse(text, &allowed());
            assert_eq!(
                found,
                expected.map(|url: &str| PageUrl(url.to_owned())),
                "{text}"
            );
        }
        assert_eq!(Origin::parse("https://a.b/c"), Err(UrlError::NotAnOrigin));
    }

    proptest! {
        #[test]
        fn noise_is_never_signed_for_a_foreign_origin(text in ".{0,80}") {
            if let Ok(PageUrl(url)) = PageUrl::parse(&text, &allowed()) {
                let lower = url.to_ascii_lowercase();
                prop_assert!(lower.starts_with("https://shop.example.com") || lower.starts_with("http://mp.weixin.qq.com"));
                prop_assert!(!url.contains('#'));
            }
        }
    }
}
