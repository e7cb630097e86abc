//! What a verdict hangs on, as bytes: every value with its kind and length before it, so
//! that no two lists of values give the same.

use rsigma_eval::EventValue;
use rsigma_parser::SigmaRule;

use super::{
    super::{
        analysis,
        field::{self, Field},
        view::View,
    },
    KEY,
};
use crate::event::{Args, Likeness, Program, pair};

/// The fields that rules of one engine name, as far as a key can hold them.
#[derive(Debug, Default)]
pub(in crate::detect) struct Basis {
    /// Those that the key holds by their value.
    values: Vec<&'static Field>,
    /// Some of them depend on more than what an act is set in and its past.
    fleeting: bool,
    /// The key holds the program, and with it all fields that depend on it alone.
    program: bool,
    /// By place in [`field::all`]: the key holds it.
    held: Vec<bool>,
}

impl Basis {
    /// The basis of verdicts by these rules.
    pub(in crate::detect) fn of<'r>(rules: impl IntoIterator<Item = &'r SigmaRule>) -> Self {
        let names = rules.into_iter().flat_map(analysis::fields);
        let (mut wanted, mut program) = (vec![false; field::all().count()], false);
        for name in names {
            match field::locate(&name) {
                Some((place, field)) if !field.is_of_program() => wanted[place] = true,
                Some(_) => program = true,
                None => program |= name.starts_with(field::ENV),
            }
        }
        let mut basis = Self {
            program,
            ..Self::default()
        };
        for (field, wanted) in field::all().zip(wanted) {
            let by_value = wanted && !field.changing;
            basis
                .held
                .push(by_value || program && field.is_of_program());
            basis.values.extend(by_value.then_some(field));
            basis.fleeting |= by_value && !field.is_compared();
        }
        basis
    }

    /// The key holds the field at this place of [`field::all`].
    pub(super) fn holds(&self, place: usize) -> bool {
        self.held.get(place).copied().unwrap_or_default()
    }

    /// Verdicts hang on nothing but what acts are set in and their past.
    pub(super) const fn is_compared(&self) -> bool {
        !self.fleeting
    }

    /// The key holds the program.
    pub(super) const fn holds_program(&self) -> bool {
        self.program
    }

    /// Appends what the verdict on this act hangs on; `false` when it is too long.
    pub(super) fn write(&self, view: &View<'_>, key: &mut Vec<u8>) -> bool {
        if self.program {
            program(view.program(), key);
            key.push(u8::from(view.setting.reading.is_own_image()));
        }
        for field in &self.values {
            if key.len() > KEY {
                return false;
            }
            self::field(field.get(view).as_ref(), key);
        }
        key.len() <= KEY
    }
}

fn text(bytes: &[u8], key: &mut Vec<u8>) {
    key.extend_from_slice(&bytes.len().to_le_bytes());
    key.extend_from_slice(bytes);
}

/// A field, absent or not.
pub(super) fn field(found: Option<&EventValue<'_>>, key: &mut Vec<u8>) {
    match found {
        Some(found) => value(found, key),
        None => key.push(b'-'),
    }
}

fn value(found: &EventValue<'_>, key: &mut Vec<u8>) {
    match found {
        EventValue::Null => key.push(b'0'),
        EventValue::Bool(false) => key.push(b'f'),
        EventValue::Bool(true) => key.push(b't'),
        EventValue::Str(found) => {
            key.push(b's');
            text(found.as_bytes(), key);
        }
        EventValue::Int(number) => {
            key.push(b'i');
            key.extend_from_slice(&number.to_le_bytes());
        }
        EventValue::Float(number) => {
            key.push(b'd');
            key.extend_from_slice(&number.to_bits().to_le_bytes());
        }
        EventValue::Array(members) => {
            key.push(b'a');
            key.extend_from_slice(&members.len().to_le_bytes());
            for member in members {
                value(member, key);
            }
        }
        EventValue::Map(members) => {
            key.push(b'm');
            key.extend_from_slice(&members.len().to_le_bytes());
            for (name, member) in members {
                text(name.as_bytes(), key);
                value(member, key);
            }
        }
    }
}

/// All of a program that a field may be made of.
pub(super) fn program(program: &Program, key: &mut Vec<u8>) {
    let Likeness {
        image,
        cred,
        stdio,
        faults,
        args,
        texts,
        env,
    } = program.likeness();
    numbers(key, image);
    numbers(key, cred);
    key.extend_from_slice(&stdio.map(|fd| fd as u8));
    key.extend_from_slice(&faults.0.to_le_bytes());
    for each in texts {
        text(each, key);
    }
    arguments(args, key);
    numbers(key, [env.len() as u64]);
    for (name, value) in env {
        text(name, key);
        text(value, key);
    }
}

fn numbers<const N: usize>(key: &mut Vec<u8>, numbers: [u64; N]) {
    let bytes = numbers.map(u64::to_le_bytes);
    key.extend_from_slice(bytes.as_flattened());
}

fn arguments(args: &Args, key: &mut Vec<u8>) {
    let Args {
        head,
        tail,
        argc,
        total,
        truncated,
    } = args;
    let lengths = [head.len() as u64, tail.len() as u64];
    numbers(key, lengths);
    numbers(key, [pair(*argc, u32::from(*truncated)), *total]);
    for arg in head.iter().chain(tail) {
        text(arg, key);
    }
}
