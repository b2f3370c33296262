//! Handlers that answer with templates, on the engine.

use serde_json::json;
use wxhook::dispatch::{Answer, Bundle, Router};
use wxhook::store::PushState;
use wxhook::template::Files;
use wxhook::{Content, Render};

use super::kit::{House, quick};

fn bundle<const N: usize>(files: [(&str, &str); N]) -> Bundle {
    Bundle::compile(&Files::of(files), None, "rules.toml", &[]).unwrap()
}

async fn ordered(Content(text): Content) -> Vec<Answer> {
    vec![
        Answer::Render(Render::new("sent.txt", json!({ "order": text }))),
        Answer::Message("谢谢".into()),
    ]
}

#[tokio::test]
async fn a_handler_answers_with_templates_and_messages_in_its_order() {
    let house = House::new();
    house.bundles.swap(bundle([(
        "sent.txt",
        "{# needs: order #}{{ user.openid }}: {{ order }} 已发货\n",
    )]));
    let open = house.engine(Router::new().fallback(ordered), (), quick());
    house.text("a", "1001").await;
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["a: 1001 已发货", "谢谢"]);
}

#[tokio::test]
async fn a_template_that_comes_to_nothing_sendable_makes_its_push_dead_with_the_reason_and_sends_nothing()
 {
    let house = House::new();
    house.bundles.swap(bundle([
        ("sent.txt", "{# needs: order, eta #}{{ order }}{{ eta }}"),
        ("scene.txt", "\n{{ push.scene }}"),
    ]));
    async fn scene() -> (&'static str, Render) {
        ("before", Render::new("scene.txt", ()))
    }
    async fn gone() -> Option<Render> {
        Some(Render::new("scenes.txt", ()))
    }
    let router = Router::new()
        .text("scene", scene)
        .text("gone", gone)
        .fallback(ordered);
    let open = house.engine(router, (), quick());
    for (text, reason) in [
        ("1001", "sent.txt:1: needs \"eta\", which was not given"),
        ("scene", "scene.txt:2: `push.scene` is undefined"),
        (
            "gone",
            "there is no template \"scenes.txt\"; did you mean \"scene.txt\"?",
        ),
    ] {
        let id = house.text("a", text).await;
        let story = house.until(id, PushState::Dead).await;
        let error = story.attempts[0].1.error.clone().unwrap_or_default();
        assert!(error.contains(reason), "{text}: {error}");
        assert_eq!(
            story.attempts.len(),
            1,
            "trying again does not mend a template"
        );
    }
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.calls(), [] as [String; 0]);
}

#[tokio::test]
async fn an_attempt_that_has_begun_is_worded_by_the_bundle_of_its_beginning() {
    let house = House::new();
    house.bundles.swap(bundle([("a.txt", "old")]));
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let begun = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let (opened, told) = (gate.clone(), begun.clone());
    let slow = move || {
        let (opened, told) = (opened.clone(), told.clone());
        async move {
            told.add_permits(1);
            opened.acquire().await.unwrap().forget();
            Render::new("a.txt", ())
        }
    };
    let open = house.engine(Router::new().fallback(slow), (), quick());
    house.text("a", "x").await;
    begun.acquire().await.unwrap().forget();
    house.bundles.swap(bundle([("a.txt", "new")]));
    gate.add_permits(2);
    house.settled().await;
    house.text("a", "y").await;
    house.settled().await;
    assert!(open.stop().await.clean);
    assert_eq!(house.platform.texts("a"), ["old", "new"]);
}
