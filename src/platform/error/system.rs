//! Failures inside the platform, and codes of single services.

use super::{Class, Row, row};

#[rustfmt::skip] // one line for each code
pub(super) const ROWS: &[Row] = &[
    row(-1, Class::Transient, "the platform is busy (system error)", "try again later; whether the call was executed is not known"),
    row(0, Class::Ok, "done", ""),
    row(4, Class::Transient, "a failure without a text", "try again later; whether the call was executed is not known"),
    row(404, Class::Bug, "no such path", "check the path of the call"),
    row(20001, Class::Transient, "system error of the template service", ""),
    row(20002, Class::Bug, "bad parameters for the template service", ""),
    row(200_001, Class::Transient, "system error of the subscription template service", ""),
    row(200_002, Class::Bug, "bad parameters for the subscription template service", ""),
    row(9_001_001, Class::Bug, "the posted data is invalid", ""),
    row(9_001_007, Class::Bug, "the file is missing", ""),
    row(9_001_008, Class::Bug, "the type of the file is not accepted", ""),
    row(9_410_010, Class::Bug, "the long text of a short key exceeds 4 KB", ""),
    row(9_410_011, Class::Bug, "a short key may live 30 days at most", ""),
    row(9_410_012, Class::Bug, "the short key is not known", ""),
    row(9_500_001, Class::Bug, "the mass message is refused", ""),
    row(9_500_002, Class::Bug, "the mass message is refused", ""),
    row(10_170_001, Class::Bug, "the product card is invalid", ""),
    row(10_170_002, Class::Bug, "the product card is invalid", ""),
    row(10_170_003, Class::Bug, "the product card is invalid", ""),
    row(268_487_001, Class::Transient, "the platform is busy (black list)", ""),
    row(268_487_002, Class::Transient, "the platform is busy (list of followers)", ""),
    row(268_488_001, Class::Transient, "the platform is busy (mass message)", ""),
];
