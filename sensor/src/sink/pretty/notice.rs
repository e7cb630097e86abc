//! The drawn form of a notice: one line, or few.

use super::{
    BOLD, DIM, PLAIN,
    layout::{Line, Page},
    left_out, level_style, short,
};
use crate::alert::Notice;

pub(super) fn render(notice: &Notice, colour: bool, width: Option<usize>) -> String {
    let page = Page {
        colour,
        width: width.map(|columns| columns.max(40)),
    };
    let mut out = String::new();
    let (date, time) = notice.timestamp.split_once('T').unwrap_or_default();
    let time = time.get(..12).unwrap_or(time);
    let incident = &notice.incident;
    let level = incident.level;
    let what = match (&notice.file, &notice.container) {
        (Some(_), _) => "file",
        (None, Some(_)) => "container",
        (None, None) => incident.state,
    };
    let head = Line::default()
        .span(DIM, &format!("{date} {time}Z  "))
        .span(level_style(level), &level.name().to_uppercase())
        .span(PLAIN, "  ")
        .span(BOLD, &format!("incident {} {what}", short(&incident.id)));
    page.wrap(&mut out, &head, 2);
    page.wrap(&mut out, &Line::indent(2).span(PLAIN, &notice.message), 2);
    for (word, text) in remarks(notice) {
        if !text.is_empty() {
            let line = Line::indent(2)
                .span(DIM, &format!("{word:<9}"))
                .span(PLAIN, &text);
            page.wrap(&mut out, &line, 11);
        }
    }
    out
}

fn remarks(notice: &Notice) -> [(&'static str, String); 3] {
    let rules = notice.incident.rules.iter().map(|rule| {
        let folded = match rule.folded {
            0 => String::new(),
            folded => format!(" (+{folded} left out)"),
        };
        format!("{} {}{folded}", rule.alerts, rule.id)
    });
    let hash = notice.file.as_ref().and_then(|file| file.sha256.clone());
    [
        ("sha256", hash.unwrap_or_default()),
        ("rules", rules.collect::<Vec<_>>().join(", ")),
        ("left out", left_out(&notice.incident.suppressed)),
    ]
}
