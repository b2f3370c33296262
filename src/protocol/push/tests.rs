use super::*;

const HEADERS: &str = "<ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1718000001</CreateTime>";

fn account(text: &str) -> AppId {
    AppId::parse(text).unwrap()
}

fn parse(inner: &str) -> Result<Push, Malformed> {
    let body = Bytes::from(format!("<xml>{HEADERS}{inner}</xml>"));
    Push::parse(&account("wx1"), &body)
}

fn event(name: &str, more: &str) -> Push {
    parse(&format!(
        "<MsgType>event</MsgType><Event>{name}</Event>{more}"
    ))
    .unwrap()
}

fn key(document: &str) -> DedupeKey {
    Head::read(&account("wx1"), &Bytes::from(document.to_owned())).dedupe_key
}

#[test]
fn a_text_has_all_that_the_platform_tells() {
    let push = parse(
        "<MsgType><![CDATA[Text]]></MsgType><Content><![CDATA[ 满意 ]]></Content><MsgId>24601234567890124</MsgId>\
         <bizmsgmenuid>item-101</bizmsgmenuid><MsgDataId>2651234567</MsgDataId><Idx>2</Idx>",
    )
    .unwrap();
    assert_eq!(
        (push.kind(), push.msg_type(), push.event()),
        (Kind::Message, "Text", None)
    );
    assert_eq!((push.from().as_str(), push.to()), ("o1", "gh_1"));
    assert_eq!(push.create_time(), Some(1_718_000_001));
    assert_eq!(push.msg_id(), Some("24601234567890124"));
    let text = Text::of(&push).unwrap();
    assert_eq!(text.content, " 满意 ");
    assert_eq!(text.bizmsgmenuid.as_deref(), Some("item-101"));
    assert_eq!(
        serde_json::to_string(push.typed()).unwrap(),
        r#"{"content":" 满意 ","bizmsgmenuid":"item-101","msg_data_id":"2651234567","idx":2,"business_id":null}"#
    );
    assert_eq!(Subscribe::of(&push), None);
}

#[test]
fn a_subscription_tells_where_the_user_comes_from() {
    for (name, key, scene, transaction) in [
        ("no key", "", None, None),
        ("empty key", "<EventKey><![CDATA[]]></EventKey>", None, None),
        ("scene", "<EventKey>qrscene_42</EventKey>", Some("42"), None),
        (
            "the prefix once",
            "<EventKey>qrscene_qrscene_a</EventKey>",
            Some("qrscene_a"),
            None,
        ),
        (
            "payment",
            "<EventKey>last_trade_no_7</EventKey>",
            None,
            Some("7"),
        ),
        (
            "product page",
            "<EventKey>scanbarcode|ean13|690</EventKey>",
            None,
            None,
        ),
    ] {
        let push = event("subscribe", key);
        let subscribe = Subscribe::of(&push).unwrap();
        assert_eq!(
            (subscribe.scene(), subscribe.transaction()),
            (scene, transaction),
            "{name}"
        );
    }
}

#[test]
fn event_names_are_compared_without_case_and_kept_as_sent() {
    let click = event("click", "<EventKey>rselfmenu_2_2</EventKey>");
    assert_eq!(
        Click::of(&click).map(|click| click.key.as_str()),
        Some("rselfmenu_2_2")
    );
    assert_eq!(click.event(), Some("click"));
    assert!(matches!(
        event("UnSubscribe", "").typed(),
        Typed::Unsubscribe(_)
    ));
    let unknown = event("some_future_event", "<New><Deep>1</Deep></New>");
    assert_eq!(unknown.typed(), &Typed::Other);
    assert_eq!(serde_json::to_string(unknown.typed()).unwrap(), "null");
}

#[test]
fn a_notice_has_its_info_type_as_event_and_no_user() {
    let body = "<xml><AppId>wx2</AppId><CreateTime>1</CreateTime><InfoType>component_verify_ticket</InfoType><appid>x</appid></xml>";
    let push = Push::parse(&account("wx1"), &Bytes::from_static(body.as_bytes())).unwrap();
    assert_eq!(
        (push.kind(), push.event(), push.msg_type()),
        (Kind::Notice, Some("component_verify_ticket"), "")
    );
    assert_eq!(push.from().as_str(), "");
    assert_eq!(push.fields().get("appid"), Some("x"));
}

#[test]
fn fields_keep_everything_in_order_under_paths_that_name_one_element_each() {
    let push = event(
        "pic_weixin",
        "<SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum>aa</PicMd5Sum></item><item><PicMd5Sum><![CDATA[b\"b]]></PicMd5Sum></item></PicList>\
         <Empty/></SendPicsInfo><material>1</material><x/><material>2</material><Status>s</Status><status>t</status>",
    );
    assert_eq!(
        serde_json::to_string(push.fields()).unwrap(),
        concat!(
            r#"{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":"1718000001","MsgType":"event","Event":"pic_weixin","#,
            r#""SendPicsInfo/Count":"2","SendPicsInfo/PicList/item[0]/PicMd5Sum":"aa","SendPicsInfo/PicList/item[1]/PicMd5Sum":"b\"b","#,
            r#""SendPicsInfo/Empty":"","material[0]":"1","x":"","material[1]":"2","Status":"s","status":"t"}"#
        )
    );
    assert_eq!(
        push.fields().get("SendPicsInfo/PicList/item[1]/PicMd5Sum"),
        Some("b\"b")
    );
    assert_eq!(push.fields().get("SendPicsInfo"), None);
    let wrapped = event("pic_weixin", "<L><item>a</item></L><L><item>b</item></L>");
    assert_eq!(wrapped.fields().get("L[1]/item"), Some("b"));
}

#[test]
fn what_cannot_be_dispatched_is_malformed_with_its_reason_in_head_and_push_alike() {
    for (document, reason) in [
        ("", "the document is not XML with the root element <xml>"),
        ("<!DOCTYPE x><xml/>", "the document has a DOCTYPE"),
        ("<xml></xml>", "the element MsgType is missing"),
        (
            "<xml><MsgType>text</MsgType></xml>",
            "the element FromUserName is missing",
        ),
        (
            "<xml><FromUserName> </FromUserName><MsgType>text</MsgType></xml>",
            "the element FromUserName is missing",
        ),
        (
            "<xml><FromUserName>a</FromUserName><MsgType/><Event>x</Event></xml>",
            "the element MsgType is missing",
        ),
        (
            "<xml><FromUserName>a</FromUserName><MsgType>event</MsgType><Event>a</Event><Event>b</Event></xml>",
            "the element Event stands twice",
        ),
        (
            "<xml><FromUserName>a</FromUserName><MsgType>link</MsgType><FromUserName>b</FromUserName></xml>",
            "the element FromUserName stands twice",
        ),
        (
            "<xml><FromUserName>a</FromUserName><MsgType>text</MsgType><MsgId>1</MsgId><Content>c</Content><MsgId>2</MsgId></xml>",
            "the element MsgId stands twice",
        ),
        (
            "<xml><FromUserName>a</FromUserName><MsgType>event</MsgType><EventKey><b/></EventKey></xml>",
            "the element EventKey holds elements instead of text",
        ),
        (
            "<xml><FromUserName>a</FromUserName><MsgType>location</MsgType><Label><![CDATA[x]]><b/></Label></xml>",
            "the document mixes text and elements before byte 86",
        ),
    ] {
        let body = Bytes::from(document.to_owned());
        let head = Head::read(&account("wx1"), &body);
        assert_eq!(
            (head.kind, head.user.as_str()),
            (Kind::Malformed, ""),
            "{document}"
        );
        assert_eq!(head.malformed.as_deref(), Some(reason), "{document}");
        let error = Push::parse(&account("wx1"), &body).unwrap_err();
        assert_eq!(error.to_string(), reason, "{document}");
    }
}

#[test]
fn content_is_cut_out_of_text_messages_only() {
    let written = "x]]></Content><MsgId>1</MsgId><Content><![CDATA[y";
    let body = |kind: &str| {
        format!("<MsgType>{kind}</MsgType><Content><![CDATA[{written}]]></Content><MsgId>2</MsgId>")
    };
    let push = parse(&body("text")).unwrap();
    assert_eq!(push.fields().get("Content"), Some(written));
    assert_eq!(push.msg_id(), Some("2"));
    let doubled = |name| Err(Malformed::Doubled { name });
    assert_eq!(parse(&body("device_text")), doubled("Content"));
    // The type decides, wherever it stands.
    let push = parse(&format!(
        "<Content><![CDATA[{written}]]></Content><MsgType>text</MsgType>"
    ))
    .unwrap();
    assert_eq!(push.fields().get("Content"), Some(written));
}

#[test]
fn repeats_have_the_same_key_and_different_pushes_different_ones() {
    let message = |id: &str, from: &str, time: &str, content: &str| {
        format!(
            "<xml><FromUserName>{from}</FromUserName><CreateTime>{time}</CreateTime><MsgType>text</MsgType><Content>{content}</Content><MsgId>{id}</MsgId></xml>"
        )
    };
    let event = |name: &str, more: &str| {
        format!(
            "<xml><FromUserName>o1</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>{name}</Event>{more}</xml>"
        )
    };
    let base = message("7", "o1", "1", "a");
    let tap = event("CLICK", "<EventKey>k</EventKey>");
    let card = |id: &str| {
        event(
            "user_get_card",
            &format!("<CardId>c</CardId><UserCardCode>{id}</UserCardCode>"),
        )
    };
    for (name, one, other, same) in [
        ("the message itself", base.clone(), base.clone(), true),
        (
            "spelled otherwise",
            base.clone(),
            base.replace("<MsgId>7<", "<MsgId>\n<![CDATA[7]]><"),
            true,
        ),
        (
            "another id",
            base.clone(),
            message("8", "o1", "1", "a"),
            false,
        ),
        (
            "the same id from another sender",
            base.clone(),
            message("7", "o2", "1", "a"),
            false,
        ),
        (
            "the same id at another time",
            base.clone(),
            message("7", "o1", "2", "a"),
            false,
        ),
        (
            "the same id of another type",
            base.clone(),
            base.replace("<MsgType>text<", "<MsgType>link<"),
            false,
        ),
        (
            "parts that run into each other",
            message("7", "o11", "1", "a"),
            message("7", "o1", "11", "a"),
            false,
        ),
        (
            "messages without id",
            message("", "o1", "1", "a"),
            message("", "o1", "1", "b"),
            false,
        ),
        ("the event itself", tap.clone(), tap.clone(), true),
        (
            "the event with its ciphertext",
            tap.clone(),
            tap.replace("</xml>", "<Encrypt>x</Encrypt></xml>"),
            true,
        ),
        (
            "the event laid out otherwise",
            tap.clone(),
            tap.replace("><", ">\n<"),
            true,
        ),
        (
            "two events of one second",
            tap.clone(),
            event("LOCATION", ""),
            false,
        ),
        (
            "two keys",
            tap.clone(),
            event("CLICK", "<EventKey>l</EventKey>"),
            false,
        ),
        ("a card each", card("1"), card("2"), false),
        (
            "an empty key and none",
            event("subscribe", ""),
            event("subscribe", "<EventKey></EventKey>"),
            false,
        ),
        (
            "texts that move between elements",
            event("e", "<a>1</a><b>23</b>"),
            event("e", "<a>12</a><b>3</b>"),
            false,
        ),
        (
            "elements that move between wrappers",
            event("e", "<l><a>1</a></l><l><a>2</a></l>"),
            event("e", "<l><a>1</a><a>2</a></l>"),
            false,
        ),
        (
            "notices",
            "<xml><InfoType>t</InfoType><Ticket>1</Ticket></xml>".into(),
            "<xml><InfoType>t</InfoType><Ticket>2</Ticket></xml>".into(),
            false,
        ),
        ("the malformed itself", "<xml>".into(), "<xml>".into(), true),
        ("two malformed", "<xml>".into(), "<xml".into(), false),
    ] {
        assert_eq!(key(&one) == key(&other), same, "{name}");
    }
}

#[test]
fn the_same_push_to_two_accounts_is_two() {
    for document in [
        "<xml><FromUserName>o1</FromUserName><MsgType>text</MsgType><MsgId>7</MsgId></xml>",
        "<xml><InfoType>t</InfoType></xml>",
        "broken",
    ] {
        let body = Bytes::from_static(document.as_bytes());
        let keys = ["wx1", "wx2"].map(|id| Head::read(&account(id), &body).dedupe_key);
        assert_ne!(keys[0], keys[1], "{document}");
    }
}

#[test]
fn a_long_event_is_hashed_whole() {
    let long = |tail: &str| {
        format!(
            "<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><a>{}{tail}</a><b>1</b></xml>",
            "x".repeat(5000)
        )
    };
    assert_ne!(key(&long("1")), key(&long("2")));
    assert_eq!(key(&long("1")), key(&long("1")));
}

#[test]
fn results_of_sending_mean_the_same_with_blanks_and_without() {
    let mass = |status: &str| {
        let push = event("MASSSENDJOBFINISH", &format!("<Status>{status}</Status>"));
        let job = MassSendJobFinish::of(&push).unwrap();
        (job.succeeded(), job.failure())
    };
    for (status, expected) in [
        ("send success", (true, None)),
        ("sendsuccess", (true, None)),
        ("send fail", (false, Some(MassSendFailure::Failed))),
        ("err(10001)", (false, Some(MassSendFailure::Advertising))),
        (
            "err(30003)",
            (false, Some(MassSendFailure::Originality(30003))),
        ),
        (
            "ERR( 40002 )",
            (false, Some(MassSendFailure::AdministratorTimeout)),
        ),
        (
            "err(99999)",
            (false, Some(MassSendFailure::Other("err(99999)".into()))),
        ),
        ("", (false, Some(MassSendFailure::Other(String::new())))),
    ] {
        assert_eq!(mass(status), expected, "{status}");
    }
    for (status, expected) in [
        ("success", TemplateOutcome::Delivered),
        ("failed:user block", TemplateOutcome::UserBlocked),
        ("failed: system failed", TemplateOutcome::SystemFailed),
        ("failed:freq limit", TemplateOutcome::FrequencyLimited),
        (
            "failed: Something New",
            TemplateOutcome::Other("failed:somethingnew".into()),
        ),
    ] {
        let push = event(
            "TEMPLATESENDJOBFINISH",
            &format!("<Status>{status}</Status>"),
        );
        let job = TemplateSendJobFinish::of(&push).unwrap();
        assert_eq!(job.outcome(), expected, "{status}");
        assert_eq!(job.succeeded(), status == "success", "{status}");
    }
    for (status, expected) in [
        ("0", PublishStatus::Published),
        ("6", PublishStatus::Banned),
        ("7", PublishStatus::Other(Some(7))),
        ("", PublishStatus::Other(None)),
    ] {
        let info = format!(
            "<PublishEventInfo><publish_status>{status}</publish_status></PublishEventInfo>"
        );
        let push = event("publishjobfinish", &info);
        assert_eq!(
            PublishJobFinish::of(&push).unwrap().status(),
            expected,
            "{status}"
        );
    }
}

#[test]
fn derived_values_say_what_the_platform_means() {
    let push = event(
        "LOCATION",
        "<Latitude>31.2</Latitude><Longitude>121.4</Longitude>",
    );
    let report = LocationReport::of(&push).unwrap();
    assert_eq!(report.coordinates(), Some((31.2, 121.4)));
    let push = event("user_authorization_revoke", "<RevokeInfo>206</RevokeInfo>");
    let revoke = UserAuthorizationRevoke::of(&push).unwrap();
    assert_eq!(revoke.permission(), Permission::Location);
    let push = event(
        "wxa_media_check",
        "<isrisky>1</isrisky><status_code>4294966288</status_code>",
    );
    let check = WxaMediaCheck::of(&push).unwrap();
    assert_eq!((check.error_code(), check.is_risky()), (Some(-1008), true));
    let push = event("weapp_audit_fail", "<ScreenShot>a|b||c</ScreenShot>");
    let fail = WeappAuditFail::of(&push).unwrap();
    assert_eq!(fail.screenshots().collect::<Vec<_>>(), ["a", "b", "c"]);
    for (time, expires) in [
        ("600", Some(1_600)),
        ("1718005601", Some(1_718_005_601)),
        ("", None),
    ] {
        let body = format!(
            "<xml><InfoType>authorized</InfoType><AuthorizationCodeExpiredTime>{time}</AuthorizationCodeExpiredTime></xml>"
        );
        let push = Push::parse(&account("wx1"), &Bytes::from(body)).unwrap();
        assert_eq!(
            Authorized::of(&push).unwrap().code_expires_at(1_000),
            expires,
            "{time}"
        );
    }
}

#[test]
fn a_tap_on_a_menu_message_opens_the_window_of_a_menu() {
    let window = |inner: &str| parse(inner).unwrap().window();
    for (inner, expected) in [
        ("<MsgType>text</MsgType>", Some(Window::Message)),
        (
            "<MsgType>text</MsgType><bizmsgmenuid>1</bizmsgmenuid>",
            Some(Window::Menu),
        ),
        (
            "<MsgType>event</MsgType><Event>scan</Event>",
            Some(Window::Scan),
        ),
        ("<MsgType>event</MsgType><Event>VIEW</Event>", None),
        ("<MsgType>event</MsgType><Event>new</Event>", None),
    ] {
        assert_eq!(window(inner), expected, "{inner}");
    }
}
