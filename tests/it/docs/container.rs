//! The recipes for images say what the program does.

use std::collections::BTreeMap;

use wxhook::config::{self, Needs, Sources};

use super::document;

/// The arguments of every instruction of that name, continued lines joined.
fn instructions(recipe: &str, name: &str) -> Vec<String> {
    let lines: Vec<&str> = recipe
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let of_name = |line: &str| {
        Some(
            line.strip_prefix(name)?
                .strip_prefix(' ')?
                .trim()
                .to_owned(),
        )
    };
    joined.lines().filter_map(of_name).collect()
}

#[test]
fn the_image_is_built_and_run_as_the_program_needs_it() {
    let (recipe, package) = (document("Dockerfile"), document("Cargo.toml"));
    let only = |name: &str| {
        let found = instructions(&recipe, name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0].clone()
    };
    assert!(package.contains("[[bin]]\nname = \"wxhook\"") && package.contains("[profile.dist]"));
    let version = package
        .split("rust-version = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        instructions(&recipe, "ARG").contains(&format!("RUST={version}")),
        "{version}"
    );
    assert!(instructions(&recipe, "RUN")[1].contains("--locked --profile dist --bin wxhook"));
    let copied = &instructions(&recipe, "COPY")[1];
    assert_eq!(
        copied,
        "--from=build /src/target/dist/wxhook /usr/local/bin/wxhook"
    );
    assert_eq!(
        (only("ENTRYPOINT"), only("CMD")),
        (r#"["wxhook"]"#.into(), r#"["serve"]"#.into())
    );
    assert!(only("HEALTHCHECK").ends_with(r#"CMD ["wxhook", "healthcheck"]"#));

    let config = config::load(&Sources::default(), Needs::NoAccount).unwrap();
    assert_eq!(only("EXPOSE"), config.http.listen.port().to_string());
    assert!(
        config.http.admin_listen.ip().is_loopback(),
        "the image does not expose it"
    );
    let (directory, user) = (only("VOLUME"), only("USER"));
    assert_eq!(only("ENV"), format!("WXHOOK_DATA_DIR={directory}"));
    let made = format!("install -d -m 0700 -o 10001 -g 10001 {directory}");
    assert!(instructions(&recipe, "RUN")[2].contains(&made));
    assert_eq!(user, "10001:10001", "and never root");
}

#[test]
fn the_compose_file_fits_the_image_and_its_variables_are_settings() {
    let compose = document("compose.yaml");
    assert!(compose.contains(":/var/lib/wxhook\n") && compose.contains(":8080:8080\"\n"));
    let grace = compose
        .split("stop_grace_period: ")
        .nth(1)
        .unwrap()
        .split('s')
        .next()
        .unwrap();
    let grace: u64 = grace.parse().unwrap();
    assert!(
        grace > wxhook::dispatch::STOP_GRACE.as_secs() + 6 + 5,
        "{grace} s"
    );

    let example = document("wxhook.example.env");
    let variables = example.lines().filter(|line| !line.starts_with('#'));
    let mut environment: BTreeMap<String, String> = variables
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert!(environment.len() >= 6);
    for (name, value) in [
        ("WECHAT_APP_ID", "wx0123456789abcdef"),
        ("WECHAT_TOKEN", "token123"),
        (
            "WECHAT_ENCODING_AES_KEY",
            "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        ),
    ] {
        let filled = environment.insert(name.to_owned(), value.to_owned());
        assert_eq!(filled.as_deref(), Some(""), "{name} is to be filled in");
    }
    let sources = Sources {
        file: None,
        environment,
    };
    config::load(&sources, Needs::Accounts).unwrap();
    assert!(
        document(".dockerignore").contains("*.env\n"),
        "secrets stay outside"
    );
}
