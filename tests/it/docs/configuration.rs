//! `docs/configuration.md` and its Chinese twin are written from the example files and from what the
//! code reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wxhook::config::{self, Form, Needs, Sources};

use super::document;

/// A key of an example file, its value as it is written there, and its comment.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    key: String,
    default: String,
    comment: String,
}

/// A table of an example file, and its comment.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    name: String,
    comment: String,
    keys: Vec<Key>,
}

/// Lines of one paragraph. Chinese words and wide punctuation need no blank between lines.
fn joined(lines: &[&str]) -> String {
    let is_wide = |c: char| "。，；：、（）".contains(c);
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let mut text = String::new();
    for line in lines {
        if let (Some(last), Some(next)) = (text.chars().last(), line.chars().next()) {
            let is_one = is_wide(last) || is_wide(next) || (is_chinese(last) && is_chinese(next));
            text.extend((!is_one).then_some(' '));
        }
        text.push_str(line);
    }
    text
}

/// The tables of an example file. A comment belongs to the line below it.
fn sections(text: &str) -> Vec<Section> {
    let (mut sections, mut comment) = (Vec::<Section>::new(), Vec::new());
    for line in text.lines() {
        if let Some(line) = line.strip_prefix('#') {
            comment.push(line.trim());
            continue;
        }
        let said = joined(&comment);
        comment.clear();
        if let Some(name) = line.strip_prefix('[') {
            sections.push(Section {
                name: name.trim_end_matches(']').to_owned(),
                comment: said,
                keys: Vec::new(),
            });
        } else if let Some((name, default)) = line.split_once(" = ") {
            let section = sections.last_mut().unwrap();
            section.keys.push(Key {
                key: format!("{}.{name}", section.name),
                default: default.to_owned(),
                comment: said,
            });
        }
    }
    sections
}

/// What every key takes, as its reader says.
fn forms() -> BTreeMap<String, Form> {
    let text = "[accounts.default]\napp_id = \"wx0123456789abcdef\"\ntoken = \"token123\"\n\
                [clients.default]\nkey = \"0123456789abcdef\"\n\
                [components.default]\napp_id = \"wxcomponent\"\ntoken = \"token123\"\n\
                encoding_aes_key = \"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\"\n";
    let sources = Sources {
        file: Some((PathBuf::from("wxhook.toml"), text.to_owned())),
        environment: BTreeMap::new(),
    };
    let read = config::read(&sources, Needs::Accounts).unwrap();
    let settings = read.settings.into_iter();
    settings
        .map(|setting| (setting.key, setting.form))
        .collect()
}

fn chinese(form: Form) -> String {
    match form {
        Form::Text => "文本".to_owned(),
        Form::Duration(least, most) => format!("时长，{least} 至 {most}"),
        Form::Size => "大小".to_owned(),
        Form::Number(least, most) => format!("整数，{least} 至 {most}"),
        Form::Flag => "true 或 false".to_owned(),
        Form::List => "文本列表".to_owned(),
        Form::Secret => "保密文本".to_owned(),
        Form::Address => "单词，或保密地址".to_owned(),
        other => panic!("{other} has no Chinese word"),
    }
}

struct Language {
    page: &'static str,
    example: &'static str,
    head: &'static str,
    columns: &'static str,
    form: fn(Form) -> String,
}

const ENGLISH: Language = Language {
    page: "docs/configuration.md",
    example: "wxhook.example.toml",
    head: "\
# Configuration

Every setting, written from [`wxhook.example.toml`](../wxhook.example.toml) and from what the code reads; do not edit it here.
[中文](configuration.zh-CN.md)

What is not set has its default. Over the defaults lies the file that `--config` or `WXHOOK_CONFIG` names, over that the
environment. Any variable may have `_FILE` at its end: then it holds the path of a file with the value, which is how secrets
are mounted. An empty variable counts as not set. `wxhook config show` prints what is in force and where it was written,
`wxhook config check` everything that is wrong.

Tokens, EncodingAESKeys and their previous ones change without a restart: the configuration is read again on SIGHUP, and seconds
after one of its files changed (the environment of a process never changes, so write them in a file). To rotate one: write the new value, and the old one as `previous_…`; when wxhook says that
it holds, change it in the console; when no push comes with the old one any more (`wxhook inbox show` tells how a push was
verified), empty `previous_…`. A wrong configuration changes nothing: what was in force stays, and the log, the counter
`wxhook_configuration_reads_failed_total` and `/readyz` say what is wrong. What needs a restart is named there, too.
",
    columns: "| key | takes | default | variable | meaning |",
    form: |form| form.to_string(),
};

const CHINESE: Language = Language {
    page: "docs/configuration.zh-CN.md",
    example: "wxhook.example.zh-CN.toml",
    head: "\
# 配置

全部配置项，由 [`wxhook.example.zh-CN.toml`](../wxhook.example.zh-CN.toml) 与代码生成，请勿手工修改。[English](configuration.md)

未设置的项使用默认值；`--config` 或 `WXHOOK_CONFIG` 指定的文件优先于默认值，环境变量优先于文件。任何变量名加 `_FILE` 则表示存有该值的文件的路径，
便于挂载密钥。空变量视为未设置。`wxhook config show` 显示生效的值及其来源，`wxhook config check` 列出全部错误。

令牌（Token）、消息加解密密钥（EncodingAESKey）及其旧值无需重启即可更换：发送 SIGHUP，或文件改变后数秒内自动重新读取（进程的环境变量不会变，因此须写在文件中）。更换步骤：写入新值，
并把旧值写为 `previous_…`；wxhook 提示已生效后，在后台修改；不再有使用旧值的推送后（`wxhook inbox show` 显示推送的验证方式），清空 `previous_…`。
配置有错时一切不变，原有配置继续生效，日志、计数器 `wxhook_configuration_reads_failed_total` 与 `/readyz` 说明错误；需要重启的项也会列出。
",
    columns: "| 配置项 | 类型 | 默认值 | 环境变量 | 含义 |",
    form: chinese,
};

fn row(page: &mut String, key: &Key, form: Form, language: &Language) {
    let named = |key: &str| match key.split('.').collect::<Vec<_>>()[..] {
        [section, "default", ..] if key.matches('.').count() > 1 => {
            key.replacen(&format!("{section}.default"), &format!("{section}.NAME"), 1)
        }
        _ => key.to_owned(),
    };
    let mut variables = config::variables(&key.key);
    if let Some(any) = variables.last_mut() {
        *any = any.replacen("__DEFAULT__", "__NAME__", 1);
    }
    let variables: Vec<String> = variables.iter().map(|name| format!("`{name}`")).collect();
    writeln!(
        page,
        "| `{}` | {} | `{}` | {} | {} |",
        named(&key.key),
        (language.form)(form),
        key.default,
        variables.join(" "),
        key.comment.replace('|', "\\|"),
    )
    .unwrap();
}

fn page(language: &Language) -> String {
    let forms = forms();
    let mut page = language.head.to_owned();
    for section in sections(&document(language.example)) {
        let name = section.name.replacen(".default", ".NAME", 1);
        writeln!(page, "\n## `[{name}]`\n\n{}", section.comment).unwrap();
        if section.keys.is_empty() {
            continue;
        }
        writeln!(page, "\n{}\n|---|---|---|---|---|", language.columns).unwrap();
        for key in &section.keys {
            let form = forms.get(&key.key);
            let form = form.unwrap_or_else(|| panic!("nobody reads {}", key.key));
            row(&mut page, key, *form, language);
        }
    }
    page
}

#[test]
fn the_pages_of_the_configuration_are_what_the_examples_and_the_code_say() {
    let mut rewritten = Vec::new();
    for language in [ENGLISH, CHINESE] {
        let page = page(&language);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(language.page);
        if fs::read_to_string(&path).is_ok_and(|written| written == page) {
            continue;
        }
        fs::write(&path, page).unwrap();
        rewritten.push(language.page);
    }
    assert!(
        rewritten.is_empty(),
        "{rewritten:?} were not what the examples say; they are rewritten, commit them"
    );
}

#[test]
fn every_key_has_its_comment_in_english_and_in_chinese_and_the_same_default() {
    let [english, chinese] = ["wxhook.example.toml", "wxhook.example.zh-CN.toml"].map(|name| {
        let sections = sections(&document(name));
        for section in &sections {
            assert!(
                !section.comment.is_empty(),
                "{name}: [{}] says nothing",
                section.name
            );
            for key in &section.keys {
                assert!(!key.comment.is_empty(), "{name}: {} says nothing", key.key);
            }
        }
        sections
    });
    let keys = |sections: &[Section]| -> Vec<(String, String)> {
        let keys = sections.iter().flat_map(|section| &section.keys);
        keys.map(|key| (key.key.clone(), key.default.clone()))
            .collect()
    };
    assert_eq!(keys(&english), keys(&chinese));
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for key in chinese.iter().flat_map(|section| &section.keys) {
        assert!(is_chinese(&key.comment), "{} has no Chinese", key.key);
    }
    assert!(keys(&english).len() > 90);
}

#[test]
fn every_key_that_is_read_is_in_the_example() {
    let listed: Vec<String> = sections(&document("wxhook.example.toml"))
        .into_iter()
        .flat_map(|section| section.keys)
        .map(|key| key.key)
        .collect();
    let missing: Vec<String> = forms()
        .into_keys()
        .filter(|key| !listed.contains(key))
        .collect();
    assert_eq!(missing, [""; 0]);
}
