//! Drafts, and what publishing makes of them.

use serde_json::json;

use super::kit::Desk;
use super::*;

fn article(title: &str) -> Value {
    json!({ "title": title, "content": "<p>文</p>", "thumb_media_id": "P1" })
}

fn add(desk: &mut Desk, title: &str) -> String {
    let made = desk.post(
        "/cgi-bin/draft/add",
        json!({ "articles": [article(title)] }),
    );
    made["media_id"].as_str().expect("an id").to_owned()
}

#[test]
fn an_article_is_checked_before_it_is_a_draft() {
    let mut desk = Desk::open();
    let with = |name: &str, value: Value| {
        let mut article = article("t");
        article[name] = value;
        json!({ "articles": [article] })
    };
    let pictures = |count: usize| {
        let list = vec![json!({ "image_media_id": "P" }); count];
        json!({ "articles": [{
            "article_type": "newspic", "title": "t", "content": "c",
            "image_info": { "image_list": list },
        }] })
    };
    for (name, request, expected) in [
        ("32 characters", with("title", json!("题".repeat(32))), 0),
        (
            "33 characters",
            with("title", json!("题".repeat(33))),
            45003,
        ),
        ("no title", with("title", json!("")), 45003),
        ("a long name", with("author", json!("人".repeat(17))), 40192),
        (
            "a long digest",
            with("digest", json!("摘".repeat(129))),
            45004,
        ),
        ("no content", with("content", json!("")), 45166),
        (
            "20,000 characters",
            with("content", json!("a".repeat(20_000))),
            45002,
        ),
        (
            "19,999 characters",
            with("content", json!("a".repeat(19_999))),
            0,
        ),
        (
            "no web address",
            with("content_source_url", json!("e.com")),
            41039,
        ),
        ("no picture", with("thumb_media_id", json!("")), 40007),
        ("another type", with("article_type", json!("video")), 40008),
        ("twenty pictures", pictures(20), 0),
        ("twenty-one pictures", pictures(21), 40215),
        ("no pictures", pictures(0), 40215),
        ("no articles", json!({ "articles": [] }), 44003),
        (
            "nine articles",
            json!({ "articles": vec![article("t"); 9] }),
            45008,
        ),
    ] {
        assert_eq!(desk.code("/cgi-bin/draft/add", request), expected, "{name}");
    }
    assert_eq!(desk.get("/cgi-bin/draft/count", "")["total_count"], 3);
}

#[test]
fn drafts_are_shown_changed_listed_and_deleted() {
    let mut desk = Desk::open();
    let first = add(&mut desk, "first");
    desk.second = 5;
    let second = add(&mut desk, "second");
    let shown = desk.post("/cgi-bin/draft/get", json!({ "media_id": first }));
    assert_eq!(shown, json!({ "news_item": [article("first")] }));
    let update = |index: i64, articles: Value| json!({ "media_id": first, "index": index, "articles": articles });
    let path = "/cgi-bin/draft/update";
    assert_eq!(desk.code(path, update(1, article("new"))), 40114);
    assert_eq!(desk.code(path, update(0, json!([article("new")]))), 47001);
    assert_eq!(desk.code(path, update(0, article("new"))), 0);
    let list = json!({ "offset": 0, "count": 20, "no_content": 1 });
    let list = desk.post("/cgi-bin/draft/batchget", list);
    assert_eq!(
        (&list["total_count"], &list["item_count"]),
        (&json!(2), &json!(2))
    );
    let titles: Vec<_> = list["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["content"]["news_item"][0].clone())
        .collect();
    let without_content = |title: &str| json!({ "title": title, "thumb_media_id": "P1" });
    assert_eq!(titles, [without_content("second"), without_content("new")]);
    let delete = "/cgi-bin/draft/delete";
    assert_eq!(desk.code(delete, json!({ "media_id": second })), 0);
    assert_eq!(desk.code(delete, json!({ "media_id": second })), 40007);
    assert_eq!(desk.look(Shelf::Drafts).as_array().unwrap().len(), 1);
    assert_eq!(desk.post("/cgi-bin/draft/switch", json!({}))["errcode"], 0);
}

#[test]
fn publishing_takes_its_time_and_makes_an_article_of_the_draft() {
    let mut desk = Desk::of(Settings {
        references: References::Checked,
        ..settings()
    });
    let thumb = desk.upload(
        "/cgi-bin/material/add_material",
        "type=image",
        "a.jpg",
        b"x",
    );
    let mut article = article("t");
    article["thumb_media_id"] = thumb["media_id"].clone();
    let articles = json!({ "articles": [article.clone(), article] });
    let draft = desk.post("/cgi-bin/draft/add", articles);
    let submit = json!({ "media_id": draft["media_id"] });
    let submitted = desk.post("/cgi-bin/freepublish/submit", submit.clone());
    let id = submitted["publish_id"].as_str().unwrap().to_owned();
    let status = |desk: &mut Desk, id: &str| {
        desk.post("/cgi-bin/freepublish/get", json!({ "publish_id": id }))
    };
    assert_eq!(status(&mut desk, &id)["publish_status"], 1);
    desk.second = 2;
    let done = status(&mut desk, &id);
    assert_eq!(
        (&done["publish_status"], &done["article_detail"]["count"]),
        (&json!(0), &json!(2))
    );
    let article_id = done["article_id"].as_str().unwrap().to_owned();
    let event = desk.platform.events_after(0).next().unwrap().clone();
    assert_eq!(event.event, "PUBLISHJOBFINISH");
    let start = format!(
        "<PublishEventInfo><publish_id>{id}</publish_id>\n<publish_status>0</publish_status>\n\
         <article_id><![CDATA[{article_id}]]></article_id>\n<article_detail><count>2</count><item><idx>1</idx>"
    );
    assert!(event.elements.starts_with(&start), "{}", event.elements);
    assert_eq!(
        desk.code("/cgi-bin/freepublish/submit", submit),
        40007,
        "the draft is gone"
    );
    let message = json!({
        "touser": "o", "msgtype": "mpnewsarticle", "mpnewsarticle": { "article_id": article_id },
    });
    let send = "/cgi-bin/message/custom/send";
    assert_eq!(desk.code(send, message.clone()), 0);
    let list = desk.post(
        "/cgi-bin/freepublish/batchget",
        json!({ "offset": 0, "count": 1 }),
    );
    assert_eq!(list["item"][0]["article_id"], json!(article_id));
    let delete = "/cgi-bin/freepublish/delete";
    let order = |index: i64| json!({ "article_id": article_id, "index": index });
    assert_eq!(desk.code(delete, order(3)), 40114);
    assert_eq!(desk.code(delete, order(1)), 0);
    let shown = desk.post(
        "/cgi-bin/freepublish/getarticle",
        json!({ "article_id": article_id }),
    );
    let deleted = &shown["news_item"];
    assert_eq!(
        (&deleted[0]["is_deleted"], &deleted[1]["is_deleted"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(desk.code(delete, order(0)), 0);
    assert_eq!(status(&mut desk, &id)["publish_status"], 5);
    assert_eq!(desk.code(send, message), 53600);
    assert_eq!(
        desk.code("/cgi-bin/freepublish/getarticle", order(0)),
        53600
    );
    assert_eq!(status(&mut desk, "7")["errcode"], 40002);
}

#[test]
fn publishing_fails_as_arranged_and_leaves_the_draft() {
    let mut desk = Desk::open();
    let draft = add(&mut desk, "t");
    desk.arrange(json!({ "next_job": { "kind": "publish", "status": "4" } }));
    let submitted = desk.post("/cgi-bin/freepublish/submit", json!({ "media_id": draft }));
    desk.second = 2;
    let id = submitted["publish_id"].clone();
    let told = desk.post("/cgi-bin/freepublish/get", json!({ "publish_id": id }));
    assert_eq!(
        (&told["publish_status"], &told["fail_idx"]),
        (&json!(4), &json!([1]))
    );
    assert_eq!(
        desk.code("/cgi-bin/draft/get", json!({ "media_id": draft })),
        0
    );
    assert_eq!(desk.look(Shelf::Publications)[0]["publish_status"], 4);
}
