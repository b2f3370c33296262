//! What the engine knows of the accounts: their names, and the way to call the platform for them.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::api::{self, ApiHandle};
use crate::dispatch::extract::{Context, FromPush, Rejection};
use crate::id::AppId;

/// What the engine knows of the accounts: their names, and the way to call the platform for them.
/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Arc<Known>);

#[derive(Debug, Clone, Default)]
struct Known {
    names: HashMap<AppId, Arc<str>>,
    client: Option<(api::Api, Handle)>,
}

impl Accounts {
    /// Accounts by their configured names. No calls can be made for them.
    pub fn named<N: Into<Arc<str>>>(names: impl IntoIterator<Item = (AppId, N)>) -> Self {
        let names = names.into_iter().map(|(id, name)| (id, name.into()));
        Self(Arc::new(Known {
            names: names.collect(),
            client: None,
        }))
    }

    /// The same; handlers call the platform with this client, whose calls run on `runtime`.
    #[must_use]
    pub fn calling(self, client: api::Api, runtime: Handle) -> Self {
        let names = self.0.names.clone();
        let client = Some((client, runtime));
        Self(Arc::new(Known { names, client }))
    }

    /// The configured name of an account.
    pub(crate) fn name(&self, account: &AppId) -> Option<&Arc<str>> {
        self.0.names.get(account)
    }

    fn api(&self, account: &AppId) -> Option<Api> {
        let (client, runtime) = self.0.client.clone()?;
        Some(Api(ApiHandle::new(client, account.clone(), runtime)))
    }
}

/// WeChat's API in the name of the push's account: every request type of [`wxhook::api`](crate::api),
/// with token, quotas, retries and failover.
///
/// Calls run beside the handler, where connections are kept; dropping the future, as a time-out of the
/// handler does, ends the call. An account without AppSecret can call nothing: the call says so with
/// [`CallError::NoSecret`](crate::api::CallError::NoSecret), which names the setting.
///
/// ```
/// use wxhook::api::user::UserInfo;
/// use wxhook::{Api, Error, OpenId, Router};
///
/// async fn scene(user: OpenId, api: Api) -> Result<String, Error> {
///     let user = api.call(UserInfo::new(user)).await?;
///     Ok(format!("{user:?}"))
/// }
/// let router: Router<()> = Router::new().text("我是谁", scene);
/// ```
#[derive(Debug, Clone)]
pub struct Api(ApiHandle);

impl Deref for Api {
    type Target = ApiHandle;

    fn deref(&self) -> &ApiHandle {
        &self.0
    }
}

impl<S> FromPush<S> for Api {
    fn from_push(context: &Context, _state: &S) -> Result<Self, Rejection> {
        context.accounts().api(context.account()).ok_or_else(|| {
            Rejection::new("no API client was given to this engine: see `Accounts::calling`")
        })
    }
}
