//! Handlers that call the platform in the name of their push's account.

use std::sync::Arc;

use tokio::runtime::Handle;
use wxhook::api::user::UserInfo;
use wxhook::api::{self, ApiParts, CallError, Settings};
use wxhook::clock::SystemClock;
use wxhook::dispatch::Accounts;
use wxhook::platform::Platform;
use wxhook::platform::hosts::Hosts;
use wxhook::store::PushState;
use wxhook::transport::{self, HttpTransport};
use wxhook::{Api, Error, OpenId, Router};

use super::kit::{House, account, quick};
use crate::api::played::play;

async fn who(user: OpenId, api: Api) -> Result<String, Error> {
    let known = api.call(UserInfo::new(user)).await?;
    Ok(format!("{} is {}", api.account(), known.openid))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_calls_the_api_in_the_name_of_its_pushs_account() {
    let play = play();
    let mut house = House::new();
    house.accounts =
        Accounts::named([(account(), "default")]).calling(play.api.clone(), Handle::current());
    assert_eq!(play.account, account());
    let open = house.engine(Router::<()>::new().fallback(who), (), quick());
    let id = house.text("oUser", "who am I").await;
    house.until(id, PushState::Done).await;
    assert!(open.stop().await.clean);
    let expected = format!("{} is oUser", account());
    assert_eq!(house.platform.texts("oUser"), [expected]);
}

/// A client of accounts that only receive.
fn without_secrets() -> api::Api {
    let clock = Arc::new(SystemClock::start());
    let transport = HttpTransport::new(&transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    });
    let hosts = Arc::new(Hosts::parse(["http://127.0.0.1:9"]).unwrap());
    let platform = Platform::new(transport.unwrap(), hosts, clock.clone());
    api::Api::new(ApiParts {
        platform: Arc::new(platform),
        sources: Vec::new(),
        tickets: None,
        clock,
        quotas: None,
        settings: Settings::default(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_without_appsecret_is_told_which_setting_it_lacks() {
    async fn handler(user: OpenId, api: Api) -> Result<(), Error> {
        match api.call(UserInfo::new(user)).await {
            Err(error @ CallError::NoSecret { .. }) => Err(Error::from(error).give_up()),
            other => panic!("{other:?}"),
        }
    }
    let mut house = House::new();
    house.accounts = Accounts::default().calling(without_secrets(), Handle::current());
    let open = house.engine(Router::<()>::new().fallback(handler), (), quick());
    let id = house.text("oUser", "hello").await;
    let story = house.until(id, PushState::Dead).await;
    let reason = story.push.reason.unwrap();
    assert!(
        reason.contains("has no AppSecret") && reason.contains("WECHAT_APP_SECRET"),
        "{reason}"
    );
    assert!(open.stop().await.clean);
}
