//! What exists, and what the account may do.

use super::{Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(46001, Class::Bug, "the media does not exist", ""),
    row(46002, Class::Bug, "the menu's version does not exist", ""),
    row(46003, Class::Bug, "there is no menu", ""),
    row(46004, Class::Bug, "the user does not exist", ""),
    row(46007, Class::Transient, "the file is being converted", ""),
    row(47001, Class::Bug, "the body cannot be parsed", ""),
    row(47002, Class::Bug, "characters must be raw UTF-8", "send characters raw, not as \\uXXXX"),
    row(47003, Class::Bug, "an argument is not valid", "the message names the field"),
    row(48001, Class::Permission, "the account may not call this", "see in the console which interfaces this account has"),
    row(48002, Class::User, "the user switched messages off", ""),
    row(48003, Class::Permission, "the agreement on mass messages is not accepted", "accept it in the console"),
    row(48004, Class::Risk, "this call is forbidden to the account", "see the notice in the console, and appeal"),
    row(48005, Class::Permission, "the material is used by an automatic reply or the menu", ""),
    row(48006, Class::Quota, "quotas cannot be cleared again this month", ""),
    row(48008, Class::Permission, "the account may not send this type of message", ""),
    row(48009, Class::Permission, "this call is expired", ""),
    row(48010, Class::Permission, "this material cannot be changed", ""),
    row(48011, Class::Permission, "the template is disabled", ""),
    row(48021, Class::Permission, "an automatically saved draft cannot be sent", ""),
    row(48022, Class::Permission, "a video uploaded by the API cannot be sent", ""),
    row(50001, Class::Permission, "the account or the user did not authorise this", ""),
    row(50002, Class::Risk, "the account is limited", "see the notice in the console"),
    row(50003, Class::Permission, "the user is not in the white list", ""),
    row(50004, Class::Risk, "the account may not use access tokens", "see the notice in the console"),
    row(50005, Class::User, "the user no longer follows", ""),
    row(50007, Class::Risk, "the account is frozen", "see the notice in the console"),
    row(53404, Class::Permission, "the account's commerce is limited", ""),
    row(53405, Class::Permission, "the product is not valid", ""),
    row(53406, Class::Permission, "commerce is not enabled", ""),
    row(53600, Class::Bug, "the article does not exist", ""),
];
