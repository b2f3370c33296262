//! What an account and the platform have agreed on in the console.

use crate::id::AppId;
use crate::protocol::envelope::Cipher;
use crate::secret::{AesKey, PushToken};

/// How the platform sends pushes (消息加解密方式), as the console was told.
///
/// The configuration fixes it; a request cannot choose a weaker one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// 明文: the body is not protected, only the query is signed.
    Plain,
    /// 兼容: the plain document plus its encrypted twin, of which only the twin counts.
    Compatible,
    /// 安全: only the encrypted document.
    Secure,
}

/// The text names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a mode: plain (明文), compatible (兼容) and secure (安全) are")]
pub struct ModeError;

impl Mode {
    /// Every mode, the weakest first.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Compatible, Self::Secure];

    /// The word used everywhere: settings, logs, JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compatible => "compatible",
            Self::Secure => "secure",
        }
    }

    /// The console's word for it.
    pub const fn console_name(self) -> &'static str {
        match self {
            Self::Plain => "明文",
            Self::Compatible => "兼容",
            Self::Secure => "安全",
        }
    }

    /// Reads either name; blanks around it, ASCII case and the console's suffix 模式 do not matter.
    ///
    /// # Errors
    /// [`ModeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ModeError> {
        let text = text.trim();
        let text = text.strip_suffix("模式").unwrap_or(text);
        let named =
            |mode: &Self| text.eq_ignore_ascii_case(mode.name()) || text == mode.console_name();
        Self::ALL.into_iter().find(named).ok_or(ModeError)
    }

    /// Whether bodies are encrypted.
    pub const fn is_encrypted(self) -> bool {
        !matches!(self, Self::Plain)
    }
}

/// A secret that is being replaced: the platform's nodes do not all change at the same moment, so the
/// previous one stays valid until the operator retires it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotating<T> {
    /// Tried first.
    pub current: T,
    /// Tried next.
    pub previous: Option<T>,
}

impl<T> Rotating<T> {
    /// A secret without a predecessor.
    pub const fn only(current: T) -> Self {
        Self {
            current,
            previous: None,
        }
    }

    /// The current one, then the previous one.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (Slot, &T)> {
        let previous = self.previous.iter().map(|secret| (Slot::Previous, secret));
        std::iter::once((Slot::Current, &self.current)).chain(previous)
    }

    pub(crate) fn at(&self, slot: Slot) -> Option<&T> {
        match slot {
            Slot::Current => Some(&self.current),
            Slot::Previous => self.previous.as_ref(),
        }
    }

    fn map<U>(&self, make: impl Fn(&T) -> U) -> Rotating<U> {
        Rotating {
            current: make(&self.current),
            previous: self.previous.as_ref().map(make),
        }
    }
}

/// Which of two secrets was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Current,
    Previous,
}

/// One account's side of the agreement. Immutable, with the key schedules ready.
#[derive(Debug, Clone)]
pub struct Credentials {
    app_id: AppId,
    mode: Mode,
    token: Rotating<PushToken>,
    ciphers: Option<Rotating<Cipher>>,
}

/// Why secrets and mode do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// Secure and compatible mode cannot work without the EncodingAESKey.
    #[error("mode {} needs an EncodingAESKey", mode.name())]
    KeyMissing {
        /// The mode asked for.
        mode: Mode,
    },
    /// An empty token would let anyone sign.
    #[error("the token is empty")]
    TokenEmpty,
}

impl Credentials {
    /// Checks that everything that the mode needs is there. A key in plain mode is allowed: the
    /// console fills one in beside 明文.
    ///
    /// # Errors
    /// [`CredentialsError`], the token's fault first.
    pub fn new(
        app_id: AppId,
        mode: Mode,
        token: Rotating<PushToken>,
        key: Option<Rotating<AesKey>>,
    ) -> Result<Self, CredentialsError> {
        if token.in_order().any(|(_, token)| token.expose().is_empty()) {
            return Err(CredentialsError::TokenEmpty);
        }
        if mode.is_encrypted() && key.is_none() {
            return Err(CredentialsError::KeyMissing { mode });
        }
        Ok(Self {
            app_id,
            mode,
            token,
            ciphers: key.map(|key| key.map(Cipher::new)),
        })
    }

    /// The account's AppID, which is also the receive id inside its envelopes.
    pub fn app_id(&self) -> &AppId {
        &self.app_id
    }

    /// How pushes must arrive.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The tokens that sign.
    pub fn token(&self) -> &Rotating<PushToken> {
        &self.token
    }

    /// The keys that encrypt, with their schedules ready; none in most plain accounts.
    pub fn ciphers(&self) -> Option<&Rotating<Cipher>> {
        self.ciphers.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(mode: Mode, token: &str) -> Result<Credentials, CredentialsError> {
        let account = AppId::parse("wx0123456789abcdef").unwrap();
        Credentials::new(account, mode, Rotating::only(PushToken::new(token)), None)
    }

    #[test]
    fn a_mode_is_read_in_both_languages() {
        for (text, expected) in [
            ("plain", Ok(Mode::Plain)),
            ("明文", Ok(Mode::Plain)),
            ("明文模式", Ok(Mode::Plain)),
            (" Compatible ", Ok(Mode::Compatible)),
            ("兼容", Ok(Mode::Compatible)),
            ("SECURE", Ok(Mode::Secure)),
            ("安全模式", Ok(Mode::Secure)),
            ("safe", Err(ModeError)),
            ("", Err(ModeError)),
        ] {
            assert_eq!(Mode::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn an_encrypted_mode_without_a_key_and_an_empty_token_are_refused() {
        let missing = |mode| CredentialsError::KeyMissing { mode };
        assert_eq!(
            credentials(Mode::Secure, "t0ken").err(),
            Some(missing(Mode::Secure))
        );
        assert_eq!(
            credentials(Mode::Compatible, "t0ken").err(),
            Some(missing(Mode::Compatible))
        );
        assert_eq!(
            credentials(Mode::Plain, "").err(),
            Some(CredentialsError::TokenEmpty)
        );
        assert!(credentials(Mode::Plain, "t0ken").is_ok());
    }
}
