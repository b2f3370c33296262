//! Failures inside the platform, and codes of single services.

use super::{CLASS, Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(-1, Class::Transient, ["the platform is busy (system error)", "系统繁忙"], ["try again later; whether the call was executed is not known", "稍后重试；无法得知此次调用是否已执行"]),
    row(0, Class::Ok, ["done", "成功"], CLASS),
    row(4, Class::Transient, ["a failure without a text", "没有说明的失败"], ["try again later; whether the call was executed is not known", "稍后重试；无法得知此次调用是否已执行"]),
    row(404, Class::Bug, ["no such path", "路径不存在"], ["check the path of the call", "检查接口路径"]),
    row(20001, Class::Transient, ["system error of the template service", "模板服务系统错误"], CLASS),
    row(20002, Class::Bug, ["bad parameters for the template service", "模板服务参数不合法"], CLASS),
    row(200_001, Class::Transient, ["system error of the subscription template service", "订阅模板服务系统错误"], CLASS),
    row(200_002, Class::Bug, ["bad parameters for the subscription template service", "订阅模板服务参数不合法"], CLASS),
    row(9_001_001, Class::Bug, ["the posted data is invalid", "提交的数据不合法"], CLASS),
    row(9_001_007, Class::Bug, ["the file is missing", "缺少文件"], CLASS),
    row(9_001_008, Class::Bug, ["the type of the file is not accepted", "文件类型不被接受"], CLASS),
    row(9_410_010, Class::Bug, ["the long text of a short key exceeds 4 KB", "短 key 的长文本超过 4 KB"], CLASS),
    row(9_410_011, Class::Bug, ["a short key may live 30 days at most", "短 key 有效期最长 30 天"], CLASS),
    row(9_410_012, Class::Bug, ["the short key is not known", "短 key 不存在"], CLASS),
    row(9_500_001, Class::Bug, ["the mass message is refused", "群发消息被拒绝"], CLASS),
    row(9_500_002, Class::Bug, ["the mass message is refused", "群发消息被拒绝"], CLASS),
    row(10_170_001, Class::Bug, ["the product card is invalid", "商品卡片不合法"], CLASS),
    row(10_170_002, Class::Bug, ["the product card is invalid", "商品卡片不合法"], CLASS),
    row(10_170_003, Class::Bug, ["the product card is invalid", "商品卡片不合法"], CLASS),
    row(268_487_001, Class::Transient, ["the platform is busy (black list)", "系统繁忙（黑名单）"], CLASS),
    row(268_487_002, Class::Transient, ["the platform is busy (list of followers)", "系统繁忙（粉丝列表）"], CLASS),
    row(268_488_001, Class::Transient, ["the platform is busy (mass message)", "系统繁忙（群发）"], CLASS),
];
