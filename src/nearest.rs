//! The name that was meant, for one that is not known.

/// How like two names must be; one wrong letter of three is just enough.
const LIKENESS: f64 = 0.79;

/// The likeliest of some names for one that is none of them.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let likely = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > LIKENESS);
    likely
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}
