//! `docs/quotas.md` is written from the table in code.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use wxhook::quota::{ROWS, Row, Span};

const HEAD: &str = "\
# Quotas · 接口调用频次

The platform's published limits, as `wxhook::quota` has them. Written from `src/quota/table.rs`; do not edit it here.
微信公布的接口调用次数上限。由代码中的表生成，请勿手工修改。

*Key* is the name used everywhere: in `[quota]` of the configuration, in `wxhook quota show`, in metrics. *New* and *test*
are the calls of a day (in Beijing; of a calendar month where it says so) that a new account and a test account (测试号) have;
– means that no figure is published. Accounts with many followers have more: `quota.times` and `quota.limits`, or those of `[accounts.NAME.quota]`, set what yours has, and
`wxhook quota show` asks the platform. Keys of [api.md](api.md) that are not listed are counted, and have no limit until
the platform names one.
“键”在配置 `[quota]`、`wxhook quota show` 与指标中通用；“新号”“测试号”为每天（北京时间自然日，注明者为每月）的调用上限，– 表示未公布。
粉丝较多的账号上限更高，可用 `quota.times`、`quota.limits` 或 `[accounts.NAME.quota]` 设置。[api.md](api.md) 中有而此处未列出的键只计数，直到微信告知上限。

| key · 键 | the platform's name · 官方名称 | paths · 接口 | new · 新号 | test · 测试号 | in a minute · 每分钟 |
|---|---|---|---|---|---|
";

fn line(page: &mut String, row: &Row) {
    let figure = |figure: Option<u64>| figure.map_or("–".to_owned(), |figure| figure.to_string());
    let span = match row.span {
        Span::Day => "",
        Span::Month => " a month",
    };
    let paths: Vec<_> = row.paths.iter().map(|path| format!("`{path}`")).collect();
    writeln!(
        page,
        "| `{}` | {} | {} | {}{span} | {}{span} | {} |",
        row.key,
        row.name,
        paths.join(" "),
        figure(row.new),
        figure(row.test),
        figure(row.per_minute),
    )
    .unwrap();
}

#[test]
fn the_page_of_quotas_is_the_table_in_code() {
    let mut page = HEAD.to_owned();
    ROWS.iter().for_each(|row| line(&mut page, row));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/quotas.md");
    if fs::read_to_string(&path).is_ok_and(|written| written == page) {
        return;
    }
    fs::write(&path, page).unwrap();
    panic!("docs/quotas.md was not what the table says; it is rewritten, commit it");
}
