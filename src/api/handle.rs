//! The client for code that runs elsewhere: handlers have a runtime of their own.

use std::fmt;

use tokio::runtime::Handle;

use crate::api::endpoint::Endpoint;
use crate::api::raw::RawCall;
use crate::api::{Api, CallError};
use crate::id::AppId;
use crate::platform::exchange::Answer;

/// The client in one account's name, usable from any thread: calls run where connections are kept.
#[derive(Clone)]
pub struct ApiHandle {
    api: Api,
    account: AppId,
    runtime: Handle,
}

impl fmt::Debug for ApiHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiHandle")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Ends the call when the one who waits for it goes away.
struct Running<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ApiHandle {
    /// A handle that makes its calls on `runtime`.
    pub const fn new(api: Api, account: AppId, runtime: Handle) -> Self {
        Self {
            api,
            account,
            runtime,
        }
    }

    /// The account in whose name calls are made.
    pub const fn account(&self) -> &AppId {
        &self.account
    }

    /// As [`Api::call`]. Dropping the future ends the call.
    ///
    /// # Errors
    /// As [`Api::call`]; [`CallError::Stopped`] when the runtime ends meanwhile.
    pub async fn call<E: Endpoint + 'static>(&self, request: E) -> Result<E::Response, CallError>
    where
        E::Response: 'static,
    {
        let (api, account) = (self.api.clone(), self.account.clone());
        self.run(async move { api.call(&account, &request).await })
            .await
    }

    /// As [`Api::raw`]. Dropping the future ends the call.
    ///
    /// # Errors
    /// As [`Api::raw`]; [`CallError::Stopped`] when the runtime ends meanwhile.
    pub async fn raw(&self, call: RawCall) -> Result<Answer, CallError> {
        let (api, account) = (self.api.clone(), self.account.clone());
        self.run(async move { api.raw(&account, &call).await })
            .await
    }

    /// The client and the account, for a call that has no request type.
    pub(crate) fn parts(&self) -> (Api, AppId) {
        (self.api.clone(), self.account.clone())
    }

    /// Runs a call where connections are kept. Dropping the future ends it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        let mut running = Running(self.runtime.spawn(call));
        match (&mut running.0).await {
            Ok(outcome) => outcome,
            Err(_gone) => Err(CallError::Stopped),
        }
    }
}
