//! What a call lacks, and how it must be made.

use super::{CLASS, Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(41005, Class::Bug, ["the media data is missing", "缺少多媒体数据"], ["the form's field is named media and has a file name", "表单字段名须为 media 并带文件名"]),
    row(41006, Class::Bug, ["the media_id is missing", "缺少 media_id"], CLASS),
    row(41007, Class::Bug, ["the sub-menu is missing", "缺少子菜单"], CLASS),
    row(41010, Class::Bug, ["the url is missing", "缺少链接"], CLASS),
    row(41030, Class::Config, ["the mini program's page is not known", "小程序页面不存在"], CLASS),
    row(42010, Class::Transient, ["mass messages follow each other too quickly", "群发过于频繁"], ["wait a minute", "等待一分钟"]),
    row(43001, Class::Bug, ["GET is needed", "须使用 GET"], CLASS),
    row(43002, Class::Bug, ["POST is needed", "须使用 POST"], CLASS),
    row(43003, Class::Bug, ["HTTPS is needed", "须使用 HTTPS"], CLASS),
    row(43004, Class::User, ["the user does not follow", "用户未关注"], CLASS),
    row(43005, Class::User, ["the user is no friend", "须为好友关系"], CLASS),
    row(43007, Class::Permission, ["the account must authorise this", "须账号授权"], CLASS),
    row(43019, Class::User, ["the user is on the black list", "用户在黑名单中"], ["take the user off the black list", "把用户移出黑名单"]),
    row(43100, Class::Quota, ["the industry was changed too often", "修改行业过于频繁"], ["once a month", "每月一次"]),
    row(43101, Class::User, ["the user did not subscribe to this message", "用户未订阅此消息"], CLASS),
    row(43104, Class::Permission, ["this AppID may not do this", "该 AppID 没有权限"], CLASS),
    row(43107, Class::Risk, ["subscription messages are blocked", "订阅消息能力被封禁"], CLASS),
    row(43108, Class::Transient, ["two messages to one user at the same time", "同时向同一用户发送"], CLASS),
    row(43116, Class::Permission, ["template messages are restricted", "模板消息受限"], CLASS),
    row(44001, Class::Bug, ["the media data is empty", "多媒体数据为空"], CLASS),
    row(44002, Class::Bug, ["the body is empty", "请求体为空"], ["a body without Content-Length is lost", "没有 Content-Length 的请求体会丢失"]),
    row(44003, Class::Bug, ["the news have no article", "图文为空"], CLASS),
    row(44004, Class::Bug, ["the text is empty", "文本为空"], CLASS),
    row(44005, Class::Bug, ["the list is empty", "列表为空"], CLASS),
    row(44006, Class::Bug, ["the file is empty", "文件为空"], CLASS),
];
