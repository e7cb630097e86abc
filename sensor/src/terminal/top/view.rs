//! Draws the state of `top`. Any size will do: what has no room is left out.

mod table;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph, Wrap},
};

use super::{
    model::{Model, Page, Pane},
    sample::Sample,
};

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Rows of alerts below the services, at most.
const ALERTS: u16 = 12;
/// Rows from which there is room for both lists.
const BOTH: u16 = 12;

const HELP: &str = "\
j k, arrows   move, scroll        PgUp PgDn g G   further
Tab           services, alerts    Enter           the tree of a service; an alert
s             sort                /               filter; Esc: none
p             pause, go on        Esc             back
q, Ctrl-C     end                 ?               this";

/// Draws all of it.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let troubles = troubles(model);
    let rows = u16::from(!troubles.is_empty());
    let constraints = [
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Min(0),
        Constraint::Length(1),
    ];
    let [head, trouble, body, foot] = Layout::vertical(constraints).areas(frame.area());
    frame.render_widget(header(model), head);
    frame.render_widget(Line::styled(troubles.join("; "), BAD), trouble);
    match &model.page {
        Page::Overview => overview(model, frame, body),
        page => text(model, page, frame, body),
    }
    frame.render_widget(footer(model), foot);
    if model.help {
        help(frame);
    }
}

/// What is wrong.
fn troubles(model: &Model) -> Vec<String> {
    let mut troubles = Vec::new();
    if let Some(why) = &model.gone {
        troubles.push(format!("the sensor has gone, waiting for it: {why}"));
    }
    if let Some(sample) = &model.sample {
        if sample.lost > 0 {
            troubles.push(format!("{} records lost", sample.lost));
        }
        troubles.extend(sample.degraded.iter().map(|why| format!("degraded: {why}")));
        let shown = sample.services.len() as u64;
        if sample.services_total > shown {
            troubles.push(format!(
                "{} services, of which {shown} are told",
                sample.services_total
            ));
        }
    }
    if model.missed > 0 {
        troubles.push(format!("{} alerts were not told: too slow", model.missed));
    }
    troubles
}

fn header(model: &Model) -> Line<'_> {
    let mut spans = vec![Span::styled("lineage-sensor", BOLD)];
    if model.paused {
        spans.push(Span::styled("  PAUSED", BAD));
    }
    match &model.sample {
        None if model.gone.is_none() => spans.push(Span::styled("  asking the sensor", DIM)),
        None => {}
        Some(sample) => spans.push(Span::raw(numbers(sample))),
    }
    Line::from(spans)
}

/// The name of the machine comes last: it may be long.
fn numbers(sample: &Sample) -> String {
    let rates = sample.rates.map_or_else(String::new, |rates| {
        let [execs, files] = [rates.execs, rates.files].map(table::rate);
        format!("  {execs} execs/s {files} files/s")
    });
    let alerts = sample.alerts.iter();
    let alerts: u64 = alerts.fold(0, |sum, &it| sum.saturating_add(it));
    format!(
        "  {} services {} processes{rates}  {alerts} alerts {} incidents  {}",
        sample.services_total, sample.processes, sample.incidents, sample.host
    )
}

fn footer(model: &Model) -> Line<'_> {
    if model.editing {
        return Line::from(format!("filter: {}_", model.filter));
    }
    let keys = match model.page {
        Page::Overview => "q end  ? help  Enter open  Tab other list  s sort  / filter  p pause",
        _ => "Esc back  j k scroll  p pause  ? help  q end",
    };
    let mut spans = vec![Span::styled(keys, DIM)];
    if !model.filter.is_empty() {
        spans.insert(0, Span::styled(format!("filter: {}  ", model.filter), BOLD));
    }
    Line::from(spans)
}

fn overview(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.height < BOTH {
        return match model.pane {
            Pane::Services => table::services(model, frame, area),
            Pane::Alerts => table::alerts(model, frame, area),
        };
    }
    let below = (area.height / 3).min(ALERTS);
    let constraints = [Constraint::Min(0), Constraint::Length(below)];
    let [above, below] = Layout::vertical(constraints).areas(area);
    table::services(model, frame, above);
    table::alerts(model, frame, below);
}

/// A page that is read.
fn text(model: &Model, page: &Page, frame: &mut Frame<'_>, area: Rect) {
    let title = match page {
        Page::Tree(service) => format!(" {} {} {} ", service.kind, service.id.0, service.place),
        _ => " alert ".to_owned(),
    };
    let lines = model.lines().iter().skip(model.scroll);
    let lines: Vec<_> = lines
        .take(area.height.into())
        .map(|it| Line::raw(it.as_str()))
        .collect();
    let mut paragraph = Paragraph::new(lines).block(Block::bordered().title(title));
    if matches!(page, Page::Alert(_)) {
        paragraph = paragraph.wrap(Wrap { trim: false });
    }
    frame.render_widget(paragraph, area);
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let width = area.width.min(82);
    let height = area.height.min(7);
    let over = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, over);
    frame.render_widget(
        Paragraph::new(HELP).block(Block::bordered().title(" keys ")),
        over,
    );
}

#[cfg(test)]
mod tests;
