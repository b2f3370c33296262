//! What the platform keeps for one account.

use super::Settings;
use super::Users;
use super::library::Library;
use super::media::Media;
use super::menu::Menus;
use super::qr::Codes;
use super::quota;
use super::tags::Tags;
use super::users::Followers;

/// Everything that calls of one account read and change, tokens apart.
#[derive(Debug)]
pub(super) struct State {
    pub(super) quota: quota::Ledger,
    pub(super) followers: Followers,
    pub(super) tags: Tags,
    pub(super) menus: Menus,
    pub(super) media: Media,
    pub(super) library: Library,
    pub(super) codes: Codes,
}

impl State {
    pub(super) fn new(settings: &Settings, users: &Users) -> Self {
        Self {
            quota: quota::Ledger::new(settings.quotas.clone()),
            followers: Followers::new(users),
            tags: Tags::default(),
            menus: Menus::default(),
            media: Media::default(),
            library: Library::new(settings.library),
            codes: Codes::default(),
        }
    }
}
