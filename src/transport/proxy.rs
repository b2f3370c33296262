//! The way out: a proxy between this machine and the platform, whose address the whitelist names.

use std::fmt;

use reqwest::Url;

/// A proxy through which all calls go: `http://user:password@host:port`, or https, socks5, socks5h.
///
/// Proxies that the environment names (`HTTPS_PROXY`, …) are *not* used: where the calls come from
/// decides whether the platform takes them, so it stands in the configuration or nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct EgressProxy {
    url: Url,
}

/// Why a text is not a proxy. Never shows the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The text is no URL.
    #[error("is not a URL: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The scheme is one that is not spoken.
    #[error("has a scheme that is not spoken; http, https, socks5 and socks5h are")]
    Scheme,
    /// There is more in it than scheme, user, password, name and port.
    #[error("has a path, a query or a fragment")]
    Surplus,
}

impl EgressProxy {
    /// Reads a proxy's URL. With socks5 this machine resolves names, with socks5h the proxy does.
    ///
    /// # Errors
    /// [`ProxyError`] says what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(text.trim()).map_err(|error| ProxyError::Unreadable {
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
            return Err(ProxyError::Scheme);
        }
        if !url.has_host() {
            let reason = "empty host".to_owned();
            return Err(ProxyError::Unreadable { reason });
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Surplus);
        }
        Ok(Self { url })
    }

    /// The whole URL, password included: for the connection alone.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// A text without the password, should a library have put it there.
    pub(super) fn scrubbed(&self, text: String) -> String {
        match self.url.password() {
            Some(password) if !password.is_empty() => text.replace(password, "[redacted]"),
            _ => text,
        }
    }
}

impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if !self.url.username().is_empty() {
            "…@"
        } else {
            ""
        };
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        write!(f, "EgressProxy({scheme}://{user}{host}")?;
        match self.url.port_or_known_default() {
            Some(port) => write!(f, ":{port})"),
            None => f.write_str(")"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_shown_without_its_user() {
        for (text, shown) in [
            ("http://10.0.0.3:3128", "EgressProxy(http://10.0.0.3:3128)"),
            (
                " https://egress.example ",
                "EgressProxy(https://egress.example:443)",
            ),
            (
                "http://me:hunter2@egress.example:8080/",
                "EgressProxy(http://…@egress.example:8080)",
            ),
            (
                "socks5://me:hunter2@[::1]:1080",
                "EgressProxy(socks5://…@[::1]:1080)",
            ),
            (
                "socks5h://egress.example",
                "EgressProxy(socks5h://egress.example)",
            ),
        ] {
            assert_eq!(format!("{:?}", EgressProxy::parse(text).unwrap()), shown);
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_shown() {
        for text in [
            "",
            "me:hunter2@egress.example",
            "ftp://me:hunter2@egress.example",
            "http://me:hunter2@egress.example/path",
            "http://me:hunter2@egress.example?x=1",
            "http://me:hunter2@egress.example:99999",
        ] {
            let error = EgressProxy::parse(text).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
}
