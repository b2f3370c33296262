//! `docs/events.md`, written from the code.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use wxhook::push::{Count, Entry, FAMILIES, Field, Status, Window, Word};

const HEAD: &str = "\
# What WeChat sends · 微信会推送什么

Every message, event and notice that has a type. Written by a test from the code: to change it, change
`src/protocol/push/`. 本页由测试根据代码生成。

- **Fields 字段**: element → Rust field, its type. `?`: not always there 不一定出现; `[]`: a list 列表; `|`: other
  spellings that were seen 其他已知写法. Whatever is sent beside them is in `Push::fields`, too. 未列出的字段同样保留在 `Push::fields`。
- **text 文本**, **OpenID**, **decimal 小数** (kept as text 保留原文), **id** (text, as an integer by `number()`),
  **integer 整数** (keeps the text when it is none 非整数时保留原文), **yes/no 是否** (`1`/`0`, `true`/`false`).
- **Window 客服窗口**: how many customer messages it allows, and for how long 可下发客服消息条数与时长.
- **Passive reply 被动回复**: whether the platform delivers a message in the HTTP answer 平台是否接受 HTTP 应答中的被动回复消息.
  wxhook itself answers `success` and sends through the customer-message API.
- Names are compared without ASCII case 名称比较不区分大小写. A kind that has no type comes to `unknown` routes 未知类型进入 `unknown` 路由.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for family in &FAMILIES {
        let columns = "| name 名称 | type 类型 | fields 字段 | when 何时推送 | window 客服窗口 | passive reply 被动回复 | status 状态 |";
        let rule = "|---|---|---|---|---|---|---|";
        write!(
            page,
            "\n## {} · {}\n\n{columns}\n{rule}\n",
            family.english, family.chinese
        )
        .unwrap();
        for entry in family.entries {
            page += &row(entry);
        }
    }
    page
}

fn row(entry: &Entry) -> String {
    let names = entry.aliases.iter().map(|alias| format!("`{alias}`"));
    let names: Vec<_> = [format!("`{}`", entry.name)]
        .into_iter()
        .chain(names)
        .collect();
    let window = entry.window.map_or("–".to_owned(), window);
    let answered = if entry.answered { "yes 是" } else { "no 否" };
    let status = match entry.status {
        Status::Active => "active 在用",
        Status::Legacy => "legacy 存量",
        Status::Obsolete => "obsolete 已下线",
        _ => panic!("this status has no words here"),
    };
    format!(
        "| {} | `{}` | {} | {} {} | {window} | {answered} | {status} |\n",
        names.join(" "),
        entry.type_name,
        fields(entry.fields),
        entry.english,
        entry.chinese,
    )
}

fn window(window: Window) -> String {
    let (messages, seconds) = (window.messages(), window.seconds());
    match seconds / 3600 {
        0 => format!("{messages} / {} min", seconds / 60),
        hours => format!("{messages} / {hours} h"),
    }
}

fn fields(fields: &[Field]) -> String {
    let described: Vec<_> = fields.iter().map(field).collect();
    described.join("<br>")
}

fn field(field: &Field) -> String {
    let mark = match field.count {
        Count::One => "",
        Count::Optional => "?",
        Count::Many => "[]",
        _ => panic!("this count has no mark here"),
    };
    let spellings = field
        .spellings
        .iter()
        .map(|spelling| format!(" \\| `{spelling}`"));
    let spellings: String = spellings.collect();
    let word = match field.word {
        Word::Text => "text 文本".to_owned(),
        Word::OpenId => "OpenID".to_owned(),
        Word::Id => "id".to_owned(),
        Word::Number => "integer 整数".to_owned(),
        Word::Decimal => "decimal 小数".to_owned(),
        Word::Flag => "yes/no 是否".to_owned(),
        Word::Record => {
            let inner: Vec<_> = field.fields.iter().map(self::field).collect();
            format!("{{ {} }}", inner.join(", "))
        }
        _ => panic!("this word has no words here"),
    };
    format!(
        "`{}`{spellings} → `{}`{mark} {word}",
        field.wire, field.name
    )
}

#[test]
fn the_page_of_events_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md");
    let written = fs::read_to_string(&path).unwrap_or_default();
    let page = page();
    if written != page {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, page).unwrap();
        panic!("docs/events.md was not what the code says; it is now: look at it and commit it");
    }
}
