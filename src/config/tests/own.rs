//! `[handlers]`: what the user's own code is set by.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use super::{environment, file};
use crate::config::{Form, Needs, Own, Sources, parse_duration, read};
use crate::secret::HandlerSecret;

#[derive(Debug, PartialEq, Deserialize)]
struct Settings {
    bot: Bot,
    #[serde(default)]
    shops: BTreeMap<String, Shop>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Bot {
    model: String,
    key: Option<HandlerSecret>,
    #[serde(default)]
    turns: u8,
    warmth: Option<f64>,
    #[serde(default)]
    loud: bool,
    #[serde(default)]
    words: Vec<String>,
    tone: Option<Tone>,
    #[serde(default, deserialize_with = "seconds")]
    patience: u64,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tone {
    Kind,
    Dry,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Shop {
    city: String,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = parse_duration(&text).map_err(de::Error::custom)?;
    Ok(duration.as_secs())
}

fn own(sources: &Sources) -> Own {
    read(sources, Needs::NoAccount)
        .unwrap_or_else(|faults| panic!("{faults}"))
        .own
}

fn told(text: &str) -> String {
    let faults = own(&file(text)).read::<Settings>().unwrap_err();
    faults.to_string()
}

#[test]
fn a_file_and_the_environment_fill_the_handlers_own_type() {
    let mut sources = file(
        "[handlers.bot]\nmodel = \"small\"\nkey = \"\"\nturns = 3\nwarmth = 0.5\nwords = [\"a\", \"b\"]\n\
         tone = \"dry\"\npatience = \"2m\"\n[handlers.shops.north]\ncity = \"北京\"\n",
    );
    let bot = Bot {
        model: "small".to_owned(),
        key: None,
        turns: 3,
        warmth: Some(0.5),
        loud: false,
        words: vec!["a".to_owned(), "b".to_owned()],
        tone: Some(Tone::Dry),
        patience: 120,
    };
    let shop = Shop {
        city: "北京".to_owned(),
    };
    let shops = BTreeMap::from([("north".to_owned(), shop)]);
    assert_eq!(own(&sources).read(), Ok(Settings { bot, shops }));

    let written = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(written.path(), "k-123\n").unwrap();
    sources.environment = environment(&[
        ("WXHOOK__HANDLERS__BOT__TURNS", "7"),
        ("WXHOOK__HANDLERS__BOT__WARMTH", "1.25"),
        ("WXHOOK__HANDLERS__BOT__LOUD", "true"),
        ("WXHOOK__HANDLERS__BOT__WORDS", "c, d"),
        (
            "WXHOOK__HANDLERS__BOT__KEY_FILE",
            written.path().to_str().unwrap(),
        ),
    ])
    .environment;
    let Settings { bot, .. } = own(&sources).read().unwrap();
    assert_eq!(bot.key, Some(HandlerSecret::new("k-123")));
    assert_eq!((bot.turns, bot.warmth, bot.loud), (7, Some(1.25), true));
    assert_eq!(bot.words, ["c", "d"]);
}

#[test]
fn what_the_handlers_do_not_know_or_cannot_take_is_named_without_its_value() {
    assert_eq!(
        told(
            "[handlers.bot]\nmodel = \"m\"\nmodle = \"m\"\nkey = 77\n[handlers.clock]\nzone = \"x\"\n"
        ),
        "handlers.bot.key (file wxhook.toml, line 4): is not a string; set it in a file or by \
         WXHOOK__HANDLERS__BOT__KEY, as the handlers want it"
    );
    assert_eq!(
        told("[handlers.bot]\nmodel = \"m\"\nmodle = \"m\"\n[handlers.clock]\nzone = \"x\"\n"),
        "handlers.bot.modle (file wxhook.toml, line 3): is not a setting of this program's handlers; \
         did you mean handlers.bot.model?\n\
         handlers.clock.zone (file wxhook.toml, line 5): is not a setting of this program's handlers; remove it"
    );
    let mut sources = environment(&[("WXHOOK__HANDLERS__BOT__MODLE", "m")]);
    sources.file = Some((
        "wxhook.toml".into(),
        "[handlers.bot]\nmodel = \"m\"\n".to_owned(),
    ));
    let faults = own(&sources).read::<Settings>().unwrap_err().to_string();
    assert!(
        faults.ends_with("did you mean WXHOOK__HANDLERS__BOT__MODEL?"),
        "{faults}"
    );
    for (name, text, expected) in [
        ("missing", "", "handlers.bot: is missing"),
        (
            "missing below",
            "[handlers.bot]\nturns = 1",
            "handlers.bot.model: is missing",
        ),
        (
            "no table",
            "[handlers]\nbot = 1",
            "handlers.bot (file wxhook.toml, line 2): is not struct Bot",
        ),
        (
            "too large",
            "[handlers.bot]\nmodel = \"m\"\nturns = 300",
            "handlers.bot.turns (file wxhook.toml, line 3): is not u8",
        ),
        (
            "no such variant",
            "[handlers.bot]\nmodel = \"m\"\ntone = \"loud\"",
            "handlers.bot.tone (file wxhook.toml, line 3): is none of kind, dry",
        ),
        (
            "refused by its own type",
            "[handlers.bot]\nmodel = \"m\"\npatience = \"long\"",
            "handlers.bot.patience (file wxhook.toml, line 3): is not a duration",
        ),
    ] {
        let told = told(text);
        assert!(told.starts_with(expected), "{name}: {told}");
    }
}

#[test]
fn handlers_that_take_nothing_are_given_nothing() {
    assert_eq!(own(&file("")).read_nothing(), Ok(()));
    let faults = own(&file("[handlers]\nx = 1\n"))
        .read_nothing()
        .unwrap_err();
    assert_eq!(
        faults.to_string(),
        "handlers.x (file wxhook.toml, line 2): is not a setting of this program's handlers; remove it"
    );
}

#[test]
fn what_is_the_handlers_own_is_shown_by_its_length_alone() {
    let text = "[handlers.bot]\nmodel = \"small\"\n";
    let reading = read(&file(text), Needs::NoAccount).unwrap();
    let shown = reading
        .settings
        .iter()
        .find(|setting| setting.key == "handlers.bot.model");
    let shown = shown.unwrap();
    assert_eq!(shown.form, Form::Own);
    assert_eq!(shown.shown(), "(5 characters)");
    assert_eq!(
        format!("{:?}", reading.own),
        "{\"handlers.bot.model\"}",
        "names without values"
    );
}
