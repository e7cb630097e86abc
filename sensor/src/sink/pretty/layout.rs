//! Lines of styled text, cut or wrapped to a width.

use std::fmt::Write as _;

use anstyle::Style;

/// A line under construction.
#[derive(Default)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    /// Begins with `columns` blanks.
    pub(super) fn indent(columns: usize) -> Self {
        Self(vec![(Style::new(), " ".repeat(columns))])
    }

    pub(super) fn span(mut self, style: Style, text: &str) -> Self {
        if !text.is_empty() {
            self.0.push((style, text.to_owned()));
        }
        self
    }
}

/// Where lines go.
pub(super) struct Page {
    pub(super) colour: bool,
    pub(super) width: Option<usize>,
}

impl Page {
    /// Indent of a tree node; deep trees stop moving right at a third of the width.
    pub(super) fn tree_indent(&self, depth: usize) -> usize {
        let steps = depth.saturating_sub(1);
        let most = self.width.map_or(usize::MAX, |width| width / 9);
        2 + 3 * steps.min(most)
    }

    /// Writes a line that ends in `…` where it would be too long.
    pub(super) fn cut(&self, out: &mut String, line: &Line) {
        let whole: usize = line.0.iter().map(|(_, text)| columns(text)).sum();
        let too_long = self.width.is_some_and(|width| whole > width);
        let mut room = self
            .width
            .filter(|_| too_long)
            .map_or(usize::MAX, |width| width - 1);
        for (style, text) in &line.0 {
            let shown = text.chars().take(room).collect::<String>();
            room -= columns(&shown);
            self.paint(out, *style, &shown);
        }
        out.push_str(if too_long { "…\n" } else { "\n" });
    }

    /// Writes all of a line, going on below with `hang` blanks, between words if it can.
    pub(super) fn wrap(&self, out: &mut String, line: &Line, hang: usize) {
        let width = self.width.unwrap_or(usize::MAX);
        let hang = hang.min(width / 2);
        let mut column = 0;
        for (style, text) in &line.0 {
            for word in text.split_inclusive(' ') {
                if column > hang && column + columns(word.trim_end()) > width {
                    next(out, hang, &mut column);
                }
                let mut rest = word;
                while column + columns(rest.trim_end()) > width {
                    let fits = split(rest, width - column);
                    self.paint(out, *style, fits);
                    rest = &rest[fits.len()..];
                    next(out, hang, &mut column);
                }
                self.paint(out, *style, rest);
                column += columns(rest);
            }
        }
        out.push('\n');
    }

    fn paint(&self, out: &mut String, style: Style, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.colour || style.is_plain() {
            return out.push_str(text);
        }
        write!(out, "{style}{text}{style:#}").unwrap_or_default();
    }
}

fn next(out: &mut String, hang: usize, column: &mut usize) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
    out.push_str(&" ".repeat(hang));
    *column = hang;
}

/// The first `count` characters of `text`.
fn split(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth(count)
        .map_or(text, |(end, _)| &text[..end])
}

/// Columns a text takes. Wide characters count once: a line of them may run over.
fn columns(text: &str) -> usize {
    text.chars().count()
}
