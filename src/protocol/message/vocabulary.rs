//! What can be said, as one list: `docs/messages.md` is written from it, and tests compare it with what
//! the values really write.

use crate::protocol::message::{
    MAX_ARTICLES, MAX_ARTICLES_TO_EVENT, MAX_FIELD_BYTES, MAX_MENU_FRAME_BYTES, MAX_MENU_ID_BYTES,
    MAX_MENU_ITEM_BYTES, MAX_MENU_ITEMS, MAX_TEXT_BYTES,
};

/// One type of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The platform's name for it.
    pub msg_type: &'static str,
    /// The Rust type.
    pub rust: &'static str,
    /// Whether `custom/send` takes it.
    pub customer_message: bool,
    /// Whether the answer to a push can be it.
    pub passive_reply: bool,
    /// Its members, in the order in which JSON has them.
    pub fields: &'static [Field],
    /// The list among them, and how long it may be.
    pub list: Option<List>,
    /// What else to know, in Chinese.
    pub note_chinese: &'static str,
    /// What else to know, in English.
    pub note_english: &'static str,
}

/// One member of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// How the JSON of a customer message has it.
    pub json: Option<Member>,
    /// How the XML of a passive reply has it.
    pub xml: Option<Member>,
    /// Bytes of UTF-8 that it may have.
    pub max_bytes: usize,
}

/// A member in one of the two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name, behind those of what it stands in; `[]` stands for each entry of a list.
    pub path: &'static str,
    /// Whether it must be given.
    pub is_required: bool,
}

/// The list of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// Its name in JSON.
    pub name: &'static str,
    /// Entries that it may have.
    pub max_entries: usize,
    /// Entries that it may have in a passive reply to an event.
    pub max_entries_to_event: usize,
}

const fn must(path: &'static str) -> Option<Member> {
    Some(Member {
        path,
        is_required: true,
    })
}

const fn may(path: &'static str) -> Option<Member> {
    Some(Member {
        path,
        is_required: false,
    })
}

const fn field(json: Option<Member>, xml: Option<Member>) -> Field {
    limited(MAX_FIELD_BYTES, json, xml)
}

const fn limited(max_bytes: usize, json: Option<Member>, xml: Option<Member>) -> Field {
    Field {
        json,
        xml,
        max_bytes,
    }
}

const BOTH: Entry = Entry {
    msg_type: "",
    rust: "",
    customer_message: true,
    passive_reply: true,
    fields: &[],
    list: None,
    note_chinese: "",
    note_english: "",
};

const CUSTOMER_ONLY: Entry = Entry {
    passive_reply: false,
    ..BOTH
};

pub(super) const TEXT: Entry = Entry {
    msg_type: "text",
    rust: "Text",
    fields: &[limited(MAX_TEXT_BYTES, must("content"), must("Content"))],
    note_chinese: "`\\n` 换行；`<a href>` 是链接，转述用户的话请先过 `without_links`",
    note_english: "`\\n` breaks the line; `<a href>` is a link: put what users wrote through `without_links`",
    ..BOTH
};

pub(super) const IMAGE: Entry = Entry {
    msg_type: "image",
    rust: "Image",
    fields: &[field(must("media_id"), must("Image/MediaId"))],
    note_chinese: "临时或永久素材；被动回复不支持动图",
    note_english: "temporary or permanent material; no animated picture as a passive reply",
    ..BOTH
};

pub(super) const VOICE: Entry = Entry {
    msg_type: "voice",
    rust: "Voice",
    fields: &[field(must("media_id"), must("Voice/MediaId"))],
    note_chinese: "AMR 或 MP3 素材",
    note_english: "AMR or MP3 material",
    ..BOTH
};

pub(super) const VIDEO: Entry = Entry {
    msg_type: "video",
    rust: "Video",
    fields: &[
        field(must("media_id"), must("Video/MediaId")),
        field(must("thumb_media_id"), None),
        field(may("title"), may("Video/Title")),
        field(may("description"), may("Video/Description")),
    ],
    note_chinese: "刚上传的视频可能还在转码（46007）",
    note_english: "one uploaded just now may still be converted (46007)",
    ..BOTH
};

pub(super) const MUSIC: Entry = Entry {
    msg_type: "music",
    rust: "Music",
    fields: &[
        field(must("title"), may("Music/Title")),
        field(must("description"), may("Music/Description")),
        field(must("musicurl"), may("Music/MusicUrl")),
        field(may("hqmusicurl"), may("Music/HQMusicUrl")),
        field(must("thumb_media_id"), must("Music/ThumbMediaId")),
    ],
    note_chinese: "Wi-Fi 下优先播放 `hqmusicurl`",
    note_english: "`hqmusicurl` is played on Wi-Fi",
    ..BOTH
};

pub(super) const NEWS: Entry = Entry {
    msg_type: "news",
    rust: "News",
    fields: &[
        field(must("articles[].title"), must("Articles/item/Title")),
        field(
            may("articles[].description"),
            may("Articles/item/Description"),
        ),
        field(must("articles[].url"), must("Articles/item/Url")),
        field(may("articles[].picurl"), may("Articles/item/PicUrl")),
    ],
    list: Some(List {
        name: "articles",
        max_entries: MAX_ARTICLES,
        max_entries_to_event: MAX_ARTICLES_TO_EVENT,
    }),
    note_chinese: "图片用 JPG 或 PNG；被动回复另有 `ArticleCount`",
    note_english: "pictures are JPG or PNG; a passive reply has `ArticleCount` besides",
    ..BOTH
};

pub(super) const MP_NEWS: Entry = Entry {
    msg_type: "mpnews",
    rust: "MpNews",
    fields: &[field(must("media_id"), None)],
    note_chinese: "平台正在下线，请用 `mpnewsarticle`",
    note_english: "being withdrawn by the platform: use `mpnewsarticle`",
    ..CUSTOMER_ONLY
};

pub(super) const MP_NEWS_ARTICLE: Entry = Entry {
    msg_type: "mpnewsarticle",
    rust: "MpNewsArticle",
    fields: &[field(must("article_id"), None)],
    note_chinese: "`article_id` 来自发布接口",
    note_english: "the `article_id` comes from publishing",
    ..CUSTOMER_ONLY
};

pub(super) const MSG_MENU: Entry = Entry {
    msg_type: "msgmenu",
    rust: "MsgMenu",
    fields: &[
        limited(MAX_MENU_FRAME_BYTES, may("head_content"), None),
        limited(MAX_MENU_ID_BYTES, must("list[].id"), None),
        limited(MAX_MENU_ITEM_BYTES, must("list[].content"), None),
        limited(MAX_MENU_FRAME_BYTES, may("tail_content"), None),
    ],
    list: Some(List {
        name: "list",
        max_entries: MAX_MENU_ITEMS,
        max_entries_to_event: MAX_MENU_ITEMS,
    }),
    note_chinese: "点选后以文本消息回来，带 `bizmsgmenuid`；上限取自微信客服的同名消息",
    note_english: "a tap comes back as a text message with `bizmsgmenuid`; limits as of the same message of 微信客服",
    ..CUSTOMER_ONLY
};

pub(super) const WX_CARD: Entry = Entry {
    msg_type: "wxcard",
    rust: "WxCard",
    fields: &[field(must("card_id"), None)],
    note_chinese: "不能是自定义 code 的卡券；卡券产品正在下线",
    note_english: "no card with codes of the merchant's own; the product is being withdrawn",
    ..CUSTOMER_ONLY
};

pub(super) const MINI_PROGRAM_PAGE: Entry = Entry {
    msg_type: "miniprogrampage",
    rust: "MiniProgramPage",
    fields: &[
        field(must("title"), None),
        field(must("appid"), None),
        field(must("pagepath"), None),
        field(must("thumb_media_id"), None),
    ],
    note_chinese: "小程序须已与账号关联；封面建议 520×416",
    note_english: "the mini program must be linked with the account; cover of 520×416",
    ..CUSTOMER_ONLY
};

pub(super) const TRANSFER: Entry = Entry {
    msg_type: "transfer_customer_service",
    rust: "TransferToCustomerService",
    customer_message: false,
    fields: &[field(None, may("TransInfo/KfAccount"))],
    note_chinese: "转人工客服；只在回复消息（非事件）时有效",
    note_english: "hands the message to human agents; only in answer to a message, not to an event",
    ..BOTH
};

/// Everything that can be said, in the order of the platform's page.
pub const VOCABULARY: [Entry; 12] = [
    TEXT,
    IMAGE,
    VOICE,
    VIDEO,
    MUSIC,
    NEWS,
    MP_NEWS,
    MP_NEWS_ARTICLE,
    MSG_MENU,
    WX_CARD,
    MINI_PROGRAM_PAGE,
    TRANSFER,
];
