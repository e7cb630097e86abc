//! `docs/limits.md` is written by hand; its table of bounds is compared with the code: every
//! constant it names is there, and the figure beside it is its value.

use std::fs;

use sensor::config::key::KEYS;

use crate::page::root;

/// The row's bound as words, and the constants that hold it.
struct Row {
    bound: String,
    names: Vec<String>,
}

fn rows(page: &str) -> Vec<Row> {
    let (_, table) = page
        .split_once("| What | Bound | Where |")
        .expect("a table of bounds");
    let lines = table.lines().skip(2).take_while(|it| it.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let [_, bound, place] = cells[..] else {
            panic!("not three cells: {line}")
        };
        let ticked = place.split('`').skip(1).step_by(2);
        Row {
            bound: bound.trim().to_owned(),
            names: ticked.flat_map(spread).collect(),
        }
    };
    lines.map(row).collect()
}

/// `a::{B, c::D}` is `a::B` and `a::c::D`.
fn spread(text: &str) -> Vec<String> {
    let Some((path, names)) = text.split_once("::{") else {
        return vec![text.to_owned()];
    };
    let names = names.trim_end_matches('}').split(',');
    names.map(|it| format!("{path}::{}", it.trim())).collect()
}

fn is_constant(name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap_or_default();
    name.contains("::") && last == last.to_uppercase()
}

/// The file that has a module, in the sensor or in what it shares with the kernel side.
fn source(module: &str) -> Option<String> {
    let path = module.replace("::", "/");
    let places = ["sensor", "sensor-common"];
    let mut files = places
        .map(|it| root().join(format!("{it}/src/{path}.rs")))
        .into_iter();
    fs::read_to_string(files.find(|file| file.exists())?).ok()
}

/// What stands behind `const NAME: T =`.
fn expression(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("const {name}: "))?;
    let (_, value) = rest.split_once('=')?;
    Some(value.split(';').next()?.trim().to_owned())
}

/// The number that an expression of literals, `<<` and `*` stands for.
fn value(expression: &str) -> Option<u64> {
    if let Some((left, right)) = expression.split_once("<<") {
        return Some(value(left)? << value(right)?);
    }
    if let Some((left, right)) = expression.split_once('*') {
        return Some(value(left)? * value(right)?);
    }
    expression.trim().replace('_', "").parse().ok()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Ways to write a number, the shortest first where it is many bytes or a time.
fn spellings(name: &str, number: u64) -> Vec<String> {
    let mut ways = vec![grouped(number)];
    // Of 2^23 bytes.
    ways.push(format!("2^{number}"));
    for (unit, size) in [("KiB", 1 << 10), ("MiB", 1 << 20)] {
        if number.is_multiple_of(size) {
            ways.push(format!("{} {unit}", grouped(number / size)));
        }
    }
    if name.ends_with("_NS") {
        ways.push(format!("{} s", number / 1_000_000_000));
        ways.push(format!("{} min", number / 60_000_000_000));
    }
    ways
}

/// The figure stands in the words, not as a part of another one.
fn says(bound: &str, figure: &str) -> bool {
    let is_more = |byte: Option<&u8>| byte.is_some_and(|it| it.is_ascii_digit() || *it == b',');
    bound.match_indices(figure).any(|(at, _)| {
        let bytes = bound.as_bytes();
        let before = at.checked_sub(1).and_then(|it| bytes.get(it));
        let after = bytes.get(at + figure.len());
        let after_that = bytes.get(at + figure.len() + 1);
        // A comma that ends a clause is none of the number.
        let goes_on = is_more(after) && (after != Some(&b',') || is_more(after_that));
        !is_more(before) && !goes_on
    })
}

/// Whether the constant's value was found in the row, or why the row is wrong.
fn compare(bound: &str, name: &str) -> Result<bool, String> {
    if KEYS.iter().any(|key| key.path == name) || name.starts_with("spool_") {
        return Ok(false);
    }
    let (module, last) = name.rsplit_once("::").ok_or("no module")?;
    // A constant of a type stands in the module of the type.
    let (above, of) = module.rsplit_once("::").unwrap_or((module, ""));
    let module = if of.starts_with(char::is_uppercase) {
        above
    } else {
        module
    };
    let text = source(module).ok_or("no such module")?;
    if !is_constant(name) {
        let is_there = text.contains(&format!("struct {last}"));
        return is_there.then_some(false).ok_or("no such type".into());
    }
    let found = expression(&text, last).ok_or("no such constant")?;
    let Some(number) = value(&found) else {
        return Ok(false);
    };
    let ways = spellings(last, number);
    let is_said = ways.iter().any(|way| says(bound, way));
    is_said.then_some(true).ok_or(format!("it is {found}"))
}

#[test]
fn every_bound_is_that_of_the_code() {
    let page = fs::read_to_string(root().join("docs/limits.md")).expect("the page is there");
    let mut compared = 0;
    let mut wrong = Vec::new();
    for row in rows(&page) {
        assert!(!row.names.is_empty(), "no place: {}", row.bound);
        for name in &row.names {
            match compare(&row.bound, name) {
                Ok(is_figure) => compared += u32::from(is_figure),
                Err(why) => wrong.push(format!("{name} in {:?}: {why}", row.bound)),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 50, "only {compared} figures were compared");
}

#[test]
fn a_figure_is_not_found_in_another() {
    assert!(says("1,024, for 2 s", "1,024") && says("8,192; 2,048", "2,048"));
    assert!(!says("11,024", "1,024") && !says("1,024,000", "1,024") && !says("640", "64"));
    assert_eq!(value("16 << 20"), Some(16 << 20));
    assert_eq!(value("2 * 1_000"), Some(2_000));
    assert_eq!(
        (grouped(1_234_567), grouped(64)),
        ("1,234,567".into(), "64".into())
    );
}
