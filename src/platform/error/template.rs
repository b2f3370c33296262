//! Subscription templates.

use super::{CLASS, Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(200_011, Class::Permission, ["the account is banned", "账号被封禁"], CLASS),
    row(200_012, Class::Quota, ["too many templates", "模板过多"], CLASS),
    row(200_013, Class::Permission, ["the template is banned", "模板被封禁"], CLASS),
    row(200_014, Class::Bug, ["the template's number is not valid", "模板编号不合法"], CLASS),
    row(200_016, Class::Bug, ["the start is not valid", "start 不合法"], CLASS),
    row(200_017, Class::Bug, ["the limit is not valid", "limit 不合法"], CLASS),
    row(200_018, Class::Bug, ["the categories are missing", "缺少类目"], CLASS),
    row(200_019, Class::Bug, ["the categories are not valid", "类目不合法"], CLASS),
    row(200_020, Class::Bug, ["the keywords are not valid", "关键词不合法"], CLASS),
    row(200_021, Class::Bug, ["the description of the scene is not valid", "场景说明不合法"], CLASS),
    row(200_022, Class::Bug, ["the template was added before", "模板已添加过"], CLASS),
    row(200_100, Class::Permission, ["this kind of account has no templates", "该类型账号没有模板"], CLASS),
];
