//! How what the account sent or published has ended.

use crate::protocol::push::element::record;
use crate::protocol::push::vocabulary::family;
use crate::protocol::push::{Flag, Id, Number};

mod outcome;

pub use outcome::{MassSendFailure, PublishStatus, TemplateOutcome};

record! {
    /// Whether articles of a broadcast are copies of others' originals.
    CopyrightCheck {
        /// How many articles it should be; trust the articles instead.
        count: Number = "Count",
        /// The articles that were looked at.
        articles: Vec<CopyrightArticle> = "ResultList/item",
        /// 1: no copy; 2: a copy, may be sent; 3: a copy, may not be sent; 0 was seen, too.
        check_state: Number = "CheckState",
    }
}

record! {
    /// Whether one article of a broadcast is a copy.
    CopyrightArticle {
        /// Which article, from 1.
        article_idx: Number = "ArticleIdx",
        /// What its author declared.
        user_declare_state: Number = "UserDeclareState",
        /// What the platform found.
        audit_state: Number = "AuditState",
        /// Where the original stands.
        original_article_url: String = "OriginalArticleUrl",
        /// What kind of original it is.
        original_article_type: Number = "OriginalArticleType",
        /// Whether it may be reprinted.
        can_reprint: Flag = "CanReprint",
        /// Whether its content must be replaced by the original's.
        need_replace_content: Flag = "NeedReplaceContent",
        /// Whether its source must be named.
        need_show_reprint_source: Flag = "NeedShowReprintSource",
    }
}

record! {
    /// Where one article of a broadcast stands.
    ArticleUrl {
        /// Which article, from 1.
        article_idx: Number = "ArticleIdx",
        /// Where it stands.
        article_url: String = "ArticleUrl",
    }
}

record! {
    /// Where one published article stands.
    PublishedArticle {
        /// Which article, from 1.
        idx: Number = "idx",
        /// Where it stands.
        article_url: String = "article_url",
    }
}

record! {
    /// Whether a user wants the messages of a template, asked for by a dialogue.
    SubscribePopup {
        /// The template.
        template_id: String = "TemplateId",
        /// `accept` or `reject`.
        status: String = "SubscribeStatusString",
        /// Where it was asked: 1 on a page, 2 in an article; others in mini programs.
        popup_scene: Option<Number> = "PopupScene",
    }
}

record! {
    /// Whether a user wants the messages of a template, changed in the account's settings.
    SubscribeChange {
        /// The template.
        template_id: String = "TemplateId",
        /// `accept` or `reject`.
        status: String = "SubscribeStatusString",
    }
}

record! {
    /// How the sending of one subscription message ended.
    SubscribeSent {
        /// The template.
        template_id: String = "TemplateId",
        /// The message.
        msg_id: Id = "MsgID" | "MsgId",
        /// 0 when it was sent.
        error_code: Number = "ErrorCode",
        /// The same in words.
        error_status: String = "ErrorStatus",
    }
}

family! {
    "job" "Results of sending" / "发送结果"

    event "TEMPLATESENDJOBFINISH" => TemplateSendJobFinish (Active, closed, unanswered)
    "A template message was delivered to its user, or not." / "模板消息发送完成（送达或失败）。"
    {
        /// The `msgid` with which sending was answered.
        msg_id: Id = "MsgID" | "MsgId",
        /// `success`, or why not: [`TemplateSendJobFinish::outcome`].
        status: String = "Status",
    }

    event "MASSSENDJOBFINISH" => MassSendJobFinish (Active, closed, unanswered)
    "A broadcast was sent, or refused." / "群发任务完成。"
    {
        /// The `msg_id` with which sending was answered.
        msg_id: Id = "MsgID" | "MsgId",
        /// `send success`, `send fail` or `err(…)`: [`MassSendJobFinish::failure`].
        status: String = "Status",
        /// Followers of the group that was chosen.
        total_count: Number = "TotalCount",
        /// Those left to whom it was to be sent.
        filter_count: Number = "FilterCount",
        /// Those to whom it was sent.
        sent_count: Number = "SentCount",
        /// Those to whom it could not be sent.
        error_count: Number = "ErrorCount",
        /// Whether its articles are originals.
        copyright_check: Option<CopyrightCheck> = "CopyrightCheckResult",
        /// Where its articles stand.
        articles: Vec<ArticleUrl> = "ArticleUrlResult/ResultList/item",
    }

    event "PUBLISHJOBFINISH" | "FREEPUBLISHJOBFINISH" => PublishJobFinish (Active, closed, unanswered)
    "Articles were published, or refused." / "发布任务完成。"
    {
        /// The `publish_id` with which publishing was answered.
        publish_id: Id = "PublishEventInfo/publish_id",
        /// How it ended: [`PublishJobFinish::status`].
        publish_status: Number = "PublishEventInfo/publish_status",
        /// What was published.
        article_id: Option<String> = "PublishEventInfo/article_id",
        /// How many articles it should be; trust the articles instead.
        count: Option<Number> = "PublishEventInfo/article_detail/count",
        /// Where its articles stand.
        articles: Vec<PublishedArticle> = "PublishEventInfo/article_detail/item",
        /// Which articles failed, from 1.
        failed: Vec<Number> = "PublishEventInfo/fail_idx",
    }

    event "subscribe_msg_popup_event" => SubscribeMsgPopup (Active, closed, unanswered)
    "A user answers the dialogue that asks for subscription messages." / "用户在订阅通知弹窗中操作。"
    {
        /// An answer for each template.
        list: Vec<SubscribePopup> = "SubscribeMsgPopupEvent/List",
    }

    event "subscribe_msg_change_event" => SubscribeMsgChange (Active, closed, unanswered)
    "A user switches subscription messages on or off in the settings." / "用户在设置中管理订阅通知。"
    {
        /// What is wanted for each template.
        list: Vec<SubscribeChange> = "SubscribeMsgChangeEvent/List",
    }

    event "subscribe_msg_sent_event" => SubscribeMsgSent (Active, closed, unanswered)
    "A subscription message was delivered to its user, or not." / "订阅通知发送完成（送达或失败）。"
    {
        /// Each message.
        list: Vec<SubscribeSent> = "SubscribeMsgSentEvent/List",
    }
}

impl SubscribePopup {
    /// Whether the user wants them.
    pub fn accepted(&self) -> bool {
        self.status.eq_ignore_ascii_case("accept")
    }
}

impl SubscribeChange {
    /// Whether the user wants them.
    pub fn accepted(&self) -> bool {
        self.status.eq_ignore_ascii_case("accept")
    }
}

impl SubscribeSent {
    /// Whether it was sent.
    pub fn succeeded(&self) -> bool {
        self.error_code == 0
    }
}
