//! What a call lacks, and how it must be made.

use super::{Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(41005, Class::Bug, "the media data is missing", "the form's field is named media and has a file name"),
    row(41006, Class::Bug, "the media_id is missing", ""),
    row(41007, Class::Bug, "the sub-menu is missing", ""),
    row(41010, Class::Bug, "the url is missing", ""),
    row(41030, Class::Config, "the mini program's page is not known", ""),
    row(42010, Class::Transient, "mass messages follow each other too quickly", "wait a minute"),
    row(43001, Class::Bug, "GET is needed", ""),
    row(43002, Class::Bug, "POST is needed", ""),
    row(43003, Class::Bug, "HTTPS is needed", ""),
    row(43004, Class::User, "the user does not follow", ""),
    row(43005, Class::User, "the user is no friend", ""),
    row(43007, Class::Permission, "the account must authorise this", ""),
    row(43019, Class::User, "the user is on the black list", "take the user off the black list"),
    row(43100, Class::Quota, "the industry was changed too often", "once a month"),
    row(43101, Class::User, "the user did not subscribe to this message", ""),
    row(43104, Class::Permission, "this AppID may not do this", ""),
    row(43107, Class::Risk, "subscription messages are blocked", ""),
    row(43108, Class::Transient, "two messages to one user at the same time", ""),
    row(43116, Class::Permission, "template messages are restricted", ""),
    row(44001, Class::Bug, "the media data is empty", ""),
    row(44002, Class::Bug, "the body is empty", "a body without Content-Length is lost"),
    row(44003, Class::Bug, "the news have no article", ""),
    row(44004, Class::Bug, "the text is empty", ""),
    row(44005, Class::Bug, "the list is empty", ""),
    row(44006, Class::Bug, "the file is empty", ""),
];
