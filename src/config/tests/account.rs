//! What accounts may say for themselves, and how variables say it.

use std::time::Duration;

use super::{faults, file, loaded, with_account};
use crate::quota::window::Figure;

#[test]
fn an_account_may_have_windows_and_quotas_of_its_own() {
    let text = "[accounts.shop]\napp_id = \"wxa\"\ntoken = \"token123\"\n\
                windows.message = \"20 in 48h\"\nquota.times = 10\nquota.limits = [\"custom_send=7\"]\n\
                [accounts.crm]\napp_id = \"wxb\"\ntoken = \"token123\"\nquota.test = true\n\
                [quota]\ntimes = 2\n";
    let config = loaded(&file(text));
    let [shop, crm] = ["wxa", "wxb"].map(|id| crate::id::AppId::parse(id).unwrap());
    let own = &config.dispatch.account_windows;
    let day = Duration::from_secs(172_800);
    assert_eq!(own[&shop].message, Figure::new(20, day).unwrap());
    assert_eq!(own[&shop].menu, config.dispatch.windows.menu);
    assert_eq!((own.len(), own.contains_key(&crm)), (1, false));
    let limits = &config.quota.quotas.accounts;
    let custom_send = crate::quota::QuotaKey::find("custom_send").unwrap();
    assert_eq!((limits[&shop].times, limits[&crm].times), (10, 2));
    assert_eq!(limits[&shop].limits[&custom_send], 7);
    assert!(limits[&crm].limits.is_empty());
    assert_eq!(limits[&crm].class, crate::quota::AccountClass::Test);
    assert_eq!(limits[&shop].class, crate::quota::AccountClass::New);
    let wrong = text
        .replace("20 in 48h", "20")
        .replace("custom_send=7", "shop/custom_send=7");
    insta::assert_snapshot!(faults(&file(&wrong)), @r#"
    accounts.shop.windows.message = "20" (file wxhook.toml, line 4): is not a number of messages and a time; write it like "5 in 48h"
    accounts.shop.quota.limits = "shop/custom_send=7" (file wxhook.toml, line 6): "shop/custom_send=7" names an account, and stands in one; write KEY=NUMBER: custom_send=1000000
    "#);
}

#[test]
fn any_variable_may_name_a_file_and_a_slip_is_told_as_a_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("previous");
    std::fs::write(&path, "oldtoken1\n").unwrap();
    let path = path.to_str().unwrap();
    for name in [
        "WECHAT_PREVIOUS_TOKEN_FILE",
        "WXHOOK__ACCOUNTS__DEFAULT__PREVIOUS_TOKEN_FILE",
    ] {
        let config = loaded(&with_account(&[(name, path)]));
        let token = config.accounts["default"].credentials.token();
        let previous = token.previous.as_ref();
        assert!(
            previous.is_some_and(|token| token.matches("oldtoken1")),
            "{name}"
        );
    }
    let wrong = faults(&with_account(&[
        ("WXHOOK__SERVER__LISEN", "x"),
        ("WXHOOK__ADMIN__KEY", "0123456789abcdef"),
        ("WXHOOK__ADMIN__KEY_FILE", path),
        ("WXHOOK__LOG__FILTER_FILE", "/nowhere/filter"),
        ("WXHOOK__COLOUR", "red"),
    ]));
    let wrong = wrong.to_string().replace(path, "FILE");
    insta::assert_snapshot!(wrong, @r#"
    WXHOOK__ADMIN__KEY = "FILE" (environment variable WXHOOK__ADMIN__KEY_FILE): is set beside WXHOOK__ADMIN__KEY; set only one of the two
    log.filter = "/nowhere/filter" (environment variable WXHOOK__LOG__FILTER_FILE): cannot be read: No such file or directory (os error 2); name a file that this process may read
    colour (environment variable WXHOOK__COLOUR): is not a setting of wxhook; remove it; wxhook.example.toml lists every setting
    server.lisen (environment variable WXHOOK__SERVER__LISEN): is not a setting of wxhook; did you mean WXHOOK__SERVER__LISTEN?
    "#);
}
