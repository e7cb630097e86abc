//! As much of `PromQL` as it takes to find the metrics and labels in a query.
//!
//! Every word must be known, so that nothing misspelt passes for syntax; whether the query
//! as a whole is well-formed, promtool says.

use std::{iter::Peekable, str::CharIndices};

const FUNCTIONS: [&str; 12] = [
    "absent",
    "count",
    "histogram_quantile",
    "last_over_time",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "sort_desc",
    "sum",
    "vector",
    "label_values",
];
/// Functions of counters.
const COUNTERS: [&str; 3] = ["increase", "rate", "resets"];
const OPERATORS: [&str; 4] = ["and", "offset", "or", "unless"];
/// What stands before labels in parentheses.
const GROUPINGS: [&str; 4] = ["by", "ignoring", "on", "without"];

/// What a query names.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) selectors: Vec<Selector>,
    /// Labels that are grouped or matched by.
    pub(crate) labels: Vec<String>,
}

/// A metric and what its labels must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Labels and values, whatever the operator between them.
    pub(crate) matchers: Vec<(String, String)>,
    pub(crate) call: Option<Call>,
}

/// Under which function a selector stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// One that only makes sense of what never falls.
    Counter,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

impl Query {
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let mut tokens = tokens(text).into_iter().peekable();
        let mut query = Self::default();
        let mut call = None;
        while let Some(token) = tokens.next() {
            let Token::Word(word) = token else {
                continue;
            };
            let word = word.as_str();
            if GROUPINGS.contains(&word) {
                query.labels.extend(labels(&mut tokens));
            } else if COUNTERS.contains(&word) {
                call = Some(Call::Counter);
            } else if word == "label_values" {
                return Self::label_values(tokens.collect());
            } else if !FUNCTIONS.contains(&word) && !OPERATORS.contains(&word) {
                let matchers = matchers(&mut tokens);
                let metric = word.to_owned();
                query.selectors.push(Selector {
                    metric,
                    matchers,
                    call: call.take(),
                });
            }
        }
        assert!(!query.selectors.is_empty() || text == "vector(1)", "{text}");
        query
    }

    /// Grafana's own: `label_values(selector, label)`.
    fn label_values(mut tokens: Vec<Token>) -> Self {
        assert_eq!(tokens.pop(), Some(Token::Mark(')')));
        let Some(Token::Word(label)) = tokens.pop() else {
            panic!("no label at the end of {tokens:?}");
        };
        assert_eq!(tokens.pop(), Some(Token::Mark(',')));
        let mut tokens = tokens.into_iter().skip(1).peekable();
        let Some(Token::Word(metric)) = tokens.next() else {
            panic!("no metric");
        };
        let matchers = matchers(&mut tokens);
        Self {
            selectors: vec![Selector {
                metric,
                matchers,
                call: None,
            }],
            labels: vec![label],
        }
    }
}

/// `(a, b)`.
fn labels(tokens: &mut impl Iterator<Item = Token>) -> Vec<String> {
    assert_eq!(tokens.next(), Some(Token::Mark('(')));
    let inside = tokens.take_while(|token| *token != Token::Mark(')'));
    inside
        .filter_map(|token| match token {
            Token::Word(label) => Some(label),
            Token::Mark(',') => None,
            other => panic!("{other:?} among labels"),
        })
        .collect()
}

/// `{a="x", b!~"y"}`, if it is there.
fn matchers(tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Vec<(String, String)> {
    if tokens.next_if_eq(&Token::Mark('{')).is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut label = None;
    for token in tokens.by_ref() {
        match token {
            Token::Mark('}') => return found,
            Token::Word(word) => label = Some(word),
            Token::Text(value) => found.push((label.take().expect("a label first"), value)),
            Token::Mark(_) => {}
        }
    }
    panic!("a selector does not end");
}

/// Without numbers and what stands in square brackets.
fn tokens(text: &str) -> Vec<Token> {
    let mut chars = text.char_indices().peekable();
    let mut found = Vec::new();
    while let Some((_, first)) = chars.next() {
        match first {
            '"' => {
                let text = chars.by_ref().map(|(_, c)| c).take_while(|&c| c != '"');
                found.push(Token::Text(text.collect()));
            }
            '[' => drop(chars.by_ref().take_while(|&(_, c)| c != ']').last()),
            c if c.is_ascii_digit() => drop(run(c, &mut chars)),
            c if c.is_ascii_alphabetic() || c == '_' => {
                found.push(Token::Word(run(c, &mut chars)));
            }
            c if c.is_whitespace() => {}
            mark => found.push(Token::Mark(mark)),
        }
    }
    found
}

fn run(first: char, chars: &mut Peekable<CharIndices<'_>>) -> String {
    let mut word = String::from(first);
    let inside = |c: char| c.is_ascii_alphanumeric() || "_:.".contains(c);
    while let Some((_, c)) = chars.next_if(|&(_, c)| inside(c)) {
        word.push(c);
    }
    word
}

#[test]
fn metrics_labels_and_values_are_found() {
    let query = Query::read(
        r#"sum by (a, b) (rate(x_total{c="1|2", d!=""}[5m])) / on (e) y offset 10m > 0.5 or vector(0)"#,
    );
    assert_eq!(query.labels, ["a", "b", "e"]);
    let [x, y] = &query.selectors[..] else {
        panic!("{query:?}");
    };
    assert_eq!(
        (x.metric.as_str(), x.call),
        ("x_total", Some(Call::Counter))
    );
    let matchers = [("c", "1|2"), ("d", "")].map(|(label, value)| (label.into(), value.into()));
    assert_eq!(x.matchers, matchers);
    assert_eq!((y.metric.as_str(), y.call), ("y", None));
    assert!(y.matchers.is_empty());
}

#[test]
fn a_misspelt_function_is_a_metric() {
    let query = Query::read("summ(x)");
    assert_eq!(query.selectors[0].metric, "summ");
}

#[test]
fn label_values_are_read() {
    let query = Query::read(r#"label_values(x{job="y"}, kind)"#);
    assert_eq!(query.labels, ["kind"]);
    assert_eq!(query.selectors[0].metric, "x");
}
