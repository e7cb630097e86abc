//! The known name most like one that is not known.

/// Least likeness that is worth a suggestion.
const LIKE: f64 = 0.5;

/// The name most like `name`; `None` when none is like it.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score >= LIKE)
        .map(|(_, known)| known)
}
