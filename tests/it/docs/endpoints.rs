//! `docs/api.md` is written from the table in code.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use wxhook::api::endpoint::Spec;
use wxhook::api::endpoints;
use wxhook::platform::exchange::Repeat;
use wxhook::transport::Method;

const HEAD: &str = "\
# Endpoints · 接口

The platform's API as `wxhook::api` has it. Written from the tables in `src/api/`; do not edit it here.
`wxhook::api` 中的全部接口。由代码中的表生成，请勿手工修改。

*Quota* is what the calls are counted under. *Again*: whether a call is made again when it is not known whether it was
executed. Every call may also be answered the codes that all share: -1, 40001, 41001, 42001, 45009, 45011, 47001,
48001, 48004, 50002; what all mean stands in [error-codes.md](error-codes.md). What has no line here goes through
`Api::raw`.
“配额”为计数所用的名称；“重试”指结果未知时是否会再次调用。公共错误码不在各行重复。未列出的接口可用 `Api::raw` 调用。

| call | page · 官方页面 | quota · 配额 | again · 重试 | limits · 限制 | codes of its own · 错误码 |
|---|---|---|---|---|---|
";

fn line(page: &mut String, spec: &Spec) {
    let method = match spec.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let token = if spec.needs_token { "" } else { " (no token)" };
    let quota = spec
        .quota
        .map_or("–".to_owned(), |key| format!("`{}`", key.0));
    let again = match spec.repeat {
        Repeat::Harmless => "yes",
        Repeat::Harmful => "no",
    };
    let list = |codes: &[i64]| {
        let codes: Vec<_> = codes.iter().map(i64::to_string).collect();
        codes.join(" ")
    };
    let good = match spec.accepts {
        [] => String::new(),
        codes => format!(" ({} is an answer)", list(codes)),
    };
    let (path, name, limits) = (spec.path, spec.page, spec.limits);
    let codes = list(spec.codes);
    writeln!(
        page,
        "| {method} `{path}`{token} | {name} | {quota} | {again} | {limits} | {codes}{good} |"
    )
    .unwrap();
}

#[test]
fn the_page_of_endpoints_is_the_table_in_code() {
    let mut page = HEAD.to_owned();
    endpoints().for_each(|spec| line(&mut page, spec));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    if fs::read_to_string(&path).is_ok_and(|written| written == page) {
        return;
    }
    fs::write(&path, page).unwrap();
    panic!("docs/api.md was not what the table says; it is rewritten, commit it");
}
