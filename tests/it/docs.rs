//! What the documents say is what the house does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::run;

mod bundle;
mod codes;
mod configuration;
mod container;
mod endpoints;
mod quotas;
mod simulator;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Blocks between fences, without the fences.
fn code_blocks(text: &str) -> Vec<&str> {
    text.split("```").skip(1).step_by(2).collect()
}

fn headings(text: &str) -> Vec<usize> {
    let outside: String = text.split("```").step_by(2).collect();
    let level = |line: &str| line.chars().take_while(|c| *c == '#').count();
    outside
        .lines()
        .map(level)
        .filter(|level| *level > 0)
        .collect()
}

/// The same sections, the same code and as many rows of tables.
fn are_twins(english: &str, chinese: &str) {
    let (english, chinese) = (document(english), document(chinese));
    assert_eq!(headings(&english), headings(&chinese));
    assert_eq!(code_blocks(&english), code_blocks(&chinese));
    let rows = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(rows(&english), rows(&chinese), "rows of tables");
}

#[test]
fn the_two_readmes_have_the_same_sections_and_the_same_code() {
    are_twins("README.md", "README.zh-CN.md");
}

#[test]
fn the_two_guides_to_handlers_have_the_same_sections_and_the_same_code() {
    are_twins("docs/handlers.md", "docs/handlers.zh-CN.md");
}

#[test]
fn the_readme_names_every_command_of_the_program() {
    let (code, help, _) = run(&["--help"], &[], "");
    assert_eq!(code, 0);
    let readme = document("README.md");
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let named: BTreeSet<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(named.len() >= 8, "{help}");
    for name in named {
        assert!(
            readme.contains(&format!("`wxhook {name}")),
            "README.md does not name {name}"
        );
    }
}

#[test]
fn the_architecture_draws_every_room() {
    let drawn = document("ARCHITECTURE.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(room) = name.strip_suffix(".rs").filter(|room| *room != "lib") else {
            continue;
        };
        let named = [format!("{room}/"), format!("{room}.rs")];
        assert!(
            named.iter().any(|name| drawn.contains(name)),
            "ARCHITECTURE.md lacks {room}"
        );
    }
}

#[test]
fn the_example_configuration_is_one_that_checks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wxhook.toml");
    let filled = document("wxhook.example.toml")
        .replacen("app_id = \"\"", "app_id = \"wx0123456789abcdef\"", 1)
        .replacen("\ntoken = \"\"", "\ntoken = \"token123\"", 1);
    fs::write(&path, filled).unwrap();
    let (code, out, err) = run(
        &["--config", path.to_str().unwrap(), "config", "check"],
        &[],
        "",
    );
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("the configuration is right"), "{out}");
}

/// All Rust code below a folder.
fn code_below(folder: &Path) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| match path.extension() {
        _ if path.is_dir() => code_below(&path),
        Some(kind) if kind == "rs" => fs::read_to_string(&path).unwrap(),
        _ => String::new(),
    };
    entries.map(read).collect()
}

#[test]
fn every_test_that_the_table_of_traps_names_exists() {
    let drawn = document("ARCHITECTURE.md");
    let traps = drawn
        .split("\n## ")
        .find(|section| section.starts_with("Traps"))
        .unwrap();
    let rows: Vec<&str> = traps
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    assert_eq!(rows.len(), 48);
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = code_below(&package.join("src")) + &code_below(&package.join("tests"));
    for row in rows {
        let words = row.split('`').skip(1).step_by(2);
        let tests: Vec<&str> = words.filter(|word| word.matches('_').count() > 2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(
                code.contains(&format!("fn {test}(")),
                "{test} does not exist"
            );
        }
    }
}
