//! The platform's published limits. `docs/quotas.md` is written from here.
//!
//! Source: the tables "接口调用频次限制" of the official documentation for new and for test accounts, and
//! the pages of the APIs whose limits stand there, read 2026-11. Accounts with many followers have
//! more; the console (开发者中心 → 接口权限) and `openapi/quota/get` say how much.

use super::key::{QuotaKey, Row, Span};

/// Every row.
pub const ROWS: &[Row] = &[
    Row {
        key: QuotaKey("token"),
        name: "获取access_token",
        paths: &["/cgi-bin/token"],
        span: Span::Day,
        new: Some(2000),
        test: Some(200),
        per_minute: None,
    },
    Row {
        key: QuotaKey("stable_token"),
        name: "获取稳定版access_token",
        paths: &["/cgi-bin/stable_token"],
        span: Span::Day,
        new: Some(500_000),
        test: None,
        per_minute: Some(10_000),
    },
    Row {
        key: QuotaKey::TICKET,
        name: "获取sdk临时票据",
        paths: &["/cgi-bin/ticket/getticket"],
        span: Span::Day,
        new: None,
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("menu_create"),
        name: "自定义菜单创建",
        paths: &["/cgi-bin/menu/create"],
        span: Span::Day,
        new: Some(1000),
        test: Some(100),
        per_minute: None,
    },
    Row {
        key: QuotaKey("menu_get"),
        name: "自定义菜单查询",
        paths: &["/cgi-bin/menu/get"],
        span: Span::Day,
        new: Some(10_000),
        test: Some(1000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("menu_delete"),
        name: "自定义菜单删除",
        paths: &["/cgi-bin/menu/delete"],
        span: Span::Day,
        new: Some(1000),
        test: Some(100),
        per_minute: None,
    },
    Row {
        key: QuotaKey("tag_create"),
        name: "创建分组",
        paths: &["/cgi-bin/tags/create", "/cgi-bin/groups/create"],
        span: Span::Day,
        new: Some(1000),
        test: Some(100),
        per_minute: None,
    },
    Row {
        key: QuotaKey("tag_list"),
        name: "获取分组",
        paths: &["/cgi-bin/tags/get", "/cgi-bin/groups/get"],
        span: Span::Day,
        new: Some(1000),
        test: Some(100),
        per_minute: None,
    },
    Row {
        key: QuotaKey("tag_update"),
        name: "修改分组名",
        paths: &["/cgi-bin/tags/update", "/cgi-bin/groups/update"],
        span: Span::Day,
        new: Some(1000),
        test: Some(100),
        per_minute: None,
    },
    Row {
        key: QuotaKey("move_user"),
        name: "移动用户分组",
        paths: &[
            "/cgi-bin/tags/members/batchtagging",
            "/cgi-bin/tags/members/batchuntagging",
            "/cgi-bin/groups/members/update",
            "/cgi-bin/groups/members/batchupdate",
        ],
        span: Span::Day,
        new: Some(100_000),
        test: Some(1000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("media_upload"),
        name: "临时素材上传",
        paths: &["/cgi-bin/media/upload"],
        span: Span::Day,
        new: Some(100_000),
        test: Some(500),
        per_minute: None,
    },
    Row {
        key: QuotaKey("media_download"),
        name: "临时素材下载",
        paths: &["/cgi-bin/media/get"],
        span: Span::Day,
        new: Some(200_000),
        test: Some(1000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("custom_send"),
        name: "发送客服消息",
        paths: &["/cgi-bin/message/custom/send"],
        span: Span::Day,
        new: Some(500_000),
        test: Some(50_000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("mass"),
        name: "高级群发接口",
        paths: &[
            "/cgi-bin/message/mass/sendall",
            "/cgi-bin/message/mass/send",
        ],
        span: Span::Day,
        new: Some(100),
        test: None,
        per_minute: Some(60),
    },
    Row {
        key: QuotaKey("news_upload"),
        name: "上传图文消息接口",
        paths: &["/cgi-bin/media/uploadnews"],
        span: Span::Day,
        new: Some(10),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("news_delete"),
        name: "删除图文消息接口",
        paths: &["/cgi-bin/message/mass/delete"],
        span: Span::Day,
        new: Some(10),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("qr_create"),
        name: "获取带参数的二维码",
        paths: &["/cgi-bin/qrcode/create"],
        span: Span::Day,
        new: Some(100_000),
        test: Some(10_000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("follower_list"),
        name: "获取关注者列表",
        paths: &["/cgi-bin/user/get"],
        span: Span::Day,
        new: Some(500),
        test: Some(100),
        per_minute: None,
    },
    Row {
        key: QuotaKey("user_info"),
        name: "获取用户基本信息",
        paths: &["/cgi-bin/user/info", "/cgi-bin/user/info/batchget"],
        span: Span::Day,
        new: Some(5_000_000),
        test: Some(500_000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("remark"),
        name: "设置用户备注名",
        paths: &["/cgi-bin/user/info/updateremark"],
        span: Span::Day,
        new: Some(10_000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("draft_add"),
        name: "草稿箱-新建草稿",
        paths: &["/cgi-bin/draft/add"],
        span: Span::Day,
        new: Some(1000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("draft_get"),
        name: "草稿箱-获取草稿",
        paths: &["/cgi-bin/draft/get"],
        span: Span::Day,
        new: Some(500),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("draft_delete"),
        name: "草稿箱-删除草稿",
        paths: &["/cgi-bin/draft/delete"],
        span: Span::Day,
        new: Some(1000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("draft_update"),
        name: "草稿箱-修改草稿",
        paths: &["/cgi-bin/draft/update"],
        span: Span::Day,
        new: Some(1000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("draft_count"),
        name: "草稿箱-获取草稿总数",
        paths: &["/cgi-bin/draft/count"],
        span: Span::Day,
        new: Some(1000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("draft_list"),
        name: "草稿箱-获取草稿列表",
        paths: &["/cgi-bin/draft/batchget"],
        span: Span::Day,
        new: Some(1000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("publish_submit"),
        name: "发布能力-发布接口",
        paths: &["/cgi-bin/freepublish/submit"],
        span: Span::Day,
        new: Some(100),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("publish_status"),
        name: "发布能力-发布状态轮询接口",
        paths: &["/cgi-bin/freepublish/get"],
        span: Span::Day,
        new: Some(100),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("publish_delete"),
        name: "发布能力-删除发布",
        paths: &["/cgi-bin/freepublish/delete"],
        span: Span::Day,
        new: Some(10),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("publish_article"),
        name: "发布能力-通过article_id获取已发布文章",
        paths: &["/cgi-bin/freepublish/getarticle"],
        span: Span::Day,
        new: Some(100),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("publish_list"),
        name: "发布能力-获取成功发布列表",
        paths: &["/cgi-bin/freepublish/batchget"],
        span: Span::Day,
        new: Some(100),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("menu_addconditional"),
        name: "个性化菜单创建",
        paths: &["/cgi-bin/menu/addconditional"],
        span: Span::Day,
        new: Some(2000),
        test: Some(2000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("menu_delconditional"),
        name: "个性化菜单删除",
        paths: &["/cgi-bin/menu/delconditional"],
        span: Span::Day,
        new: Some(2000),
        test: Some(2000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("menu_trymatch"),
        name: "个性化菜单匹配测试",
        paths: &["/cgi-bin/menu/trymatch"],
        span: Span::Day,
        new: Some(20_000),
        test: Some(20_000),
        per_minute: None,
    },
    Row {
        key: QuotaKey("mass_preview"),
        name: "群发消息预览",
        paths: &["/cgi-bin/message/mass/preview"],
        span: Span::Day,
        new: Some(100),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("template_send"),
        name: "发送模板消息",
        paths: &["/cgi-bin/message/template/send"],
        span: Span::Day,
        new: Some(100_000),
        test: None,
        per_minute: None,
    },
    Row {
        key: QuotaKey("set_industry"),
        name: "设置所属行业",
        paths: &["/cgi-bin/template/api_set_industry"],
        span: Span::Month,
        new: Some(1),
        test: Some(1),
        per_minute: None,
    },
    Row {
        key: QuotaKey("clear_quota_total"),
        name: "清空全部接口的调用次数",
        paths: &["/cgi-bin/clear_quota", "/cgi-bin/clear_quota/v2"],
        span: Span::Month,
        new: Some(10),
        test: Some(10),
        per_minute: None,
    },
    Row {
        key: QuotaKey("openapi_quota_clear"),
        name: "重置指定接口的调用次数",
        paths: &["/cgi-bin/openapi/quota/clear"],
        span: Span::Month,
        new: Some(50),
        test: Some(50),
        per_minute: None,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_no_path_counts_twice() {
        let keys: BTreeSet<&str> = ROWS.iter().map(|row| row.key.name()).collect();
        assert_eq!(keys.len(), ROWS.len());
        let paths: Vec<&str> = ROWS.iter().flat_map(|row| row.paths).copied().collect();
        let different: BTreeSet<&str> = paths.iter().copied().collect();
        assert_eq!(different.len(), paths.len());
        for row in ROWS {
            assert!(!row.paths.is_empty(), "{}", row.key);
            for path in row.paths {
                assert!(path.starts_with("/cgi-bin/"), "{path}");
                assert_eq!(QuotaKey::of_path(path), Some(row.key));
            }
            assert_eq!(QuotaKey::find(row.key.name()), Some(row.key));
        }
        for key in [
            QuotaKey::CUSTOM_SEND,
            QuotaKey::TICKET,
            QuotaKey::CLEAR_ALL,
            QuotaKey::CLEAR_ONE,
        ] {
            assert!(key.row().is_some(), "{key}");
        }
    }
}
