//! A menu is written as a file: the one form that reads back the same.

use std::fmt::Write as _;

use super::{Action, Button, Menu};

impl Menu {
    /// The menu as a file, without comments.
    pub fn to_file(&self) -> String {
        let mut text = String::new();
        if self.button.is_empty() {
            text.push_str("button = []\n");
        }
        print(&mut text, "", &self.button);
        for menu in &self.conditionalmenu {
            text.push_str("\n[[conditionalmenu]]\nmatchrule = { ");
            let tag = menu.matchrule.tag_id.map(|tag| format!("tag_id = {tag}"));
            let client = menu.matchrule.client_platform_type;
            let client = client.map(|client| format!("client_platform_type = {}", client.number()));
            let members: Vec<String> = tag.into_iter().chain(client).collect();
            text.push_str(&members.join(", "));
            text.push_str(" }\n");
            print(&mut text, "conditionalmenu.", &menu.button);
        }
        // Every table is set off by a blank line; there is nothing to set the first one off from.
        text.trim_start_matches('\n').to_owned()
    }
}

fn print(text: &mut String, prefix: &str, buttons: &[Button]) {
    for button in buttons {
        let _ = write!(
            text,
            "\n[[{prefix}button]]\nname = {}\n",
            quoted(&button.name)
        );
        match &button.action {
            Action::Open(inner) => {
                for button in inner {
                    let name = quoted(&button.name);
                    let _ = write!(text, "\n[[{prefix}button.sub_button]]\nname = {name}\n");
                    members(text, &button.action);
                }
            }
            action => members(text, action),
        }
    }
}

fn members(text: &mut String, action: &Action) {
    if let Action::Tap(tap) = action {
        let _ = writeln!(text, "type = \"{}\"", tap.kind.name());
        for (member, value) in tap.members() {
            let _ = writeln!(text, "{member} = {}", quoted(value));
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
