//! The drawn form of an alert: headline, sentence, lineage as a tree, what to do next,
//! what is missing.
//!
//! Works on the finished [`Alert`], whose strings are escaped and bounded. Ancestors get
//! one line each; the sentence and the process itself are wrapped, never cut.

mod layout;
mod notice;

use anstyle::{AnsiColor, Style};

use self::layout::{Line, Page};
use crate::{
    alert::{
        Alert, Container, Document, Exit, Incident, LeftOut, Level, Orchestrator, Relative,
        WrittenBy,
    },
    printable::word,
};

const PLAIN: Style = Style::new();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const MARK: Style = AnsiColor::Yellow.on_default();

/// Draws an alert or a notice without a final newline. `width` in columns, `None` without
/// bound.
#[must_use]
pub fn document(document: &Document, colour: bool, width: Option<usize>) -> String {
    match document {
        Document::Alert(alert) => render(alert, colour, width),
        Document::Notice(notice) => notice::render(notice, colour, width),
    }
}

/// Draws one alert without a final newline. `width` in columns, `None` without bound.
pub(super) fn render(alert: &Alert, colour: bool, width: Option<usize>) -> String {
    let page = Page {
        colour,
        width: width.map(|columns| columns.max(40)),
    };
    let mut out = String::new();
    page.wrap(&mut out, &headline(alert), 2);
    page.wrap(&mut out, &Line::indent(2).span(BOLD, &alert.message), 2);
    page.cut(&mut out, &place(alert));
    out.push('\n');
    lineage(&mut out, &page, alert);
    for line in object(alert) {
        page.wrap(&mut out, &line, 11);
    }
    out.push('\n');
    for (word, text) in remarks(alert) {
        let line = Line::indent(2)
            .span(DIM, &format!("{word:<9}"))
            .span(PLAIN, &text);
        page.wrap(&mut out, &line, 11);
    }
    out
}

fn headline(alert: &Alert) -> Line {
    // 2026-02-03T04:05:06.789012345Z, of which a reader wants milliseconds.
    let (date, time) = alert.timestamp.split_once('T').unwrap_or_default();
    let time = time.get(..12).unwrap_or(time);
    let level = alert.rule.level;
    Line::default()
        .span(DIM, &format!("{date} {time}Z  "))
        .span(level_style(level), &level.name().to_uppercase())
        .span(PLAIN, "  ")
        .span(BOLD, &alert.rule.name)
        .span(DIM, &format!("  {}", alert.rule.id))
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Informational => DIM,
        Level::Low => AnsiColor::Cyan.on_default(),
        Level::Medium => AnsiColor::Yellow.on_default().bold(),
        Level::High => AnsiColor::Red.on_default().bold(),
        Level::Critical => AnsiColor::White.on(AnsiColor::Red).bold(),
    }
}

fn place(alert: &Alert) -> Line {
    let mut parts = Vec::new();
    if let Some(service) = &alert.service {
        parts.push(format!("{} ({})", service.kind, service.role));
        parts.push(service.unit.clone());
    }
    parts.extend(whereabouts(
        alert.container.as_ref(),
        alert.orchestrator.as_ref(),
    ));
    parts.push(alert.host.name.clone());
    parts.retain(|part| !part.is_empty());
    Line::indent(2).span(DIM, &parts.join("  "))
}

/// `pod shop/web-1` and `container php 0123456789ab`.
fn whereabouts(
    container: Option<&Container>,
    orchestrator: Option<&Orchestrator>,
) -> impl Iterator<Item = String> {
    let pod = orchestrator.and_then(|it| {
        let (namespace, name) = (it.namespace.as_ref()?, it.resource.name.as_ref()?);
        Some(format!("pod {namespace}/{name}"))
    });
    let container = container.map(|it| {
        let id = it.id.get(..12).unwrap_or_default();
        match &it.name {
            Some(name) => format!("container {} {id}", word(name)),
            None => format!("container {id}"),
        }
    });
    pod.into_iter().chain(container)
}

fn lineage(out: &mut String, page: &Page, alert: &Alert) {
    let mut before: Option<&Relative> = None;
    for (depth, relative) in alert.lineage.iter().enumerate() {
        let indent = page.tree_indent(depth);
        let next = before.map_or(0, |before| before.position.saturating_add(1));
        if relative.position > next {
            let gap = format!("⋮ {} more, left out", relative.position - next);
            page.cut(out, &Line::indent(indent).span(MARK, &gap));
        }
        let line = node(relative, before, indent);
        if depth + 1 == alert.lineage.len() {
            page.wrap(out, &line, indent + 3);
        } else {
            page.cut(out, &line);
        }
        before = Some(relative);
    }
}

fn node(relative: &Relative, before: Option<&Relative>, indent: usize) -> Line {
    let branch = if before.is_some() { "└─ " } else { "" };
    let mut line = Line::indent(indent)
        .span(DIM, branch)
        .span(BOLD, &relative.pid.to_string());
    if relative.part != "descendant" {
        line = line.span(DIM, &format!(" {}", relative.part));
    }
    line = line
        .span(PLAIN, "  ")
        .span(AnsiColor::Green.on_default(), &program(relative));
    if before.is_none_or(|before| before.user != relative.user) {
        let user = relative.user.name.as_ref().unwrap_or(&relative.user.id);
        line = line.span(DIM, &format!("  [{user}]"));
    }
    if relative.provenance != "observed" {
        line = line.span(MARK, &format!("  ({})", relative.provenance));
    }
    line = line.span(DIM, &relative.exit.as_ref().map(ending).unwrap_or_default());
    // A process that only forked has its creator's argv.
    let inherited = |args| relative.chain.is_empty() && before.and_then(args_of) == Some(args);
    if let Some(args) = args_of(relative)
        && !inherited(args)
    {
        line = line.span(PLAIN, &format!("  {}", argv(args)));
    }
    line
}

/// What was acted on, below the process that did it.
fn object(alert: &Alert) -> Vec<Line> {
    let indent = 2;
    let verb = format!("{:<9}", alert.event.action);
    let mut lines = Vec::new();
    if let Some(file) = &alert.file {
        let mut line = Line::indent(indent)
            .span(MARK, &verb)
            .span(BOLD, &word(&file.path));
        if let Some(inode) = &file.inode {
            let owner = inode.owner.as_ref().unwrap_or(&inode.uid);
            let facts = format!("  {} {owner} {} bytes", inode.mode, inode.size);
            line = line.span(DIM, &facts);
        }
        lines.push(line);
        let others = [("from", &file.old_path), ("to", &file.target_path)];
        for (preposition, path) in others {
            if let Some(path) = path {
                let line = Line::indent(indent)
                    .span(MARK, &format!("{preposition:<9}"))
                    .span(PLAIN, &word(path));
                lines.push(line);
            }
        }
    }
    if let Some(to) = &alert.destination {
        let transport = alert.network.and_then(|network| network.transport);
        let to = std::net::SocketAddr::new(to.ip, to.port);
        let line = Line::indent(indent)
            .span(MARK, &verb)
            .span(BOLD, &to.to_string())
            .span(DIM, &format!("  {}", transport.unwrap_or_default()));
        lines.push(line);
    }
    lines
}

/// The executable, behind the names of what the same process ran before.
fn program(relative: &Relative) -> String {
    let current = relative
        .image
        .as_ref()
        .map_or_else(|| "?".to_owned(), |image| word(&image.executable));
    let earlier = relative
        .chain
        .split_last()
        .map_or(&[][..], |(_, earlier)| earlier);
    let mut names = earlier
        .iter()
        .map(|path| word(path.rsplit('/').next().unwrap_or(path)));
    let mut shown = names.next().into_iter().collect::<Vec<_>>();
    if relative.chain_elided > 0 {
        shown.push(format!("{} more", relative.chain_elided));
    }
    shown.extend(names);
    shown.push(current);
    shown.join(" → ")
}

fn args_of(relative: &Relative) -> Option<&Vec<String>> {
    relative.image.as_ref().map(|image| &image.args)
}

fn argv(args: &[String]) -> String {
    args.iter()
        .map(|arg| word(arg))
        .collect::<Vec<_>>()
        .join(" ")
}

fn ending(exit: &Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("  exited {code}"),
        (None, Some(signal)) => format!("  killed by signal {signal}"),
        (None, None) => String::new(),
    }
}

fn remarks(alert: &Alert) -> Vec<(&'static str, String)> {
    let evidence = &alert.evidence;
    let lost = match evidence.lost_events {
        0 => String::new(),
        count => format!("{count} events: the lineage may lack a process"),
    };
    let techniques = alert
        .threat
        .as_ref()
        .map_or(&[][..], |threat| &threat.technique.id);
    let stdio = &alert.process.stdio;
    let mut remarks = vec![
        (
            "stdio",
            match alert.event.action {
                "exec" | "connect" => {
                    format!("{} {} {}", stdio.stdin, stdio.stdout, stdio.stderr)
                }
                _ => String::new(),
            },
        ),
        ("env", argv(&alert.process.env_vars)),
        ("written", written(alert)),
        ("script", script(alert)),
        ("request", request(alert)),
        ("ATT&CK", techniques.join(" ")),
        (
            "triage",
            alert
                .rule
                .triage
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        ("profile", profile(alert)),
        (
            "incident",
            alert.incident.as_deref().map(incident).unwrap_or_default(),
        ),
        ("cut", evidence.truncated.join(", ")),
        ("unknown", evidence.incomplete.join(", ")),
        ("lost", lost),
        ("degraded", evidence.degraded.join(", ")),
        ("id", alert.event.id.clone()),
    ];
    remarks.retain(|(_, text)| !text.is_empty());
    remarks
}

/// What the profile of the service says.
fn profile(alert: &Alert) -> String {
    let Some(profile) = &alert.profile else {
        return String::new();
    };
    let silent = if profile.would_silence {
        "; would be silenced in mode alert"
    } else {
        ""
    };
    format!("{}: {}{silent}", profile.judgement, profile.reason)
}

/// Place in the incident; nothing for a first alert, which has no history.
fn incident(incident: &Incident) -> String {
    if incident.alerts == 1 && incident.folded == 0 {
        return String::new();
    }
    let raised = if incident.raised {
        format!(", raised to {} by {} rules", incident.level, incident.rules)
    } else {
        String::new()
    };
    let left_out = match left_out(&incident.suppressed) {
        none if none.is_empty() => none,
        some => format!("; {some}"),
    };
    let (id, number) = (short(&incident.id), incident.alerts);
    format!("{id}, alert {number}{raised}{left_out}")
}

/// Begin of an id, as people compare it.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// `suppressed 12 since 04:05:06Z of rule_a, 3 since ...`
fn left_out(suppressed: &[LeftOut]) -> String {
    let each = suppressed.iter().map(|it| {
        let time = it.since.split_once('T').map_or("", |(_, time)| time);
        let time = time.get(..8).unwrap_or(time);
        format!("{} since {time}Z of {}", it.count, it.rule)
    });
    let each: Vec<_> = each.collect();
    if each.is_empty() {
        return String::new();
    }
    format!("suppressed {}", each.join(", "))
}

/// The script behind it, and how that is known.
fn script(alert: &Alert) -> String {
    let Some(script) = &alert.script else {
        return String::new();
    };
    let path = word(&script.path);
    let written = match &script.written_by {
        Some(by) => format!(", written by {} {} s before", whom(alert, by), by.seconds),
        None => String::new(),
    };
    let seconds = script.seconds.unwrap_or_default();
    match script.source {
        "environment" => format!("{path}, as the request says"),
        "read" => format!("{path}, read {seconds} s before{written}"),
        "last_read" => format!("{path} perhaps: last read, {seconds} s before{written}"),
        _ => format!("one in {path} perhaps: its working directory"),
    }
}

/// The request of a CGI environment.
fn request(alert: &Alert) -> String {
    let Some(request) = &alert.request else {
        return String::new();
    };
    let parts = [
        request.client.as_ref(),
        request.method.as_ref(),
        request.host.as_ref(),
        request.uri.as_ref(),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().map(|it| word(it)).collect();
    parts.join(" ")
}

fn whom(alert: &Alert, by: &WrittenBy) -> &'static str {
    let own = alert.service.as_ref().is_some_and(|it| it.id == by.service);
    if own {
        "this service"
    } else {
        "another service"
    }
}

/// Who wrote what it is about.
fn written(alert: &Alert) -> String {
    let process = &alert.process;
    let file = alert
        .file
        .as_ref()
        .and_then(|file| file.written_by.as_ref());
    let all = [
        ("the file", file),
        ("the script", process.script_written_by.as_ref()),
        ("the program", process.file.written_by.as_ref()),
    ];
    let said = all.iter().filter_map(|(what, by)| {
        let by = by.as_ref()?;
        let whom = whom(alert, by);
        Some(format!("{what} by {whom}, {} s before", by.seconds))
    });
    said.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::sample::{pod_sample, program, sample};

    #[test]
    fn a_pod_has_its_place_in_the_third_line() {
        let drawn = render(&pod_sample().alert(), false, None);
        let line = "  php-fpm (app)  php8.2-fpm.service  pod shop/web-5d9c7b8f6-x2x7q  \
                    container php 0123456789ab  web1\n";
        assert!(drawn.contains(line), "{drawn}");
    }

    #[test]
    fn paths_and_arguments_forge_no_columns() {
        let mut sample = sample();
        let hostile = Arc::new(program(
            "/srv/p  [root]  exited 0 → /nginx",
            &["it's", "a  (scanned)", "→"],
        ));
        sample.subject.program = Arc::clone(&hostile);
        sample.subject.lineage.ancestors[2].program = Some(hostile);
        let drawn = render(&sample.alert(), false, None);
        let line = "900  dash → '/srv/p  [root]  exited 0 → /nginx'  'it'\\''s' 'a  (scanned)' '→'";
        assert!(drawn.contains(line), "{drawn}");
    }
}
