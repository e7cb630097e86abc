//! Words of the sensor's own vocabulary, read back: kinds, roles, actions. Alerts hold them
//! as constants; what comes from the other process is looked up among those met before.
//!
//! Bounded: there are few such words, and what is no such word, or one too many, is refused.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Deserializer, de::Error};

/// A word that lives as long as the program. The name keeps serde from taking it for
/// something borrowed.
pub(crate) type Word = &'static str;

/// Longest word, bytes.
const LONGEST: usize = 32;
/// Most words: some five times as many as there are.
const WORDS: usize = 512;

static KNOWN: Mutex<BTreeSet<Word>> = Mutex::new(BTreeSet::new());
static LISTS: Mutex<BTreeSet<&'static [Word]>> = Mutex::new(BTreeSet::new());

/// The word as a constant; `None` when it is none, or one too many.
fn constant(text: &str) -> Option<Word> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(word) = known.get(text) {
        return Some(word);
    }
    if text.len() > LONGEST || known.len() >= WORDS {
        return None;
    }
    let word: Word = Box::leak(text.to_owned().into_boxed_str());
    known.insert(word);
    Some(word)
}

pub(crate) fn one<'de, D: Deserializer<'de>>(from: D) -> Result<Word, D::Error> {
    let text = String::deserialize(from)?;
    constant(&text).ok_or_else(|| D::Error::custom("a word that is none"))
}

pub(crate) fn option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Word>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let word = text.map(|text| constant(&text).ok_or_else(|| D::Error::custom("no word")));
    word.transpose()
}

pub(crate) fn several<'de, D: Deserializer<'de>>(from: D) -> Result<&'static [Word], D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let words: Option<Vec<Word>> = texts.iter().map(|text| constant(text)).collect();
    let words = words.ok_or_else(|| D::Error::custom("a word that is none"))?;
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(list) = lists.get(words.as_slice()) {
        return Ok(list);
    }
    if lists.len() >= WORDS || words.len() > 8 {
        return Err(D::Error::custom("a list too many"));
    }
    let list: &'static [Word] = Box::leak(words.into_boxed_slice());
    lists.insert(list);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_constant_and_long_text_is_none() {
        let word = constant("apache").unwrap();
        assert!(std::ptr::eq(
            word,
            constant(&String::from("apache")).unwrap()
        ));
        assert_eq!(constant(&"x".repeat(LONGEST + 1)), None);
    }
}
