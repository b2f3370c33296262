//! What the pages of templates and rules show compiles, and their twins show the same.

use wxhook::dispatch::{AccountFacts, Bundle};
use wxhook::id::AppId;
use wxhook::template::Files;

use super::{code_blocks, document, headings};

/// Blocks of a kind, each with the rest of its first line.
fn blocks<'p>(page: &'p str, kind: &str) -> Vec<(&'p str, &'p str)> {
    let blocks = code_blocks(page).into_iter();
    let of_kind = blocks.filter_map(|block| {
        let (head, body) = block.split_once('\n')?;
        let rest = head.strip_prefix(kind)?;
        Some((rest.trim(), body))
    });
    of_kind.collect()
}

#[test]
fn the_pages_of_templates_and_rules_show_what_compiles_in_both_languages() {
    let account = AccountFacts {
        name: "default".to_owned(),
        ..AccountFacts::unnamed(AppId::parse("wx0123456789abcdef").unwrap())
    };
    let mut counted = (0, 0);
    for name in ["render", "rules"] {
        let english = document(&format!("docs/{name}.md"));
        let chinese = document(&format!("docs/{name}.zh-CN.md"));
        assert_eq!(code_blocks(&english), code_blocks(&chinese), "{name}");
        assert_eq!(headings(&english), headings(&chinese), "{name}");
        let rows = |page: &str| page.lines().filter(|line| line.starts_with('|')).count();
        assert_eq!(rows(&english), rows(&chinese), "{name}");

        let templates = blocks(&english, "jinja");
        let rules = blocks(&english, "toml");
        counted = (counted.0 + templates.len(), counted.1 + rules.len());
        let files = Files::of(templates);
        let rules = rules.first().map(|(_, rules)| *rules);
        let accounts = std::slice::from_ref(&account);
        if let Err(faults) = Bundle::compile(&files, rules, "rules.toml", accounts) {
            panic!("docs/{name}.md:\n{faults}");
        }
    }
    assert_eq!(counted, (4, 1));
}
