//! Which bytes of a line are replaced.

use std::ops::Range;

use super::mark;

/// What was found, as spans that do not touch, in order: without the marks in it, and
/// without the ends of arguments.
pub(super) fn secrets(text: &[u8], mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if found.is_empty() {
        return found;
    }
    found.sort_unstable_by_key(|span| (span.start, span.end));
    let mut whole: Vec<Range<usize>> = Vec::new();
    for span in found {
        match whole.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => whole.push(span),
        }
    }
    let mut barriers = mark::all(text);
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == 0);
    barriers.extend(ends.map(|(at, _)| at..at + 1));
    barriers.sort_unstable_by_key(|barrier| barrier.start);
    let mut left = Vec::new();
    let mut barriers = barriers.into_iter().peekable();
    for span in whole {
        while barriers.next_if(|it| it.end <= span.start).is_some() {}
        let mut begin = span.start;
        // One that reaches beyond this span may reach into the next.
        while let Some(barrier) = barriers.peek().filter(|it| it.start < span.end) {
            left.push(begin..barrier.start.max(begin));
            begin = barrier.end.max(begin);
            if barrier.end > span.end {
                break;
            }
            barriers.next();
        }
        left.push(begin..span.end.max(begin));
    }
    left.retain(|span| !span.is_empty());
    left
}

/// The text with something else in place of the spans.
pub(super) fn replaced(
    text: &[u8],
    spans: &[Range<usize>],
    mut with: impl FnMut(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        out.extend_from_slice(text.get(from..span.start).unwrap_or_default());
        out.extend(with(text.get(span.clone()).unwrap_or_default()));
        from = span.end;
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out
}
