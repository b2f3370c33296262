//! `docs/error-codes.md` is written from the table in code.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use wxhook::platform::error::{Row, table};

const HEAD: &str = "\
# Error codes · 错误码

What the platform's codes mean and what to do about them. Written from the table in `src/platform/error/`; do not edit it here.
接口返回的错误码的含义与处理办法。由代码中的表生成，请勿手工修改。

| code | class · 分类 | meaning | 含义 | remedy | 处理 |
|---|---|---|---|---|---|
";

fn line(page: &mut String, row: &Row) {
    let (class, meaning, remedy) = (row.class.name(), row.meaning, row.remedy);
    writeln!(
        page,
        "| {} | {} · {} | {} | {} | {} | {} |",
        row.code,
        class.english,
        class.chinese,
        meaning.english,
        meaning.chinese,
        remedy.english,
        remedy.chinese
    )
    .unwrap();
}

#[test]
fn the_page_of_error_codes_is_the_table_in_code() {
    let mut page = HEAD.to_owned();
    table().into_iter().for_each(|row| line(&mut page, row));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/error-codes.md");
    if fs::read_to_string(&path).is_ok_and(|written| written == page) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, page).unwrap();
    panic!("docs/error-codes.md was not what the table says; it is rewritten, commit it");
}
