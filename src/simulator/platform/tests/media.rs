//! Files: temporary and permanent ones, and QR codes.

use serde_json::json;

use super::kit::Desk;
use super::*;

const UPLOAD: &str = "/cgi-bin/media/upload";
const ADD: &str = "/cgi-bin/material/add_material";

#[test]
fn an_upload_is_checked_as_strictly_as_the_platform_does() {
    let mut desk = Desk::open();
    let big = vec![7; 10 * 1024 * 1024 + 1];
    for (name, kind, file_name, content, expected) in [
        ("a picture", "image", "a.jpg", &b"x"[..], 0),
        ("10 MB", "image", "a.PNG", &big[1..], 0),
        ("a byte more", "image", "a.png", &big[..], 40009),
        (
            "2 MB of voice and a byte",
            "voice",
            "a.mp3",
            &big[..2 * 1024 * 1024 + 1],
            40010,
        ),
        ("a film too long", "video", "a.mp4", &big[..], 40011),
        ("64 KB", "thumb", "a.jpg", &big[..64 * 1024], 0),
        (
            "a byte more",
            "thumb",
            "a.jpg",
            &big[..64 * 1024 + 1],
            40012,
        ),
        ("another format", "image", "a.bmp", b"x", 40005),
        ("no format", "image", "a", b"x", 40005),
        ("no name", "image", "", b"x", 41005),
        ("no content", "image", "a.jpg", b"", 41005),
        ("no such kind", "picture", "a.jpg", b"x", 40004),
    ] {
        let answer = desk.upload(UPLOAD, &format!("type={kind}"), file_name, content);
        assert_eq!(answer["errcode"].as_i64().unwrap_or(0), expected, "{name}");
    }
    let query = format!("access_token={}&type=image", desk.token);
    let wrong = |body: &str| Call {
        content_type: "multipart/form-data; boundary=b".into(),
        ..post(UPLOAD, &query, body)
    };
    let other_field = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nx\r\n--b--";
    let no_file_name = "--b\r\nContent-Disposition: form-data; name=\"media\"\r\n\r\nx\r\n--b--";
    for body in [other_field, no_file_name, "x", ""] {
        let call = wrong(body);
        assert_eq!(desk.answer(&call).code, Some(41005), "{body}");
    }
}

#[test]
fn temporary_media_come_back_byte_for_byte_for_three_days() {
    let mut desk = Desk::open();
    let made = desk.upload(UPLOAD, "type=voice", "声音.amr", b"#!AMR\n\x00\xff");
    assert_eq!(
        (&made["type"], &made["created_at"]),
        (&json!("voice"), &json!(NOON))
    );
    let id = made["media_id"].as_str().unwrap().to_owned();
    let call = desk.get_call("/cgi-bin/media/get", &format!("media_id={id}"));
    desk.second = MEDIA_SECONDS - 1;
    let answer = desk.answer(&call);
    let file = File {
        name: Some(format!("{id}.amr")),
        content: Bytes::from_static(b"#!AMR\n\x00\xff"),
    };
    assert_eq!(
        (answer.content_type, answer.file),
        ("audio/amr", Some(file))
    );
    // As the JS-SDK's voices come, too: under another type, and voices alone.
    let voice = desk.get_call("/cgi-bin/media/get/jssdk", &format!("media_id={id}"));
    let answer = desk.answer(&voice);
    let content = answer.file.map(|file| file.content);
    assert_eq!(
        (answer.content_type, content),
        ("audio/speex", Some(Bytes::from_static(b"#!AMR\n\x00\xff")))
    );
    assert_eq!(desk.look(Shelf::Media)[0]["file_name"], "声音.amr");
    desk.second = MEDIA_SECONDS;
    assert_eq!(desk.answer(&call).code, Some(40007));
    assert_eq!(desk.look(Shelf::Media), json!([]));
    let picture = desk.upload(UPLOAD, "type=image", "a.png", b"p");
    let picture = format!("media_id={}", picture["media_id"].as_str().unwrap());
    let no_voice = desk.get_call("/cgi-bin/media/get/jssdk", &picture);
    assert_eq!(desk.answer(&no_voice).code, Some(40007));
    let nothing = desk.get_call("/cgi-bin/media/get", "");
    assert_eq!(desk.answer(&nothing).code, Some(41006));
    let mut odd = Desk::of(Settings {
        media_errors_as_text: true,
        ..settings()
    });
    let call = odd.get_call("/cgi-bin/media/get", "media_id=m");
    let answer = odd.answer(&call);
    assert_eq!(
        (answer.content_type, answer.code),
        ("text/plain", Some(40007))
    );
}

#[test]
fn a_film_is_got_from_its_address_and_without_an_access_token() {
    let mut desk = Desk::open();
    let made = desk.upload(UPLOAD, "type=video", "a.mp4", b"film");
    let id = made["media_id"].as_str().unwrap();
    let told = desk.get("/cgi-bin/media/get", &format!("media_id={id}"));
    let url = told["video_url"].as_str().unwrap().to_owned();
    let (path, query) = url
        .strip_prefix("http://wechat.test:80")
        .and_then(|rest| rest.split_once('?'))
        .unwrap();
    let call = |query: &str| Call {
        method: "GET".into(),
        path: path.into(),
        query: query.into(),
        ..Call::default()
    };
    let film = desk.answer(&call(query));
    assert_eq!(film.file.unwrap().content, &b"film"[..]);
    let with_token = format!("{query}&access_token={}", desk.token);
    for (query, status) in [(with_token.as_str(), 403), ("vid=x", 404), ("", 404)] {
        assert_eq!(desk.answer(&call(query)).status, status, "{query}");
    }
    let thumb = desk.upload(UPLOAD, "type=thumb", "a.jpg", b"small");
    assert!(
        thumb["thumb_media_id"].is_string() && thumb["media_id"].is_null(),
        "{thumb}"
    );
}

#[test]
fn the_library_counts_lists_and_deletes_what_it_was_given() {
    let library = LibraryLimits {
        images: 3,
        others: 1,
        ..LibraryLimits::default()
    };
    let mut desk = Desk::of(Settings {
        library,
        ..settings()
    });
    let mut images = Vec::new();
    for name in ["a.bmp", "b.jpg", "c.png"] {
        desk.second += 1;
        let added = desk.upload(ADD, "type=image", name, name.as_bytes());
        assert!(
            added["url"]
                .as_str()
                .unwrap()
                .starts_with("http://mmbiz.qpic.cn/"),
            "{added}"
        );
        images.push(added["media_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        desk.upload(ADD, "type=image", "d.png", b"d")["errcode"],
        45074
    );
    let description = r#"{"title":"片","introduction":"好看"}"#;
    let film = desk.upload_call(ADD, "type=video", "f.mp4", b"film", Some(description));
    let film: Value = serde_json::from_str(&desk.answer(&film).body).unwrap();
    let film = film["media_id"].as_str().unwrap().to_owned();
    assert_eq!(
        desk.upload(ADD, "type=video", "g.mp4", b"g")["errcode"],
        47001
    );
    let counts = desk.get("/cgi-bin/material/get_materialcount", "");
    let expected = json!({ "voice_count": 0, "video_count": 1, "image_count": 3, "news_count": 0 });
    assert_eq!(counts, expected);
    let list = "/cgi-bin/material/batchget_material";
    let page = desk.post(list, json!({ "type": "image", "offset": 1, "count": 1 }));
    assert_eq!(
        (&page["total_count"], &page["item_count"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(
        page["item"][0]["media_id"],
        json!(images[1]),
        "newest first"
    );
    assert_eq!(page["item"][0]["name"], "b.jpg");
    for (name, body, expected) in [
        ("no count", json!({ "type": "image", "offset": 0 }), 45165),
        (
            "21",
            json!({ "type": "image", "offset": 0, "count": 21 }),
            45165,
        ),
        (
            "no such kind",
            json!({ "type": "thumb", "offset": 0, "count": 1 }),
            40004,
        ),
    ] {
        assert_eq!(desk.code(list, body), expected, "{name}");
    }
    let show = "/cgi-bin/material/get_material";
    let told = desk.post(show, json!({ "media_id": film }));
    assert_eq!(
        (&told["title"], &told["description"]),
        (&json!("片"), &json!("好看"))
    );
    assert!(told["down_url"].as_str().unwrap().contains(&film));
    let call = |desk: &Desk, id: &str| {
        let body = json!({ "media_id": id }).to_string();
        post(show, &format!("access_token={}", desk.token), &body)
    };
    let picture = call(&desk, &images[0]);
    let answer = desk.answer(&picture);
    assert_eq!(
        (answer.content_type, answer.file.unwrap().content),
        ("image/bmp", "a.bmp".into())
    );
    let delete = "/cgi-bin/material/del_material";
    assert_eq!(desk.code(delete, json!({ "media_id": images[0] })), 0);
    assert_eq!(desk.code(delete, json!({ "media_id": images[0] })), 40007);
    assert_eq!(desk.answer(&picture).code, Some(40007));
    assert_eq!(
        desk.upload(ADD, "type=image", "d.png", b"d")["errcode"],
        Value::Null
    );
    assert_eq!(desk.look(Shelf::Library).as_array().unwrap().len(), 4);
}

#[test]
fn a_picture_for_articles_is_smaller_than_a_megabyte_and_not_in_the_library() {
    let mut desk = Desk::open();
    let path = "/cgi-bin/media/uploadimg";
    let megabyte = vec![1; MAX_ARTICLE_IMAGE_BYTES];
    assert!(desk.upload(path, "", "a.png", &megabyte[1..])["url"].is_string());
    assert_eq!(desk.upload(path, "", "a.png", &megabyte)["errcode"], 40009);
    assert_eq!(desk.upload(path, "", "a.gif", b"x")["errcode"], 40005);
    assert_eq!(desk.look(Shelf::Library), json!([]));
}

#[test]
fn media_that_a_message_names_must_exist_and_be_of_its_kind_when_that_is_checked() {
    let mut desk = Desk::of(Settings {
        references: References::Checked,
        ..settings()
    });
    let made = |answer: Value| {
        let id = answer["media_id"]
            .as_str()
            .or(answer["thumb_media_id"].as_str());
        id.unwrap().to_owned()
    };
    let image = made(desk.upload(UPLOAD, "type=image", "a.jpg", b"x"));
    let voice = made(desk.upload(UPLOAD, "type=voice", "a.amr", b"x"));
    let video = made(desk.upload(UPLOAD, "type=video", "a.mp4", b"x"));
    let thumb = made(desk.upload(UPLOAD, "type=thumb", "a.jpg", b"x"));
    let kept = made(desk.upload(ADD, "type=image", "a.jpg", b"x"));
    let check = |desk: &mut Desk, kind: &str, branch: Value| {
        let message = json!({ "touser": "o", "msgtype": kind, kind: branch });
        desk.code("/cgi-bin/message/custom/send", message)
    };
    for (name, kind, branch, expected) in [
        ("a picture", "image", json!({ "media_id": image }), 0),
        (
            "a permanent picture",
            "image",
            json!({ "media_id": kept }),
            0,
        ),
        (
            "a recording as a picture",
            "image",
            json!({ "media_id": voice }),
            40004,
        ),
        ("nothing", "image", json!({ "media_id": "m" }), 40007),
        ("a recording", "voice", json!({ "media_id": voice }), 0),
        (
            "a film",
            "video",
            json!({ "media_id": video, "thumb_media_id": thumb }),
            0,
        ),
        (
            "a film without its picture",
            "video",
            json!({ "media_id": video, "thumb_media_id": "t" }),
            40007,
        ),
        (
            "a film as its own picture",
            "video",
            json!({ "media_id": video, "thumb_media_id": video }),
            40004,
        ),
    ] {
        assert_eq!(check(&mut desk, kind, branch), expected, "{name}");
    }
    desk.second = MEDIA_SECONDS;
    assert_eq!(
        check(&mut desk, "image", json!({ "media_id": image })),
        40007
    );
    assert_eq!(check(&mut desk, "image", json!({ "media_id": kept })), 0);
    let menu =
        |id: &str| json!({ "button": [{ "type": "media_id", "name": "m", "media_id": id }] });
    assert_eq!(desk.code("/cgi-bin/menu/create", menu(&kept)), 0);
    assert_eq!(desk.code("/cgi-bin/menu/create", menu(&image)), 40007);
}

#[test]
fn a_code_is_made_for_a_scene_and_shown_until_it_ends() {
    let mut desk = Desk::open();
    let path = "/cgi-bin/qrcode/create";
    let id = |action: &str, scene: i64| json!({ "action_name": action, "action_info": { "scene": { "scene_id": scene } } });
    let words = |action: &str, scene: &str| json!({ "action_name": action, "action_info": { "scene": { "scene_str": scene } } });
    let lasting = |seconds: i64| {
        let mut request = id("QR_SCENE", 1);
        request["expire_seconds"] = seconds.into();
        request
    };
    for (name, request, expected) in [
        ("a number", id("QR_SCENE", 4_294_967_295), 0),
        ("a number too large", id("QR_SCENE", 4_294_967_296), 40053),
        ("zero", id("QR_SCENE", 0), 40053),
        ("a permanent number", id("QR_LIMIT_SCENE", 100_000), 0),
        (
            "a permanent number too large",
            id("QR_LIMIT_SCENE", 100_001),
            40053,
        ),
        ("64 characters", words("QR_STR_SCENE", &"店".repeat(64)), 0),
        (
            "65 characters",
            words("QR_LIMIT_STR_SCENE", &"店".repeat(65)),
            40053,
        ),
        ("a number for words", id("QR_STR_SCENE", 1), 40053),
        ("no such action", id("QR", 1), 40052),
        ("thirty days", lasting(MAX_QR_SECONDS), 0),
        ("a second more", lasting(MAX_QR_SECONDS + 1), 40053),
        ("no time at all", lasting(0), 40053),
    ] {
        assert_eq!(desk.code(path, request), expected, "{name}");
    }
    let made = desk.post(path, words("QR_STR_SCENE", "shop-7"));
    assert_eq!(made["expire_seconds"], DEFAULT_QR_SECONDS);
    let show = |ticket: &Value| {
        let ticket = ticket.as_str().unwrap().replace('/', "%2F");
        let ticket = ticket.replace('+', "%2B").replace('=', "%3D");
        Call {
            method: "GET".into(),
            path: "/cgi-bin/showqrcode".into(),
            query: format!("ticket={ticket}"),
            ..Call::default()
        }
    };
    let temporary = show(&made["ticket"]);
    let answer = desk.answer(&temporary);
    let picture = answer.file.expect("a picture").content;
    assert_eq!(answer.content_type, "image/jpg");
    assert_eq!(
        (&picture[..2], &picture[picture.len() - 2..]),
        (&[0xff, 0xd8][..], &[0xff, 0xd9][..])
    );
    let forever = desk.post(path, words("QR_LIMIT_STR_SCENE", "desk-1"));
    assert_eq!(
        desk.post(path, words("QR_LIMIT_STR_SCENE", "desk-1")),
        forever
    );
    desk.second = DEFAULT_QR_SECONDS;
    assert_eq!(desk.answer(&temporary).status, 404);
    assert_eq!(desk.answer(&show(&forever["ticket"])).status, 200);
    let known = desk.look(Shelf::Codes);
    assert!(
        known
            .as_array()
            .unwrap()
            .iter()
            .any(|code| code["scene"] == "shop-7")
    );
}

#[test]
fn a_scan_is_pushed_and_opens_the_window_and_is_remembered_of_whoever_came_by_it() {
    let mut settings = settings();
    settings.windows = Windows::On;
    settings.accounts[0].users = Users::Known([OpenId::new("oOld")].into());
    let mut desk = Desk::of(settings);
    let code = |desk: &mut Desk, action: &str, scene: Value| {
        let made = desk.post(
            "/cgi-bin/qrcode/create",
            json!({ "action_name": action, "action_info": { "scene": scene } }),
        );
        made["ticket"].as_str().unwrap().to_owned()
    };
    let number = code(&mut desk, "QR_LIMIT_SCENE", json!({ "scene_id": 7 }));
    let words = code(&mut desk, "QR_LIMIT_STR_SCENE", json!({ "scene_str": "7" }));
    assert_ne!(number, words, "the text 7 is not the number 7");
    let short = code(&mut desk, "QR_STR_SCENE", json!({ "scene_str": "desk" }));
    let write = |desk: &mut Desk, user: &str| {
        let message = json!({ "touser": user, "msgtype": "text", "text": { "content": "a" } });
        desk.code("/cgi-bin/message/custom/send", message)
    };
    assert_eq!(write(&mut desk, "oOld"), 45015);
    for (user, ticket) in [("oOld", &number), ("oNew", &words), ("oNewer", &number)] {
        desk.arrange(json!({ "scan": { "openid": user, "ticket": ticket } }));
    }
    assert_eq!((write(&mut desk, "oOld"), write(&mut desk, "oNew")), (0, 0));

    let told: Vec<_> = desk
        .platform
        .events_after(0)
        .map(|event| {
            let key = event.elements.split_once("\n").unwrap().0.to_owned();
            (event.event.clone(), event.from_user.clone(), key)
        })
        .collect();
    let expected = [
        ("SCAN", "oOld", "<EventKey><![CDATA[7]]></EventKey>"),
        (
            "subscribe",
            "oNew",
            "<EventKey><![CDATA[qrscene_7]]></EventKey>",
        ),
        (
            "subscribe",
            "oNewer",
            "<EventKey><![CDATA[qrscene_7]]></EventKey>",
        ),
    ];
    assert_eq!(
        told,
        expected.map(|(event, user, key)| (event.to_owned(), user.to_owned(), key.to_owned()))
    );
    let came = |desk: &mut Desk, user: &str| {
        let told = desk.get("/cgi-bin/user/info", &format!("openid={user}"));
        let names = ["subscribe_scene", "qr_scene", "qr_scene_str"];
        names.map(|name| told[name].clone())
    };
    let by_code = "ADD_SCENE_QR_CODE";
    assert_eq!(
        came(&mut desk, "oNew"),
        [json!(by_code), json!(0), json!("7")]
    );
    assert_eq!(
        came(&mut desk, "oNewer"),
        [json!(by_code), json!(7), json!("")]
    );
    assert_eq!(
        came(&mut desk, "oOld"),
        [json!("ADD_SCENE_OTHERS"), json!(0), json!("")]
    );

    let mut refused = |second: i64, user: &str, ticket: &str| {
        let scan = Arrangement::Scan {
            openid: user.into(),
            ticket: ticket.into(),
        };
        desk.platform.arrange(at(second), None, scan).unwrap_err()
    };
    assert_eq!(refused(0, "oOld", "gQmadeUp"), InspectionError::Ticket);
    assert_eq!(
        refused(DEFAULT_QR_SECONDS, "oOld", &short),
        InspectionError::Ticket
    );
    for nobody in ["", &"o".repeat(129)] {
        let expected = InspectionError::User(nobody.to_owned());
        assert_eq!(refused(0, nobody, &number), expected);
    }
    assert_eq!(desk.platform.events_after(0).count(), 3);
}
