//! The two lists: services and alerts.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::{Color, Style},
    text::{Line, Text},
    widgets::{Block, Cell, Row, Table},
};

use super::{
    super::{
        alert::Alert,
        model::{Model, Pane},
        sample::Service,
    },
    BAD, BOLD, CHOSEN, DIM,
};

/// Columns of services: title, width, and the least width of the terminal that has it.
/// No width: what is left.
const COLUMNS: [(&str, Option<u16>, u16); 12] = [
    ("KIND", Some(10), 0),
    ("PID", Some(7), 0),
    ("WHERE", None, 60),
    ("ROLE", Some(4), 60),
    ("PROC", Some(5), 40),
    ("EXEC/S", Some(6), 24),
    ("FILE/S", Some(6), 60),
    ("CRIT", Some(4), 34),
    ("HIGH", Some(4), 40),
    ("MED", Some(4), 50),
    ("LOW", Some(4), 76),
    ("INFO", Some(4), 76),
];

/// Columns from here on are numbers.
const NUMBERS: usize = 4;
/// Rows from which there is room for a frame.
const FRAMED: u16 = 5;

pub(super) fn services(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let services = model.services();
    let chosen = model.service.at(services.iter().map(|it| it.id));
    let title = format!(" services, by {} ", model.sort.name());
    let block = block(title, model.pane == Pane::Services, area);
    let inside = block.inner(area);
    let columns: Vec<usize> = (0..COLUMNS.len())
        .filter(|&at| COLUMNS[at].2 <= area.width)
        .collect();
    let widths = columns.iter().map(|&at| match COLUMNS[at].1 {
        Some(width) => Constraint::Length(width),
        None => Constraint::Fill(1),
    });
    let first = first(
        chosen,
        services.len(),
        inside.height.saturating_sub(1).into(),
    );
    let rows = services
        .iter()
        .enumerate()
        .skip(first)
        .take(inside.height.into());
    let rows: Vec<_> = rows
        .map(|(at, service)| {
            let all = cells(service);
            let cells = columns.iter().map(|&at| all[at].clone());
            let style = if at == chosen { CHOSEN } else { Style::new() };
            Row::new(cells.collect::<Vec<_>>()).style(style)
        })
        .collect();
    let titles = columns.iter().map(|&at| match at {
        ..NUMBERS => Cell::from(COLUMNS[at].0),
        _ => right(COLUMNS[at].0.to_owned()),
    });
    let header = Row::new(titles.collect::<Vec<_>>()).style(BOLD);
    let table = Table::new(rows, widths.collect::<Vec<_>>())
        .header(header)
        .block(block);
    frame.render_widget(table, area);
}

fn cells(service: &Service) -> [Cell<'static>; COLUMNS.len()] {
    let rates = service.rates;
    let [execs, files] = [rates.map(|it| it.execs), rates.map(|it| it.files)]
        .map(|it| right(it.map_or_else(|| "-".to_owned(), rate)));
    let alerts: [Cell<'static>; 5] = std::array::from_fn(|at| {
        let level = 4 - at;
        let count = service.alerts[level];
        if count == 0 {
            right("-".to_owned()).style(DIM)
        } else {
            right(short(count)).style(style(level))
        }
    });
    let [critical, high, medium, low, informational] = alerts;
    [
        Cell::from(service.kind.clone()),
        Cell::from(service.id.0.to_string()),
        Cell::from(service.place.clone()),
        Cell::from(service.role.clone()),
        right(short(service.processes)),
        execs,
        files,
        critical,
        high,
        medium,
        low,
        informational,
    ]
}

pub(super) fn alerts(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let alerts = model.latest();
    let chosen = model.alert.at(alerts.iter().map(|it| it.id.clone()));
    let focused = model.pane == Pane::Alerts;
    let block = block(" last alerts ".to_owned(), focused, area);
    let inside = block.inner(area);
    let first = first(chosen, alerts.len(), inside.height.into());
    let rows = alerts
        .iter()
        .enumerate()
        .skip(first)
        .take(inside.height.into());
    let rows = rows.map(|(at, alert)| {
        let style = if at == chosen && focused {
            CHOSEN
        } else {
            Style::new()
        };
        row(alert).style(style)
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Length(4),
        Constraint::Length(10),
        Constraint::Fill(1),
    ];
    let table = Table::new(rows.collect::<Vec<_>>(), widths).block(block);
    frame.render_widget(table, area);
}

fn row(alert: &Alert) -> Row<'static> {
    let levels = ["informational", "low", "medium", "high", "critical"];
    let level = levels.iter().position(|it| *it == alert.level);
    let word: String = alert.level.chars().take(4).collect();
    Row::new(vec![
        Cell::from(alert.time.clone()).style(DIM),
        Cell::from(word).style(level.map_or(DIM, style)),
        Cell::from(alert.service.clone()),
        Cell::from(alert.message.clone()),
    ])
}

fn block(title: String, focused: bool, area: Rect) -> Block<'static> {
    if area.height < FRAMED {
        return Block::new();
    }
    let style = if focused { BOLD } else { DIM };
    Block::bordered().title(title).border_style(style)
}

/// First row shown, so that the chosen one is among them.
fn first(chosen: usize, all: usize, room: usize) -> usize {
    chosen
        .saturating_sub(room / 2)
        .min(all.saturating_sub(room))
}

/// By level, least first.
fn style(level: usize) -> Style {
    match level {
        4 => BAD,
        3 => Style::new().fg(Color::Red),
        2 => Style::new().fg(Color::Yellow),
        1 => Style::new().fg(Color::Cyan),
        _ => DIM,
    }
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Text::from(Line::from(text).right_aligned()))
}

/// A number of at most four characters.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1_000),
        1_000_000..1_000_000_000 => format!("{}M", count / 1_000_000),
        _ => "max".to_owned(),
    }
}

/// A rate for people, in at most six characters.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        ..0.05 => "0".to_owned(),
        0.05..100.0 => format!("{rate:.1}"),
        100.0..100_000.0 => format!("{rate:.0}"),
        _ => format!("{:.0}k", (rate / 1e3).min(99_999.0)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_fit_their_columns(count: u64, per_second in 0.0..1e18) {
            prop_assert!(short(count).len() <= 4);
            prop_assert!(rate(per_second).len() <= 6, "{}", rate(per_second));
        }

        #[test]
        fn the_chosen_row_is_shown(all in 1_usize..10_000, chosen in 0_usize..10_000, room in 1_usize..100) {
            let chosen = chosen.min(all - 1);
            let first = first(chosen, all, room);
            prop_assert!((first..first + room).contains(&chosen));
        }
    }
}
