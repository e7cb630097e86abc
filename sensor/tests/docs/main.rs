//! The generated pages under `docs/`: each is rendered from the one place that has the
//! facts and compared with the file. A module for each page; what they share is here.
//!
//! `UPDATE_DOCS=1 cargo test -p sensor --test docs` writes the files instead.

/// Appends formatted text; writing to a `String` cannot fail.
macro_rules! put {
    ($text:expr, $($format:tt)+) => {
        $text.write_fmt(format_args!($($format)+)).expect("a String takes all")
    };
}

mod alerts;
mod attack;
mod configuration;
mod hooks;
mod kernels;
mod limits;
mod metrics;
mod page;
mod picture;
mod profiles;
mod rules;
mod services;
mod wordpress;
