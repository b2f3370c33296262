//! Who may ask the admin listener for what: the admin key, and the clients with rights of their own.

use std::fmt;

use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use crate::id::AppId;
use crate::secret::{AdminKey, ClientKey};

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Read access tokens.
    ReadToken,
    /// Report access tokens that the platform refused.
    ReportToken,
    /// Have pages and cards signed for the JS-SDK.
    JsSdk,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 3] = [Self::ReadToken, Self::ReportToken, Self::JsSdk];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadToken => "token:read",
            Self::ReportToken => "token:report",
            Self::JsSdk => "jssdk",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A client of the token service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name in the configuration, which the audit shows.
    pub name: String,
    /// Its key.
    pub key: ClientKey,
    /// What it may do.
    pub rights: Vec<Right>,
    /// For which accounts; `None` is for all.
    pub accounts: Option<Vec<AppId>>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller<'a> {
    /// Whoever has the admin key: may do everything.
    Admin,
    /// A client.
    Client(&'a Client),
}

impl Caller<'_> {
    /// The name for the audit.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Admin => "admin",
            Self::Client(client) => &client.name,
        }
    }

    pub(super) fn may(&self, right: Right) -> bool {
        match self {
            Self::Admin => true,
            Self::Client(client) => client.rights.contains(&right),
        }
    }

    /// Whether the caller may ask about this account. One that is limited to some accounts is not
    /// told which others there are.
    pub(super) fn may_use(&self, account: Option<&AppId>) -> bool {
        match self {
            Self::Admin | Self::Client(Client { accounts: None, .. }) => true,
            Self::Client(Client {
                accounts: Some(allowed),
                ..
            }) => account.is_some_and(|account| allowed.contains(account)),
        }
    }
}

/// All keys, by their digests: so that neither the length of a key nor its place in the list can be
/// told from how long a comparison takes.
pub(super) struct Keyring {
    digests: Vec<[u8; 32]>,
    clients: Vec<Client>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    pub(super) fn new(admin: &AdminKey, clients: Vec<Client>) -> Self {
        let digests = clients.iter().map(|client| client.key.digest());
        Self {
            digests: std::iter::once(admin.digest()).chain(digests).collect(),
            clients,
        }
    }

    /// Whose key this is. Compares with every key, wherever a match is found.
    pub(super) fn caller(&self, claimed: &str) -> Option<Caller<'_>> {
        let claimed = ClientKey::new(claimed).digest();
        let mut place = u32::MAX;
        for (index, digest) in (0u32..).zip(&self.digests) {
            place.conditional_assign(&index, digest.ct_eq(&claimed));
        }
        match place {
            u32::MAX => None,
            0 => Some(Caller::Admin),
            place => {
                let index = usize::try_from(place - 1).ok()?;
                self.clients.get(index).map(Caller::Client)
            }
        }
    }
}
