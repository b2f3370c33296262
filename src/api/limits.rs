//! How much of the platform's limits is used, and their clearing: the calls that [`Quotas`] needs.

use serde_json::json;

use crate::api::raw::RawCall;
use crate::api::{Api, CallError, RequestError};
use crate::id::AppId;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::{ExchangeError, Repeat};
use crate::quota::{Figures, Question, QuotaKey, Quotas, Span};
use crate::token::mint::{Question as TokenQuestion, Tally};

/// Source: the official page "查询 API 调用额度", read 2026-11.
const FIGURES_PATH: &str = "/cgi-bin/openapi/quota/get";

/// Source: the official page "清空 API 的调用 quota", read 2026-11.
const CLEAR_ALL_PATH: &str = "/cgi-bin/clear_quota";

/// Source: the official page "重置指定 API 调用次数", read 2026-11. Its table wants paths that begin with
/// `/channels/ec/`, its notes take any: it is tried.
const CLEAR_ONE_PATH: &str = "/cgi-bin/openapi/quota/clear";

/// The platform has no numbers of this path, or does not give them to this account.
const UNKNOWN_PATH: [i64; 2] = [76021, 76022];

/// What is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// The calls of one key, from the 50 clears a month that there are for that.
    One(QuotaKey),
    /// All calls of the account, of its other systems too, from the 10 clears a month that are shared
    /// with the console.
    All,
}

impl Tally for Quotas {
    fn counted<'a>(
        &'a self,
        account: &'a AppId,
        path: &'static str,
        question: TokenQuestion<'a>,
    ) -> TokenQuestion<'a> {
        Box::pin(async move {
            let Some(key) = QuotaKey::of_path(path) else {
                return question.await;
            };
            // Beside the question, not before it: a store of counts that hangs costs a token no more than its own limit.
            let ((), answer) = tokio::join!(self.note(account, key), question);
            if let Err(error) = &answer {
                self.failed(account, key, error).await;
            }
            answer
        })
    }
}

impl Api {
    /// The limits that calls are counted against, if they are.
    pub fn quotas(&self) -> Option<&Quotas> {
        self.0.quotas.as_deref()
    }

    /// Asks the platform how much of an API's day is used.
    ///
    /// # Errors
    /// [`CallError`]; 76021 and 76022 say that the platform has no numbers of this path.
    pub async fn figures(&self, account: &AppId, path: &str) -> Result<Figures, CallError> {
        let question = RawCall {
            repeat: Some(Repeat::Harmless),
            ..RawCall::post(FIGURES_PATH, Figures::question(path))
        };
        let answer = self.raw(account, &question).await?;
        Figures::read(&answer.value).map_err(|fault| CallError::Answer {
            fault: fault.into(),
        })
    }

    /// Clears calls: the platform's counts begin anew, and so do ours, for all processes. A clear that
    /// takes effect uses one of the month.
    ///
    /// # Errors
    /// [`CallError::Exhausted`] when the month's clears are used up, and what the platform answered.
    pub async fn clear(&self, account: &AppId, clearing: Clearing) -> Result<(), CallError> {
        let (call, key) = match clearing {
            Clearing::All => {
                let body = json!({ "appid": account.as_str() });
                (RawCall::post(CLEAR_ALL_PATH, body), None)
            }
            Clearing::One(key) => {
                let row = key.row().filter(|row| row.span == Span::Day);
                let path = row.and_then(|row| row.paths.first());
                let path = path.ok_or_else(|| {
                    RequestError::new(
                        key.name(),
                        "is not counted by the day: it cannot be cleared",
                    )
                })?;
                let body = Figures::question(path);
                (RawCall::post(CLEAR_ONE_PATH, body), Some(key))
            }
        };
        self.raw(account, &call).await?;
        match key {
            Some(key) => tracing::warn!(account = %account, quota = %key,
                "The platform cleared the calls of a quota."),
            None => tracing::warn!(account = %account,
                "The platform cleared the calls of all quotas, those of other systems too."),
        }
        if let Some(quotas) = self.quotas()
            && let Err(error) = quotas.cleared(account, key).await
        {
            tracing::warn!(account = %account, error = %error,
                "Other processes do not know of the clear yet: they find it in the platform's numbers.");
        }
        Ok(())
    }

    /// Asks the platform about the keys that are due, one after another, and clears what the operator
    /// wants cleared without a person.
    pub async fn look_after_limits(&self) {
        let Some(quotas) = self.quotas() else {
            return;
        };
        for question in quotas.questions() {
            self.ask_about(quotas, &question).await;
        }
        for (account, key) in quotas.automatic_clears().await {
            self.clear_automatically(&account, key).await;
        }
    }

    async fn ask_about(&self, quotas: &Quotas, question: &Question) {
        let (account, key) = (&question.account, question.key);
        let asked_at = self.0.clock.now();
        match self.figures(account, question.path).await {
            Ok(figures) => quotas.learned(account, key, figures, asked_at).await,
            Err(error) => {
                if is_not_known_there(&error) {
                    quotas.is_not_known_there(account, key);
                }
                tracing::debug!(account = %account, quota = %key, error = %error,
                    "The platform did not tell how much of a quota is used.");
            }
        }
    }

    async fn clear_automatically(&self, account: &AppId, key: QuotaKey) {
        let mut cleared = self.clear(account, Clearing::One(key)).await;
        if matches!(&cleared, Err(error) if is_unknown_path(error)) {
            cleared = self.clear(account, Clearing::All).await;
        }
        if let Err(error) = cleared {
            tracing::error!(account = %account, quota = %key, error = %error,
                "A quota that is to be cleared without a person was not.");
        }
    }
}

fn is_unknown_path(error: &CallError) -> bool {
    error
        .code()
        .is_some_and(|ErrorCode(code)| UNKNOWN_PATH.contains(&code))
}

/// Asking again today would be a call for nothing.
fn is_not_known_there(error: &CallError) -> bool {
    let has_no_such_path =
        |error: &ExchangeError| matches!(error, ExchangeError::Status { status: 404, .. });
    match error {
        CallError::Exchange(error) if has_no_such_path(error) => true,
        error => is_unknown_path(error) || error.code() == Some(ErrorCode(48001)),
    }
}
