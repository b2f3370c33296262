//! What the texts and numbers of results mean. All are open: the platform adds some without notice.

use super::{MassSendJobFinish, PublishJobFinish, TemplateSendJobFinish};

/// The platform writes the same text with blanks and without.
fn plain(status: &str) -> String {
    let letters = status.chars().filter(|c| !c.is_whitespace());
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// What became of a template message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateOutcome {
    /// It was delivered.
    Delivered,
    /// The user refuses the account's messages.
    UserBlocked,
    /// The platform failed.
    SystemFailed,
    /// Too many were sent.
    FrequencyLimited,
    /// Something else: the status without blanks, in lower case.
    Other(String),
}

impl TemplateSendJobFinish {
    /// What `Status` means.
    pub fn outcome(&self) -> TemplateOutcome {
        let status = plain(&self.status);
        match status.as_str() {
            "success" => TemplateOutcome::Delivered,
            "failed:userblock" => TemplateOutcome::UserBlocked,
            "failed:systemfailed" => TemplateOutcome::SystemFailed,
            "failed:freqlimit" => TemplateOutcome::FrequencyLimited,
            _ => TemplateOutcome::Other(status),
        }
    }

    /// Whether it was delivered.
    pub fn succeeded(&self) -> bool {
        self.outcome() == TemplateOutcome::Delivered
    }
}

/// Why a broadcast was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MassSendFailure {
    /// `send fail`: the platform failed.
    Failed,
    /// 10001: suspected of advertising (涉嫌广告).
    Advertising,
    /// 20001: suspected of politics (涉嫌政治).
    Politics,
    /// 20002: suspected of pornography (涉嫌色情).
    Pornography,
    /// 20004: suspected of harming society (涉嫌社会).
    Society,
    /// 20006: suspected of crime (涉嫌违法犯罪).
    Crime,
    /// 20008: suspected of fraud (涉嫌欺诈).
    Fraud,
    /// 20013: suspected of violating a copyright (涉嫌版权).
    Copyright,
    /// 21000: suspected of something else (涉嫌其他).
    Suspected,
    /// 22000: suspected of promoting each other (涉嫌互推).
    MutualPromotion,
    /// 30001, 30002 or 30003: the check for originals failed, found a copy that may not be sent, or one for
    /// which the sender chose to stop (原创校验).
    Originality(u32),
    /// 40001: an administrator refused (管理员拒绝).
    AdministratorRefused,
    /// 40002: no administrator agreed within 30 minutes (管理员 30 分钟内无响应，超时).
    AdministratorTimeout,
    /// Something else: the status without blanks, in lower case.
    Other(String),
}

impl MassSendJobFinish {
    /// Whether it was sent. Some users may not have got it all the same: `error_count`.
    pub fn succeeded(&self) -> bool {
        plain(&self.status) == "sendsuccess"
    }

    /// What `Status` means, when it was not sent.
    pub fn failure(&self) -> Option<MassSendFailure> {
        let status = plain(&self.status);
        let code = status
            .strip_prefix("err(")
            .and_then(|rest| rest.strip_suffix(')')?.parse().ok());
        Some(match (status.as_str(), code) {
            ("sendsuccess", _) => return None,
            ("sendfail", _) => MassSendFailure::Failed,
            (_, Some(10001)) => MassSendFailure::Advertising,
            (_, Some(20001)) => MassSendFailure::Politics,
            (_, Some(20002)) => MassSendFailure::Pornography,
            (_, Some(20004)) => MassSendFailure::Society,
            (_, Some(20006)) => MassSendFailure::Crime,
            (_, Some(20008)) => MassSendFailure::Fraud,
            (_, Some(20013)) => MassSendFailure::Copyright,
            (_, Some(21000)) => MassSendFailure::Suspected,
            (_, Some(22000)) => MassSendFailure::MutualPromotion,
            (_, Some(code @ 30001..=30003)) => MassSendFailure::Originality(code),
            (_, Some(40001)) => MassSendFailure::AdministratorRefused,
            (_, Some(40002)) => MassSendFailure::AdministratorTimeout,
            _ => MassSendFailure::Other(status),
        })
    }
}

/// How publishing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishStatus {
    /// 0: published.
    Published,
    /// 1: being published.
    Publishing,
    /// 2: the check for originals failed.
    OriginalityFailed,
    /// 3: failed.
    Failed,
    /// 4: refused by the platform's review.
    Rejected,
    /// 5: the account deleted all articles afterwards.
    Deleted,
    /// 6: the platform banned all articles afterwards.
    Banned,
    /// Something else, if it is a number.
    Other(Option<i64>),
}

impl PublishJobFinish {
    /// What `publish_status` means.
    pub fn status(&self) -> PublishStatus {
        match self.publish_status.value() {
            Some(0) => PublishStatus::Published,
            Some(1) => PublishStatus::Publishing,
            Some(2) => PublishStatus::OriginalityFailed,
            Some(3) => PublishStatus::Failed,
            Some(4) => PublishStatus::Rejected,
            Some(5) => PublishStatus::Deleted,
            Some(6) => PublishStatus::Banned,
            other => PublishStatus::Other(other),
        }
    }
}
