//! Looking at what the platform keeps of an account, and arranging what no call can.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::JobKind;
use super::Platform;
use super::QuotaOrder;
use super::QuotaRow;
use super::state::State;
use crate::clock::Timestamp;

/// What can be looked at, of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shelf {
    /// Everybody who was ever seen: following or not, remark, tags, blacklist.
    Users,
    /// Tags, with how many followers have each.
    Tags,
    /// The default menu, the conditional ones, and the console's.
    Menus,
    /// Temporary media that are still good.
    Media,
    /// Permanent material.
    Library,
    /// QR codes and their scenes.
    Codes,
    /// Calls of today and clears of this month.
    Quota,
    /// Drafts, newest first.
    Drafts,
    /// Jobs of publishing, and what became of them.
    Publications,
    /// Mass messages, and what became of them.
    Masses,
    /// Templates, and how many notices users still want.
    Templates,
    /// Accounts of customer service, their sessions, and how many users wait.
    Service,
}

/// What somebody arranges in the console, or what is assumed for a test.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Arrangement {
    /// Other limits, or another count, for one row of the quota tables.
    Quota {
        /// Which row, by its key: `custom_send`.
        row: QuotaRow,
        /// What changes.
        #[serde(default)]
        order: QuotaOrder,
    },
    /// A menu made in the console: `selfmenu_info` as `get_current_selfmenu_info` answers it. Menus that
    /// the API made vanish; null: the server URL was switched on, and the console's menu vanishes.
    ConsoleMenu(Option<Value>),
    /// A user scans the QR code of this ticket. The server is told: `subscribe` or `SCAN`.
    Scan {
        /// Who.
        openid: String,
        /// Which code.
        ticket: String,
    },
    /// How the next job of a kind ends: `err(30003)` or `send fail` for a mass message, `failed:user block`
    /// or `failed: system failed` for a template message, `2` to `6` for publishing, `43101 refused` for a
    /// notice.
    NextJob {
        /// Which kind.
        kind: JobKind,
        /// Its end.
        status: String,
    },
    /// A user agrees to notices by a template.
    Consent {
        /// Who.
        openid: String,
        /// By which template.
        template_id: String,
        /// To how many.
        #[serde(default = "one")]
        count: u64,
    },
    /// A person accepts to answer under an account of customer service, or goes on- and offline.
    Agent {
        /// The account: `NAME@the account's WeChat name`.
        kf_account: String,
        /// Whether they are online.
        is_online: bool,
    },
    /// A user waits for somebody to answer, as after a `transfer_customer_service`.
    Waiting {
        /// Who.
        openid: String,
    },
    /// With what a user opens WeChat: 1 iOS, 2 Android, 3 another. Conditional menus look at it.
    ClientPlatform {
        /// Who.
        openid: String,
        /// With what.
        client_platform_type: i64,
    },
}

const fn one() -> u64 {
    1
}

/// Why nothing was arranged or shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectionError {
    /// No such account.
    #[error("the account {0:?} is not known; leave app_id out for the first one")]
    Account(String),
    /// No such user, and nobody who could become one.
    #[error("the user {0:?} is not known to the account")]
    User(String),
    /// No code has this ticket.
    #[error("no QR code has this ticket, or its time is over")]
    Ticket,
    /// No such account of customer service.
    #[error("the customer-service account {0:?} is not known; make it with kfaccount/add")]
    Agent(String),
    /// There is no room for more of it.
    #[error("too much of this was arranged already")]
    TooMuch,
}

impl Platform {
    fn place(&self, app_id: Option<&str>) -> Result<usize, InspectionError> {
        let accounts = &self.settings.accounts;
        let is_meant = |known: &str| app_id.is_none_or(|app_id| app_id == known);
        accounts
            .iter()
            .position(|account| is_meant(account.app_id.as_str()))
            .ok_or_else(|| InspectionError::Account(app_id.unwrap_or_default().to_owned()))
    }

    /// What the platform keeps of an account, of the first one when none is named.
    ///
    /// # Errors
    /// [`InspectionError::Account`] when no account has this AppID.
    pub fn look(
        &mut self,
        now: Timestamp,
        app_id: Option<&str>,
        shelf: Shelf,
    ) -> Result<Value, InspectionError> {
        self.settle(now);
        let state = &self.states[self.place(app_id)?];
        Ok(match shelf {
            Shelf::Users => state.followers.view().into(),
            Shelf::Tags => tags(state),
            Shelf::Menus => state.menus.view(),
            Shelf::Media => state.media.view(now).into(),
            Shelf::Library => state.library.view().into(),
            Shelf::Codes => state.codes.view().into(),
            Shelf::Quota => state.quota.view(now),
            Shelf::Drafts => state.drafts.view().into(),
            Shelf::Publications => state.publications.view().into(),
            Shelf::Masses => state.masses.view().into(),
            Shelf::Templates => state.templates.view(),
            Shelf::Service => state.service.view(),
        })
    }

    /// Arranges something for an account, for the first one when none is named.
    ///
    /// # Errors
    /// [`InspectionError`] when account or user are not known.
    pub fn arrange(
        &mut self,
        now: Timestamp,
        app_id: Option<&str>,
        arrangement: Arrangement,
    ) -> Result<(), InspectionError> {
        let place = self.place(app_id)?;
        if let Arrangement::Scan { openid, ticket } = arrangement {
            return self.scan(now, place, openid, &ticket);
        }
        let state = &mut self.states[place];
        match arrangement {
            Arrangement::Quota { row, order } => state.quota.order(now, row, order),
            Arrangement::ConsoleMenu(menu) => state.menus.set_console(menu),
            // Done above: it is more than the account's own state.
            Arrangement::Scan { .. } => {}
            Arrangement::NextJob { kind, status } => {
                if !state.jobs.decide(kind, status) {
                    return Err(InspectionError::TooMuch);
                }
            }
            Arrangement::Consent {
                openid,
                template_id,
                count,
            } => {
                if !state.templates.consent(openid, template_id, count) {
                    return Err(InspectionError::TooMuch);
                }
            }
            Arrangement::Agent {
                kf_account,
                is_online,
            } => {
                let set = state.service.set_online(&kf_account, is_online);
                set.ok_or(InspectionError::Agent(kf_account))?;
            }
            Arrangement::Waiting { openid } => {
                if !state.service.wait(now, openid) {
                    return Err(InspectionError::TooMuch);
                }
            }
            Arrangement::ClientPlatform {
                openid,
                client_platform_type,
            } => {
                let user = state.followers.user(now, &openid);
                let user = user.ok_or(InspectionError::User(openid))?;
                user.client_platform = Some(client_platform_type);
            }
        }
        Ok(())
    }

    /// How often a path was called, as far as calls are remembered.
    pub fn times_called(&self, path: &str) -> usize {
        self.calls_after(0).filter(|call| call.path == path).count()
    }
}

fn tags(state: &State) -> Value {
    let tags = state.tags.all().map(|(id, name)| {
        let count = state.followers.fans(id, None).count();
        json!({ "id": id, "name": name, "count": count })
    });
    tags.collect()
}
