//! Values that must not be seen: they have no `Display`, no `Serialize`, and their `Debug` shows a length.
//! The only way out is `expose`, so that a search for that word lists every place where a secret leaves.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

macro_rules! secret_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The raw text.
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// The SHA-256 of the text: names a secret without showing it.
            pub fn digest(&self) -> [u8; 32] {
                Sha256::digest(self.0.as_bytes()).into()
            }

            /// Compares without telling by its duration where the first difference is.
            pub fn matches(&self, claimed: &str) -> bool {
                self.0.as_bytes().ct_eq(claimed.as_bytes()).into()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.matches(&other.0)
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes, redacted)", stringify!($name), self.0.len())
            }
        }
    };
}

secret_text! {
    /// The access_token that calls to the platform carry. At least 512 bytes must be expected.
    AccessToken
}
secret_text! {
    /// The AppSecret with which access tokens are asked for.
    AppSecret
}
secret_text! {
    /// The Token of the console's server configuration (3 to 32 letters and digits), which signs pushes.
    PushToken
}
secret_text! {
    /// The bearer key of the admin listener.
    AdminKey
}
secret_text! {
    /// The bearer key of one client of the token service.
    ClientKey
}
secret_text! {
    /// The address of a server that keeps tokens, with the user and the password in it.
    StoreAddress
}
secret_text! {
    /// A jsapi_ticket or api_ticket (wx_card), with which pages are signed for the JS-SDK.
    JsTicket
}
secret_text! {
    /// A component_verify_ticket, with which a third-party platform asks for its own access token.
    VerifyTicket
}

secret_text! {
    /// A secret of your own handlers: the key of another service. It can be read from `[handlers]` of the
    /// configuration.
    HandlerSecret
}

impl<'de> Deserialize<'de> for HandlerSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The AES key behind an EncodingAESKey: 32 bytes, of which the first 16 are the initialisation vector too.
#[derive(Clone, PartialEq, Eq)]
pub struct AesKey([u8; 32]);

impl AesKey {
    /// Wraps the decoded key.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw key.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(32 bytes, redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_a_length_and_nothing_else() {
        assert_eq!(
            format!("{:?}", AppSecret::new("abc")),
            "AppSecret(3 bytes, redacted)"
        );
        assert_eq!(
            format!("{:?}", AesKey::new([7; 32])),
            "AesKey(32 bytes, redacted)"
        );
    }

    #[test]
    fn a_secret_matches_only_its_whole_text() {
        let key = AdminKey::new("k-1234");
        assert!(key.matches("k-1234"));
        assert!(!key.matches("k-123"));
        assert!(!key.matches("k-1235"));
    }
}
