//! The rows of the quota tables.
//!
//! Source: the table of call limits in the official guide for service accounts, and the pages of the
//! endpoints that name limits of their own, as written in 2026.

use serde::Deserialize;
use serde::Serialize;

/// Declares the rows once: name, key, calls a day for a new account and for a test account (0: not in
/// the table), calls a minute (0: none named).
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident $key:literal $new:literal $test:literal $minute:literal;)*) => {
        /// A row of the quota tables: calls to its endpoints are counted together.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum QuotaRow {
            $($(#[$doc])* #[serde(rename = $key)] $name,)*
        }

        impl QuotaRow {
            /// Its name in settings and listings.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            const fn figures(self) -> [u64; 3] {
                match self { $(Self::$name => [$new, $test, $minute],)* }
            }
        }
    };
}

rows! {
    /// 获取access_token
    Token "token" 2_000 200 0;
    /// 自定义菜单创建
    MenuCreate "menu_create" 1_000 100 0;
    /// 自定义菜单查询
    MenuGet "menu_get" 10_000 1_000 0;
    /// 自定义菜单删除
    MenuDelete "menu_delete" 1_000 100 0;
    /// Conditional menus added, from their own page.
    MenuAddConditional "menu_addconditional" 2_000 0 0;
    /// Conditional menus deleted, from their own page.
    MenuDeleteConditional "menu_delconditional" 2_000 0 0;
    /// Conditional menus tried, from their own page.
    MenuTryMatch "menu_trymatch" 20_000 0 0;
    /// 创建分组, and creating tags
    TagCreate "tag_create" 1_000 100 0;
    /// 获取分组, and listing tags
    TagList "tag_list" 1_000 100 0;
    /// 修改分组名, and renaming tags
    TagUpdate "tag_update" 1_000 100 0;
    /// 移动用户分组, and tagging users
    MoveUser "move_user" 100_000 1_000 0;
    /// 素材管理-临时素材上传
    MediaUpload "media_upload" 100_000 500 0;
    /// 素材管理-临时素材下载
    MediaDownload "media_download" 200_000 1_000 0;
    /// 发送客服消息
    CustomSend "custom_send" 500_000 50_000 0;
    /// 高级群发接口
    Mass "mass" 100 0 60;
    /// 上传图文消息接口
    NewsUpload "news_upload" 10 0 0;
    /// 删除图文消息接口
    NewsDelete "news_delete" 10 0 0;
    /// Previews by WeChat ID, from their own page.
    MassPreviewName "mass_preview_wxname" 100 0 0;
    /// 获取带参数的二维码
    QrCreate "qr_create" 100_000 10_000 0;
    /// 获取关注者列表
    FollowerList "follower_list" 500 100 0;
    /// 获取用户基本信息
    UserInfo "user_info" 5_000_000 500_000 0;
    /// 设置用户备注名
    Remark "remark" 10_000 0 0;
    /// 草稿箱-新建草稿
    DraftAdd "draft_add" 1_000 0 0;
    /// 草稿箱-获取草稿
    DraftGet "draft_get" 500 0 0;
    /// 草稿箱-删除草稿
    DraftDelete "draft_delete" 1_000 0 0;
    /// 草稿箱-修改草稿
    DraftUpdate "draft_update" 1_000 0 0;
    /// 草稿箱-获取草稿总数
    DraftCount "draft_count" 1_000 0 0;
    /// 草稿箱-获取草稿列表
    DraftList "draft_list" 1_000 0 0;
    /// 发布能力-发布接口
    PublishSubmit "publish_submit" 100 0 0;
    /// 发布能力-发布状态轮询接口
    PublishStatus "publish_status" 100 0 0;
    /// 发布能力-删除发布
    PublishDelete "publish_delete" 10 0 0;
    /// 发布能力-通过article_id获取已发布文章
    PublishArticle "publish_article" 100 0 0;
    /// 发布能力-获取成功发布列表
    PublishList "publish_list" 100 0 0;
    /// Template messages, from the guide.
    TemplateSend "template_send" 100_000 0 0;
}

impl QuotaRow {
    pub(super) const fn for_new_account(self) -> Option<u64> {
        given(self.figures()[0])
    }

    pub(super) const fn for_test_account(self) -> Option<u64> {
        given(self.figures()[1])
    }

    pub(super) const fn per_minute(self) -> Option<u64> {
        given(self.figures()[2])
    }
}

const fn given(figure: u64) -> Option<u64> {
    match figure {
        0 => None,
        figure => Some(figure),
    }
}
