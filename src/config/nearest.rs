//! The right key beside a wrong one.

use super::environment;
use super::fault::Origin;

/// What is wrong with at most a third of its letters may be a slip of the pen.
const SLIPS: usize = 3;

/// The known key that is nearest to this one, if any is near. `known` has `default` where the operator
/// chooses a name; the name that was written stands there in the answer.
pub(super) fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let (distance, found) = known
        .into_iter()
        .map(|known| named_alike(known, key))
        .map(|known| (distance(&known, key), known))
        .min()?;
    (distance <= key.chars().count() / SLIPS).then_some(found)
}

/// What to write instead, in the words of where the wrong one was written.
pub(super) fn remedy(near: Option<String>, origin: &Origin, otherwise: &str) -> String {
    match (near, origin) {
        (Some(key), Origin::Environment(_)) => {
            format!("did you mean {}?", environment::variable_of(&key))
        }
        (Some(key), _) => format!("did you mean {key}?"),
        (None, _) => otherwise.to_owned(),
    }
}

/// The known key with the name that was written: accounts.default.token for acounts.shop.tokn.
fn named_alike(known: &str, key: &str) -> String {
    let mut parts: Vec<&str> = known.split('.').collect();
    let written: Vec<&str> = key.split('.').collect();
    let is_chosen = parts.len() >= 3 && parts.get(1) == Some(&"default");
    if let (true, true, Some(name)) = (is_chosen, written.len() >= 3, written.get(1))
        && let Some(place) = parts.get_mut(1)
    {
        *place = name;
    }
    parts.join(".")
}

/// How many letters differ; a key without its section is as near as its last word.
fn distance(known: &str, key: &str) -> usize {
    let whole = strsim::damerau_levenshtein(known, key);
    match known.rsplit_once('.') {
        Some((_, last)) if !key.contains('.') => {
            whole.min(strsim::damerau_levenshtein(last, key) + 1)
        }
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_key_is_named_and_none_when_all_are_far() {
        let known = [
            "server.listen",
            "admin.listen",
            "dispatch.sends",
            "accounts.default.token",
            "accounts.default.token_endpoint",
            "accounts.default.windows.menu",
        ];
        for (key, expected) in [
            ("server.lisen", Some("server.listen")),
            ("sevrer.listen", Some("server.listen")),
            ("sends", Some("dispatch.sends")),
            ("dipsatch.sneds", Some("dispatch.sends")),
            ("accounts.shop.tokn", Some("accounts.shop.token")),
            (
                "acounts.shop.window.menu",
                Some("accounts.shop.windows.menu"),
            ),
            ("colour", None),
            ("store.flavour", None),
        ] {
            assert_eq!(nearest(key, known).as_deref(), expected, "{key}");
        }
    }
}
