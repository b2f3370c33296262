//! What exists, and what the account may do.

use super::{CLASS, Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(46001, Class::Bug, ["the media does not exist", "素材不存在"], CLASS),
    row(46002, Class::Bug, ["the menu's version does not exist", "菜单版本不存在"], CLASS),
    row(46003, Class::Bug, ["there is no menu", "没有菜单"], CLASS),
    row(46004, Class::Bug, ["the user does not exist", "用户不存在"], CLASS),
    row(46007, Class::Transient, ["the file is being converted", "文件正在转码"], CLASS),
    row(47001, Class::Bug, ["the body cannot be parsed", "请求体无法解析"], CLASS),
    row(47002, Class::Bug, ["characters must be raw UTF-8", "字符须为原样的 UTF-8"], ["send characters raw, not as \\uXXXX", "字符原样发送，不要写成 \\uXXXX"]),
    row(47003, Class::Bug, ["an argument is not valid", "参数不合法"], ["the message names the field", "返回文本指出了字段"]),
    row(48001, Class::Permission, ["the account may not call this", "账号无权调用此接口"], ["see in the console which interfaces this account has", "在后台查看本账号拥有的接口权限"]),
    row(48002, Class::User, ["the user switched messages off", "用户已关闭消息接收"], CLASS),
    row(48003, Class::Permission, ["the agreement on mass messages is not accepted", "未同意群发协议"], ["accept it in the console", "在后台同意"]),
    row(48004, Class::Risk, ["this call is forbidden to the account", "接口因违规被禁用"], ["see the notice in the console, and appeal", "查看后台通知并申诉"]),
    row(48005, Class::Permission, ["the material is used by an automatic reply or the menu", "素材正被自动回复或菜单使用"], CLASS),
    row(48006, Class::Quota, ["quotas cannot be cleared again this month", "本月清零次数已用完"], CLASS),
    row(48008, Class::Permission, ["the account may not send this type of message", "无权发送此类消息"], CLASS),
    row(48009, Class::Permission, ["this call is expired", "接口已过期"], CLASS),
    row(48010, Class::Permission, ["this material cannot be changed", "素材不能修改"], CLASS),
    row(48011, Class::Permission, ["the template is disabled", "模板已停用"], CLASS),
    row(48021, Class::Permission, ["an automatically saved draft cannot be sent", "自动保存的草稿不能发送"], CLASS),
    row(48022, Class::Permission, ["a video uploaded by the API cannot be sent", "接口上传的视频不能发送"], CLASS),
    row(50001, Class::Permission, ["the account or the user did not authorise this", "账号或用户未授权"], CLASS),
    row(50002, Class::Risk, ["the account is limited", "账号受限"], ["see the notice in the console", "查看后台通知"]),
    row(50003, Class::Permission, ["the user is not in the white list", "用户不在白名单中"], CLASS),
    row(50004, Class::Risk, ["the account may not use access tokens", "账号被禁止使用 access_token"], ["see the notice in the console", "查看后台通知"]),
    row(50005, Class::User, ["the user no longer follows", "用户已取消关注"], CLASS),
    row(50007, Class::Risk, ["the account is frozen", "账号已被冻结"], ["see the notice in the console", "查看后台通知"]),
    row(53404, Class::Permission, ["the account's commerce is limited", "账号的电商能力受限"], CLASS),
    row(53405, Class::Permission, ["the product is not valid", "商品不合法"], CLASS),
    row(53406, Class::Permission, ["commerce is not enabled", "未开通电商能力"], CLASS),
    row(53600, Class::Bug, ["the article does not exist", "文章不存在"], CLASS),
];
