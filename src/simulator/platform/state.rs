//! What the platform keeps for one account.

use super::Settings;
use super::Users;
use super::draft::Drafts;
use super::job::Jobs;
use super::library::Library;
use super::mass::Masses;
use super::media::Media;
use super::menu::Menus;
use super::publish::Publications;
use super::qr::Codes;
use super::quota;
use super::service::Service;
use super::shorten::ShortKeys;
use super::tags::Tags;
use super::template::Templates;
use super::typing::Talks;
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
    pub(super) drafts: Drafts,
    pub(super) publications: Publications,
    pub(super) masses: Masses,
    pub(super) templates: Templates,
    pub(super) jobs: Jobs,
    pub(super) talks: Talks,
    pub(super) short_keys: ShortKeys,
    pub(super) service: Service,
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
            drafts: Drafts::default(),
            publications: Publications::default(),
            masses: Masses::default(),
            templates: Templates::default(),
            jobs: Jobs::default(),
            talks: Talks::default(),
            short_keys: ShortKeys::default(),
            service: Service::default(),
        }
    }
}
