//! Subscription templates.

use super::{Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(200_011, Class::Permission, "the account is banned", ""),
    row(200_012, Class::Quota, "too many templates", ""),
    row(200_013, Class::Permission, "the template is banned", ""),
    row(200_014, Class::Bug, "the template's number is not valid", ""),
    row(200_016, Class::Bug, "the start is not valid", ""),
    row(200_017, Class::Bug, "the limit is not valid", ""),
    row(200_018, Class::Bug, "the categories are missing", ""),
    row(200_019, Class::Bug, "the categories are not valid", ""),
    row(200_020, Class::Bug, "the keywords are not valid", ""),
    row(200_021, Class::Bug, "the description of the scene is not valid", ""),
    row(200_022, Class::Bug, "the template was added before", ""),
    row(200_100, Class::Permission, "this kind of account has no templates", ""),
];
