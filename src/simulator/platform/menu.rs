//! Custom menus: the default one, conditional ones, and the one that was made in the console.

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::answer::Refusal;
use super::endpoint::Endpoint;
use super::endpoint::Handled;
use super::endpoint::Visit;
use super::endpoint::get;
use super::endpoint::number;
use super::endpoint::post;
use super::endpoint::text;
use super::quota::QuotaRow;
use super::users::Follower;

mod button;

pub use button::MAX_KEY_BYTES;
pub use button::MAX_NAME_BYTES;
pub use button::MAX_SUB_BUTTONS;
pub use button::MAX_SUB_NAME_BYTES;
pub use button::MAX_TOP_BUTTONS;
pub use button::MAX_URL_BYTES;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/cgi-bin/menu/create", create).counted(QuotaRow::MenuCreate),
    get("/cgi-bin/menu/get", show).counted(QuotaRow::MenuGet),
    get("/cgi-bin/menu/delete", delete).counted(QuotaRow::MenuDelete),
    post("/cgi-bin/menu/addconditional", add_conditional).counted(QuotaRow::MenuAddConditional),
    post("/cgi-bin/menu/delconditional", delete_conditional)
        .counted(QuotaRow::MenuDeleteConditional),
    post("/cgi-bin/menu/trymatch", try_match).counted(QuotaRow::MenuTryMatch),
    get("/cgi-bin/get_current_selfmenu_info", current),
];

/// Domains to which all conditional menus of an account may link, together.
const MAX_CONDITIONAL_DOMAINS: usize = 3;

/// Conditional menus kept for an account. The platform names a code for it, 65305, and no figure.
const MAX_CONDITIONAL_MENUS: usize = 1_000;

/// Members of a match rule that the platform has withdrawn.
const WITHDRAWN: &[&str] = &["sex", "country", "province", "city", "language"];

/// Menu ids look like this; callers must not rely on their size.
const FIRST_MENU_ID: u64 = 4_208_396_938;

#[derive(Debug)]
struct Menu {
    id: u64,
    buttons: Value,
    match_rule: Value,
}

/// The menus of one account.
#[derive(Debug, Default)]
pub(super) struct Menus {
    default: Option<Menu>,
    /// Oldest first.
    conditional: Vec<Menu>,
    /// What the console made: `selfmenu_info`, in the console's own words.
    console: Option<Value>,
    made: u64,
}

impl Menus {
    fn next_id(&mut self) -> u64 {
        self.made += 1;
        FIRST_MENU_ID + self.made * 55
    }

    /// Somebody makes a menu in the console, or takes it away; `selfmenu_info` as the platform answers it.
    pub(super) fn set_console(&mut self, menu: Option<Value>) {
        self.default = None;
        self.conditional.clear();
        self.console = menu;
    }

    fn conditional_domains(&self, more: &Value) -> usize {
        let all = self.conditional.iter().map(|menu| &menu.buttons);
        let mut domains: Vec<String> = all.chain([more]).flat_map(button::domains).collect();
        domains.sort_unstable();
        domains.dedup();
        domains.len()
    }

    /// The buttons that this user sees: the newest conditional menu that fits, else the default one.
    fn seen_by(&self, user: &Follower) -> Option<&Value> {
        let newest_first = self.conditional.iter().rev();
        let fitting = newest_first
            .into_iter()
            .find(|menu| fits(&menu.match_rule, user));
        fitting.or(self.default.as_ref()).map(|menu| &menu.buttons)
    }

    pub(super) fn view(&self) -> Value {
        let shown = |menu: &Menu| json!({ "button": menu.buttons, "menuid": menu.id });
        json!({
            "menu": self.default.as_ref().map(shown),
            "conditionalmenu": self.conditional.iter().rev().map(with_rule).collect::<Vec<_>>(),
            "console": self.console,
        })
    }
}

fn with_rule(menu: &Menu) -> Value {
    json!({ "button": menu.buttons, "matchrule": menu.match_rule, "menuid": menu.id })
}

/// Whether every member of the rule that says something is true of the user.
fn fits(rule: &Value, user: &Follower) -> bool {
    let tag = number(rule, "tag_id").or_else(|| number(rule, "group_id"));
    let platform = number(rule, "client_platform_type");
    tag.is_none_or(|tag| user.tags.contains(&tag))
        && platform.is_none_or(|platform| user.client_platform == Some(platform))
}

/// `POST /cgi-bin/menu/create`
fn create(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    let buttons = button::check(visit, &request["button"])?;
    let menus = &mut visit.state.menus;
    let id = menus.next_id();
    menus.console = None;
    menus.default = Some(Menu {
        id,
        buttons,
        match_rule: Value::Null,
    });
    Ok(Answer::ok())
}

/// `GET /cgi-bin/menu/get`: only menus that were made through the API.
fn show(visit: &mut Visit<'_>) -> Handled {
    let menus = &visit.state.menus;
    let default = menus.default.as_ref().ok_or(Refusal::code(46003))?;
    let mut shown = json!({ "menu": { "button": default.buttons, "menuid": default.id } });
    if !menus.conditional.is_empty() {
        let newest_first = menus.conditional.iter().rev().map(with_rule);
        shown["conditionalmenu"] = newest_first.collect();
    }
    Ok(Answer::json(shown.to_string()))
}

/// `GET /cgi-bin/menu/delete`: every conditional menu goes, too.
fn delete(visit: &mut Visit<'_>) -> Handled {
    let menus = &mut visit.state.menus;
    menus.default = None;
    menus.conditional.clear();
    menus.console = None;
    Ok(Answer::ok())
}

/// `POST /cgi-bin/menu/addconditional`
fn add_conditional(visit: &mut Visit<'_>) -> Handled {
    let request = visit.text_json()?;
    if visit.state.menus.default.is_none() {
        return Err(Refusal::code(65303));
    }
    let match_rule = check_rule(&request["matchrule"])?;
    let buttons = button::check(visit, &request["button"])?;
    let menus = &mut visit.state.menus;
    if menus.conditional_domains(&buttons) > MAX_CONDITIONAL_DOMAINS {
        return Err(Refusal::code(65316));
    }
    if menus.conditional.len() >= MAX_CONDITIONAL_MENUS {
        return Err(Refusal::code(65305));
    }
    let id = menus.next_id();
    menus.conditional.push(Menu {
        id,
        buttons,
        match_rule,
    });
    let made = json!({ "menuid": id.to_string() });
    Ok(Answer::json(made.to_string()))
}

/// A rule that says something, and nothing that was withdrawn.
fn check_rule(rule: &Value) -> Result<Value, Refusal> {
    let members = rule.as_object().ok_or(Refusal::code(65304))?;
    let says = |value: &Value| !matches!(value, Value::Null) && value.as_str() != Some("");
    if WITHDRAWN.iter().any(|name| says(&rule[*name])) {
        return Err(Refusal::code(65320));
    }
    let said: serde_json::Map<String, Value> = members
        .iter()
        .filter(|(_, value)| says(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if said.is_empty() {
        return Err(Refusal::code(65304));
    }
    match number(rule, "client_platform_type") {
        None | Some(1..=3) => Ok(Value::Object(said)),
        Some(_) => Err(Refusal::code(40035)),
    }
}

/// `POST /cgi-bin/menu/delconditional`
fn delete_conditional(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let id = number(&request, "menuid");
    let conditional = &mut visit.state.menus.conditional;
    let before = conditional.len();
    conditional.retain(|menu| i64::try_from(menu.id).ok() != id);
    match conditional.len() < before {
        true => Ok(Answer::ok()),
        false => Err(Refusal::code(65301)),
    }
}

/// `POST /cgi-bin/menu/trymatch`
fn try_match(visit: &mut Visit<'_>) -> Handled {
    let request = visit.json()?;
    let user_id = text(&request, "user_id").ok_or(Refusal::code(65302))?;
    let state = &mut *visit.state;
    let user = state.followers.user(visit.now, user_id);
    let user = user
        .filter(|user| user.follows())
        .ok_or(Refusal::code(65302))?;
    let buttons = state.menus.seen_by(user).ok_or(Refusal::code(46003))?;
    Ok(Answer::json(json!({ "button": buttons }).to_string()))
}

/// `GET /cgi-bin/get_current_selfmenu_info`: what users see, wherever it was made.
fn current(visit: &mut Visit<'_>) -> Handled {
    let menus = &visit.state.menus;
    let shown = match (&menus.console, &menus.default) {
        (Some(console), _) => json!({ "is_menu_open": 1, "selfmenu_info": console }),
        (None, Some(default)) => {
            let buttons = button::with_lists(&default.buttons);
            json!({ "is_menu_open": 1, "selfmenu_info": { "button": buttons } })
        }
        (None, None) => json!({ "is_menu_open": 0, "selfmenu_info": { "button": [] } }),
    };
    Ok(Answer::json(shown.to_string()))
}
