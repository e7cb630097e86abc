//! A connection that follows alerts: what is wanted, and the lines that answer it.
//!
//! Lines are documents as `run` writes them, or `{"drawn": ...}` where they are asked for as
//! people read them, and `{"missed": N}` where N found no room because the reader was slow.
//! A reader that does not read blocks nobody but itself.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use crate::{
    alert::{Level, UnknownLevel},
    sink::{
        Filter, draw,
        tail::{Follower, Told},
    },
};

/// Most bytes of what a follower says after its request: some thousand changes of width.
const SAID_MAX: u64 = 64 * 1024;

/// What a follower wants.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Least level; every level when empty.
    pub level: String,
    /// Rules, as [`Filter`] has them.
    pub rules: Vec<String>,
    /// Services, as [`Filter`] has them.
    pub services: Vec<String>,
    /// So many of the latest first.
    pub last: usize,
    /// Drawn, not as JSON.
    pub draw: Option<Draw>,
}

/// How documents are drawn.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Draw {
    /// With colours.
    pub colour: bool,
    /// Width of the terminal; without bound when it has none.
    pub columns: Option<usize>,
}

impl Wanted {
    pub(super) fn filter(&self) -> Result<Filter, String> {
        let level = match self.level.as_str() {
            "" => Ok(Level::Informational),
            word => word
                .parse()
                .map_err(|error: UnknownLevel| error.to_string()),
        };
        Ok(Filter {
            rules: self.rules.clone(),
            services: self.services.clone(),
            ..Filter::from(level?)
        })
    }
}

/// Writes what is told until the other end has gone. The other end may say, in lines like
/// `{"columns": 80}`, how wide it is now.
pub(super) async fn serve(
    mut stream: UnixStream,
    follower: &Follower,
    mut wanted: Wanted,
) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut said = BufReader::new(read.take(SAID_MAX)).lines();
    // That there is a place is said before anything happens.
    write.write_all(b"{\"following\":true}\n").await?;
    loop {
        let told = tokio::select! {
            line = said.next_line() => match line? {
                Some(line) => {
                    widen(&mut wanted, &line);
                    continue;
                }
                None => return Ok(()),
            },
            told = follower.next() => told,
        };
        write.write_all(line(&told, wanted.draw).as_bytes()).await?;
    }
}

fn widen(wanted: &mut Wanted, line: &str) {
    #[derive(Deserialize)]
    struct Said {
        columns: usize,
    }
    if let (Some(draw), Ok(said)) = (&mut wanted.draw, serde_json::from_str::<Said>(line)) {
        draw.columns = Some(said.columns);
    }
}

fn line(told: &Told, how: Option<Draw>) -> String {
    let mut line = match (told, how) {
        (Told::Missed(count), _) => json!({ "missed": count }).to_string(),
        (Told::Document(document), None) => document.to_json(),
        (Told::Document(document), Some(how)) => {
            let drawn = draw(document, how.colour, how.columns);
            json!({ "drawn": drawn, "id": document.id() }).to_string()
        }
    };
    line.push('\n');
    line
}
