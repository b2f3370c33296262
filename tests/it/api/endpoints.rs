//! Every endpoint asks as its request fixture says, and understands its response fixture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use wxhook::api::customer_service::{
    AddAccount, CloseSession, CreateSession, DeleteAccount, InviteWorker, ListAccounts,
    OnlineAccounts, Records, RenameAccount, SessionOfUser, SessionsOfAccount, UploadHeadImage,
    WaitingUsers,
};
use wxhook::api::draft::{
    AddDraft, Article, ArticleImage, ArticleType, CountDrafts, DeleteDraft, DraftSwitch, GetDraft,
    ImageInfo, ListDrafts, UpdateDraft,
};
use wxhook::api::endpoint::Endpoint;
use wxhook::api::group::{
    CreateGroup, DeleteGroup, GroupOfUser, ListGroups, MoveUser, MoveUsers, RenameGroup,
};
use wxhook::api::mass::{
    Content, DeleteMass, Filter, MassMessage, MassSpeed, MassStatus, MassVideo, MediaId, Preview,
    PreviewMessage, PreviewTo, SendToAll, SendToUsers, SetMassSpeed,
};
use wxhook::api::material::{
    AddMaterial, CountMaterial, DeleteMaterial, GetMaterial, ListMaterial, MaterialKind,
    VideoDescription,
};
use wxhook::api::media::{GetMedia, GetVoice, MediaKind, UploadArticleImage, UploadMedia};
use wxhook::api::menu::{
    AddConditionalMenu, Button, CreateMenu, CurrentSelfMenu, DeleteConditionalMenu, DeleteMenu,
    GetMenu, MatchRule, TryMenu,
};
use wxhook::api::message::{SendMessage, Typing, TypingCommand};
use wxhook::api::network::{CallbackIps, CheckCallback, ServerIps};
use wxhook::api::publish::{DeletePublished, GetPublished, ListPublished, Publish, PublishStatus};
use wxhook::api::qr::CreateQr;
use wxhook::api::quota::{AskRid, ClearQuota, ClearQuotaOf, ClearQuotaWithSecret, QuotaOf};
use wxhook::api::short_key::{FetchShortKey, MakeShortKey};
use wxhook::api::subscribe::{
    AddNoticeTemplate, DeleteNoticeTemplate, ListNoticeTemplates, NoticeCategories, NoticeKeywords,
    NoticeTitles, OnceContent, OnceData, SendNotice, SendOnce,
};
use wxhook::api::tag::{
    CreateTag, DeleteTag, ListTags, RenameTag, TagUsers, TagsOfUser, UntagUsers,
};
use wxhook::api::template::{
    AddTemplate, BlockedTemplates, DeleteTemplate, GetIndustry, ListTemplates, MiniProgram,
    SendTemplate, SetIndustry, Values,
};
use wxhook::api::user::{
    Blacklist, BlockUsers, Followers, FollowersWithTag, Language, SetRemark, UnblockUsers,
    UserInfo, Users,
};
use wxhook::api::{Upload, endpoints};
use wxhook::id::OpenId;
use wxhook::quota::QuotaKey;
use wxhook::secret::AppSecret;
use wxhook::simulator::platform::endpoints as local_endpoints;
use wxhook::transport::{Body, Method, Request, Response, Transport, TransportError};

use super::script::{SECRET, Stage};

/// A platform that gives tokens, answers one fixture, and keeps what it was asked last.
#[derive(Debug, Default)]
struct Desk {
    answer: Mutex<Value>,
    asked: Mutex<Option<Value>>,
}

impl Desk {
    async fn look_at(&self, request: Request) {
        let (address, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
        let mut query: BTreeMap<String, String> = pairs(query).collect();
        let mut asked = json!({
            "method": if request.method == Method::Get { "GET" } else { "POST" },
            "path": address.splitn(4, '/').nth(3).map(|path| format!("/{path}")),
        });
        asked["token"] = json!(query.remove("access_token"));
        asked["query"] = json!(query);
        let announced = request.body.length();
        let (key, body) = match request.body {
            Body::Empty => ("", Value::Null),
            Body::Bytes(bytes) => ("json", serde_json::from_slice(&bytes).unwrap()),
            Body::Stream { chunks, .. } => {
                let pieces: Vec<_> = chunks.map(Result::unwrap).collect().await;
                let body = String::from_utf8(pieces.concat()).unwrap();
                assert_eq!(body.len() as u64, announced);
                let content_type = request.content_type.unwrap();
                let mark = content_type.split_once("boundary=").unwrap().1;
                ("form", body.replace(mark, "BOUNDARY").into())
            }
        };
        if !key.is_empty() {
            asked[key] = body;
        }
        *self.asked.lock().unwrap() = Some(asked);
    }
}

/// The parameters of a query, decoded.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let mut bytes = Vec::new();
        let mut rest = value.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
                }
                byte => byte,
            });
        }
        Some((name.to_owned(), String::from_utf8(bytes).ok()?))
    })
}

#[derive(Debug)]
struct AtDesk(Arc<Desk>);

impl Transport for AtDesk {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, TransportError>> {
        let desk = Arc::clone(&self.0);
        Box::pin(async move {
            let is_token = request.url.contains("/cgi-bin/stable_token");
            let (content_type, body) = if is_token {
                let token = json!({"access_token": "87_desk", "expires_in": 7200});
                (None, token.to_string())
            } else {
                desk.look_at(request).await;
                let answer = desk.answer.lock().unwrap();
                match answer.get("file").and_then(Value::as_str) {
                    Some(file) => (
                        answer["content_type"].as_str().map(str::to_owned),
                        file.to_owned(),
                    ),
                    None => (None, answer.to_string()),
                }
            };
            Ok(Response {
                status: 200,
                content_type,
                content_length: Some(body.len() as u64),
                content_disposition: None,
                body: stream::iter([Ok(Bytes::from(body))]).boxed(),
            })
        })
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/api")
}

fn fixture(name: &str, kind: &str) -> Value {
    let path = folder().join(format!("{name}.{kind}.json"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// What the endpoints understood, by their names.
struct Played {
    stage: Stage,
    desk: Arc<Desk>,
    understood: BTreeMap<String, String>,
}

impl Played {
    async fn play<E: Endpoint>(&mut self, request: E)
    where
        E::Response: Debug,
    {
        let name = E::SPEC.name();
        *self.desk.answer.lock().unwrap() = fixture(&name, "response");
        let answer = self.stage.api.call(&self.stage.account, &request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut expected = fixture(&name, "request");
        expected["token"] = match E::SPEC.needs_token {
            true => json!("87_desk"),
            false => Value::Null,
        };
        let asked = self.desk.asked.lock().unwrap().take();
        assert_eq!(asked, Some(expected), "{name}");
        let before = self.understood.insert(name.clone(), format!("{answer:?}"));
        assert_eq!(before, None, "{name} is played twice");
    }
}

fn user(name: &str) -> OpenId {
    OpenId::new(name)
}

fn users(names: &[&str]) -> Vec<OpenId> {
    names.iter().copied().map(user).collect()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).into());
    pairs.iter().map(pair).collect()
}

fn button(kind: &str, name: &str) -> Button {
    Button {
        kind: Some(kind.to_owned()),
        name: name.to_owned(),
        ..Button::default()
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn order_button() -> Button {
    Button {
        key: some("ORDER"),
        ..button("click", "查单")
    }
}

fn menu_buttons() -> Vec<Button> {
    let site = Button {
        url: some("https://e.com"),
        ..button("view", "官网")
    };
    let shop = Button {
        url: some("https://e.com"),
        appid: some("wx0011"),
        pagepath: some("pages/i"),
        ..button("miniprogram", "商城")
    };
    let more = Button {
        name: "更多".to_owned(),
        sub_button: Some(vec![site, shop]),
        ..Button::default()
    };
    vec![order_button(), more]
}

fn article() -> Article {
    Article {
        title: "标题".to_owned(),
        author: "作者".to_owned(),
        digest: "摘要".to_owned(),
        content: "<p>正文</p>".to_owned(),
        content_source_url: "https://e.com".to_owned(),
        thumb_media_id: "P1".to_owned(),
        need_open_comment: 1,
        ..Article::default()
    }
}

async fn play_messages_and_media(played: &mut Played) {
    played.play(ServerIps).await;
    played.play(CallbackIps).await;
    played.play(CheckCallback::default()).await;
    let text = "您好 <a href=\"https://example.com/?a=1&b=2\">订单</a>";
    played.play(SendMessage::new(user("oABC"), text)).await;
    let command = TypingCommand::Begin;
    played
        .play(Typing {
            touser: user("oABC"),
            command,
        })
        .await;
    let media = Upload::bytes("cover.jpg", "bytes");
    played
        .play(UploadMedia {
            kind: MediaKind::Thumb,
            media,
        })
        .await;
    played
        .play(GetMedia {
            media_id: "Mx+1/2=".to_owned(),
        })
        .await;
    played
        .play(GetVoice {
            media_id: "Mx2".to_owned(),
        })
        .await;
    let media = Upload::bytes("图.png", "bytes");
    played.play(UploadArticleImage { media }).await;
    let description = VideoDescription {
        title: "标题".to_owned(),
        introduction: "说明".to_owned(),
    };
    let video = AddMaterial {
        kind: MediaKind::Video,
        media: Upload::bytes("a.mp4", "bytes"),
        description: Some(description),
    };
    played.play(video).await;
    played
        .play(GetMaterial {
            media_id: "P2".to_owned(),
        })
        .await;
    played
        .play(DeleteMaterial {
            media_id: "P1".to_owned(),
        })
        .await;
    let kind = MaterialKind::Image;
    played
        .play(ListMaterial {
            kind,
            offset: 0,
            count: 20,
        })
        .await;
    played.play(CountMaterial).await;
}

async fn play_users_and_tags(played: &mut Played) {
    played.play(UserInfo::new(user("oABC"))).await;
    let gone = UserInfo {
        openid: user("oGONE"),
        lang: Language::English,
    };
    let user_list = vec![UserInfo::new(user("oABC")), gone];
    played.play(Users { user_list }).await;
    played
        .play(Followers {
            next_openid: Some(user("o0")),
        })
        .await;
    played
        .play(FollowersWithTag {
            tagid: 102,
            next_openid: None,
        })
        .await;
    played
        .play(SetRemark {
            openid: user("oABC"),
            remark: "老客".to_owned(),
        })
        .await;
    played
        .play(Blacklist {
            begin_openid: Some(user("o1")),
        })
        .await;
    played
        .play(BlockUsers {
            openid_list: users(&["o1", "o2"]),
        })
        .await;
    played
        .play(UnblockUsers {
            openid_list: users(&["o1"]),
        })
        .await;
    played.play(CreateTag::new("广东")).await;
    played.play(ListTags).await;
    played.play(RenameTag::new(134, "广东人")).await;
    played.play(DeleteTag::new(134)).await;
    played
        .play(TagUsers {
            tagid: 134,
            openid_list: users(&["o1", "o2"]),
        })
        .await;
    played
        .play(UntagUsers {
            tagid: 134,
            openid_list: users(&["o1"]),
        })
        .await;
    played
        .play(TagsOfUser {
            openid: user("oABC"),
        })
        .await;
    played.play(CreateGroup::new("VIP")).await;
    played.play(ListGroups).await;
    played
        .play(GroupOfUser {
            openid: user("oABC"),
        })
        .await;
    played.play(RenameGroup::new(108, "x")).await;
    played
        .play(MoveUser {
            openid: user("oABC"),
            to_groupid: 108,
        })
        .await;
    played
        .play(MoveUsers {
            openid_list: users(&["o1", "o2"]),
            to_groupid: 108,
        })
        .await;
    played.play(DeleteGroup::new(108)).await;
}

async fn play_menus_and_codes(played: &mut Played) {
    played
        .play(CreateMenu {
            button: menu_buttons(),
        })
        .await;
    played.play(GetMenu).await;
    played.play(CurrentSelfMenu).await;
    played.play(DeleteMenu).await;
    let matchrule = MatchRule {
        tag_id: some("102"),
        client_platform_type: some("1"),
        ..MatchRule::default()
    };
    played
        .play(AddConditionalMenu {
            button: vec![order_button()],
            matchrule,
        })
        .await;
    played
        .play(DeleteConditionalMenu {
            menuid: "208396993".to_owned(),
        })
        .await;
    played
        .play(TryMenu {
            user_id: "oABC".to_owned(),
        })
        .await;
    played.play(CreateQr::temporary("shop-7", 604_800)).await;
    let long_data = "loooooong".to_owned();
    played
        .play(MakeShortKey {
            long_data,
            expire_seconds: 86_400,
        })
        .await;
    played
        .play(FetchShortKey {
            short_key: "0123456789abcde".to_owned(),
        })
        .await;
}

async fn play_jobs(played: &mut Played) {
    let text = MassMessage::Text {
        text: Content {
            content: "公告".to_owned(),
        },
    };
    let all = SendToAll {
        filter: Filter::tag(102),
        message: text,
        send_ignore_reprint: 0,
        clientmsgid: some("n-20261101-1"),
    };
    played.play(all).await;
    let video = MassVideo {
        media_id: "V1".to_owned(),
        title: some("t"),
        description: some("d"),
    };
    let some_users = SendToUsers {
        touser: users(&["o1", "o2"]),
        message: MassMessage::MpVideo { mpvideo: video },
        send_ignore_reprint: 0,
        clientmsgid: None,
    };
    played.play(some_users).await;
    let image = MediaId {
        media_id: "M1".to_owned(),
    };
    let preview = Preview {
        to: PreviewTo::WeChatName("someone".to_owned()),
        message: PreviewMessage::Image { image },
    };
    played.play(preview).await;
    let msg_id = 3_147_483_650;
    let article_idx = Some(2);
    played
        .play(DeleteMass {
            msg_id: Some(msg_id),
            url: None,
            article_idx,
        })
        .await;
    played.play(MassStatus { msg_id }).await;
    played.play(SetMassSpeed { speed: 3 }).await;
    played.play(MassSpeed {}).await;
    let message = SendTemplate {
        touser: user("oABC"),
        template_id: "TPL".to_owned(),
        url: some("https://e.com"),
        miniprogram: Some(MiniProgram {
            appid: "wx0011".to_owned(),
            pagepath: some("p"),
        }),
        data: values(&[("thing1", "维修"), ("time2", "2026-11-01 10:00")]),
        client_msg_id: some("m-1"),
    };
    played.play(message).await;
    let (industry_id1, industry_id2) = ("1".to_owned(), "4".to_owned());
    played
        .play(SetIndustry {
            industry_id1,
            industry_id2,
        })
        .await;
    played.play(GetIndustry).await;
    let template = AddTemplate {
        template_id_short: "TM00015".to_owned(),
        keyword_name_list: vec!["商品名称".to_owned(), "时间".to_owned()],
    };
    played.play(template).await;
    played.play(ListTemplates).await;
    played
        .play(DeleteTemplate {
            template_id: "TPL".to_owned(),
        })
        .await;
    let tmpl_msg_id = "200228332".to_owned();
    played
        .play(BlockedTemplates {
            tmpl_msg_id,
            largest_id: 0,
            limit: 10,
        })
        .await;
}

async fn play_notices(played: &mut Played) {
    let notice = SendNotice {
        touser: user("oABC"),
        template_id: "SUB".to_owned(),
        page: some("https://e.com"),
        miniprogram: None,
        data: values(&[("thing1", "x")]),
        client_msg_id: some("m-2"),
    };
    played.play(notice).await;
    let content = OnceContent {
        value: "到货".to_owned(),
        color: some("#173177"),
    };
    let once = SendOnce {
        touser: user("oABC"),
        template_id: "ONE".to_owned(),
        url: some("https://e.com"),
        miniprogram: None,
        scene: "1000".to_owned(),
        title: "通知".to_owned(),
        data: OnceData { content },
    };
    played.play(once).await;
    let template = AddNoticeTemplate {
        tid: "401".to_owned(),
        keywords: vec![1, 2],
        scene: "到货提醒".to_owned(),
    };
    played.play(template).await;
    played.play(ListNoticeTemplates).await;
    played
        .play(DeleteNoticeTemplate {
            template_id: "SUB".to_owned(),
        })
        .await;
    played.play(NoticeCategories).await;
    played
        .play(NoticeTitles {
            ids: "2,616".to_owned(),
            start: 0,
            limit: 30,
        })
        .await;
    played
        .play(NoticeKeywords {
            tid: "99".to_owned(),
        })
        .await;
}

async fn play_articles(played: &mut Played) {
    let draft = || "D1".to_owned();
    let published = || "A1".to_owned();
    played
        .play(AddDraft {
            articles: vec![article()],
        })
        .await;
    played.play(GetDraft { media_id: draft() }).await;
    let picture = ArticleImage {
        image_media_id: "P2".to_owned(),
    };
    let pictures = Article {
        article_type: ArticleType::NewsPic,
        title: "图".to_owned(),
        content: "字".to_owned(),
        image_info: Some(ImageInfo {
            image_list: vec![picture],
        }),
        ..Article::default()
    };
    played
        .play(UpdateDraft {
            media_id: draft(),
            index: 0,
            article: pictures,
        })
        .await;
    played.play(DeleteDraft { media_id: draft() }).await;
    played
        .play(ListDrafts {
            offset: 0,
            count: 20,
            no_content: 1,
        })
        .await;
    played.play(CountDrafts).await;
    played.play(DraftSwitch::ask()).await;
    played.play(Publish { media_id: draft() }).await;
    played
        .play(PublishStatus {
            publish_id: "100000001".to_owned(),
        })
        .await;
    played
        .play(DeletePublished {
            article_id: published(),
            index: Some(1),
        })
        .await;
    played
        .play(GetPublished {
            article_id: published(),
        })
        .await;
    played
        .play(ListPublished {
            offset: 0,
            count: 20,
            no_content: 0,
        })
        .await;
}

async fn play_quotas(played: &mut Played) {
    let cgi_path = || "/cgi-bin/message/custom/send".to_owned();
    let account = played.stage.account.clone();
    played
        .play(QuotaOf {
            cgi_path: cgi_path(),
        })
        .await;
    played.play(ClearQuota::new(&account)).await;
    played
        .play(ClearQuotaWithSecret::new(account, AppSecret::new(SECRET)))
        .await;
    played
        .play(ClearQuotaOf {
            cgi_path: cgi_path(),
        })
        .await;
    played
        .play(AskRid {
            rid: "6b0a1c2d-0a1b2c3d-4e5f6071".to_owned(),
        })
        .await;
}

async fn play_customer_service(played: &mut Played) {
    let kf_account = || "a01@gh_abc".to_owned();
    let openid = || user("oABC");
    played.play(ListAccounts).await;
    played.play(OnlineAccounts).await;
    let nickname = "客服一".to_owned();
    played
        .play(AddAccount {
            kf_account: kf_account(),
            nickname,
        })
        .await;
    let nickname = "客服甲".to_owned();
    played
        .play(RenameAccount {
            kf_account: kf_account(),
            nickname,
        })
        .await;
    played
        .play(DeleteAccount {
            kf_account: kf_account(),
        })
        .await;
    let invite_wx = "kf1".to_owned();
    played
        .play(InviteWorker {
            kf_account: kf_account(),
            invite_wx,
        })
        .await;
    let media = Upload::bytes("head.jpg", "bytes");
    played
        .play(UploadHeadImage {
            kf_account: kf_account(),
            media,
        })
        .await;
    played
        .play(CreateSession {
            kf_account: kf_account(),
            openid: openid(),
        })
        .await;
    played
        .play(CloseSession {
            kf_account: kf_account(),
            openid: openid(),
        })
        .await;
    played.play(SessionOfUser { openid: openid() }).await;
    played
        .play(SessionsOfAccount {
            kf_account: kf_account(),
        })
        .await;
    played.play(WaitingUsers).await;
    let (starttime, endtime) = (1_795_000_000, 1_795_086_400);
    played
        .play(Records {
            starttime,
            endtime,
            msgid: 1,
            number: 10_000,
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_asks_and_understands_as_its_fixtures_say() {
    let desk = Arc::new(Desk::default());
    let stage = Stage::over(Arc::new(AtDesk(Arc::clone(&desk))));
    let understood = BTreeMap::new();
    let mut played = Played {
        stage,
        desk,
        understood,
    };
    play_messages_and_media(&mut played).await;
    play_users_and_tags(&mut played).await;
    play_menus_and_codes(&mut played).await;
    play_jobs(&mut played).await;
    play_notices(&mut played).await;
    play_articles(&mut played).await;
    play_quotas(&mut played).await;
    play_customer_service(&mut played).await;

    let declared: BTreeSet<String> = endpoints().map(|spec| spec.name()).collect();
    let names: BTreeSet<String> = played.understood.keys().cloned().collect();
    assert_eq!(names, declared, "what is played is what is declared");
    let entries = fs::read_dir(folder()).unwrap();
    let files: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let kinds = ["request", "response"];
    let expected = declared
        .iter()
        .flat_map(|name| kinds.map(|kind| format!("{name}.{kind}.json")))
        .collect();
    assert_eq!(
        files, expected,
        "fixtures without an endpoint, or the other way about"
    );
    let mut page = String::new();
    for (name, answer) in &played.understood {
        writeln!(page, "{name}: {answer}").unwrap();
    }
    insta::assert_snapshot!("understood", page);
}

#[test]
fn no_path_is_declared_twice_and_every_source_is_named() {
    let mut seen = BTreeSet::new();
    for spec in endpoints() {
        let is_path = spec.path.starts_with('/') && !spec.path.ends_with('/');
        assert!(is_path && !spec.path.contains('?'), "{}", spec.path);
        assert!(!spec.page.is_empty(), "{}", spec.path);
        assert!(
            seen.insert((spec.path, spec.method == Method::Get)),
            "{}",
            spec.path
        );
        for code in spec.codes.iter().chain(spec.accepts) {
            let known = wxhook::platform::error::ErrorCode(*code).row().is_some();
            assert!(known, "{}: {code} is not in the table of codes", spec.path);
        }
    }
    assert!(seen.len() > 90, "{}", seen.len());
}

#[test]
fn every_call_counts_against_the_row_that_names_its_path() {
    for spec in endpoints() {
        let row = QuotaKey::of_path(spec.path);
        let declared = spec.quota.filter(|key| key.row().is_some());
        assert_eq!(declared, row, "{}", spec.path);
    }
}

/// Answered by no state of the platform that a handler could come to depend on: older doubles of the
/// tags (分组), and what only the console's people see.
const STATELESS: &[&str] = &[
    "/cgi-bin/groups/create",
    "/cgi-bin/groups/delete",
    "/cgi-bin/groups/get",
    "/cgi-bin/groups/getid",
    "/cgi-bin/groups/members/batchupdate",
    "/cgi-bin/groups/members/update",
    "/cgi-bin/groups/update",
    "/customservice/kfaccount/uploadheadimg",
    "/customservice/msgrecord/getmsglist",
    "/wxa/sec/queryblocktmplmsg",
    "/wxaapi/newtmpl/getcategory",
    "/wxaapi/newtmpl/getpubtemplatekeywords",
    "/wxaapi/newtmpl/getpubtemplatetitles",
];

/// Where scenarios against the local WeChat stand.
const SCENARIOS: [&str; 3] = [
    "src/simulator/platform/tests",
    "tests/it",
    "tests/it/simulator",
];

#[test]
fn every_stateful_endpoint_is_served_by_the_local_wechat_and_has_a_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scenarios = String::new();
    for place in SCENARIOS {
        for entry in fs::read_dir(root.join(place)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                scenarios += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let served: BTreeSet<_> = local_endpoints().map(|(_, path)| path).collect();
    for spec in endpoints() {
        let is_stateless = STATELESS.contains(&spec.path);
        assert_ne!(served.contains(spec.path), is_stateless, "{}", spec.path);
        let told = ["\"", "?"].map(|end| format!("{}{end}", spec.path));
        let has_scenario = told.iter().any(|told| scenarios.contains(told));
        assert_ne!(has_scenario, is_stateless, "{}: a scenario", spec.path);
    }
}
