//! The lines around a line.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use model::Timestamp;
use store::{LogLine, LogPosition, LogQuery};

use super::{search, show::Show};
use crate::{args::Logs, output};

/// Lines whose surroundings are looked for.
const HITS_MAX: usize = 200;
/// Lines before and after each.
const LINES_MAX: usize = 1_000;
/// How far away they may be.
const SPAN: Duration = Duration::from_secs(3_600);

/// Shows the newest lines that `query` wants with `lines` of the same originator before and after each, at most an hour
/// away. Lines around two of them are shown once.
pub(super) fn run(arguments: &Logs, query: &LogQuery, lines: usize, show: &mut Show) -> Result<()> {
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    if limit > HITS_MAX && arguments.limit != 1_000 {
        output::note(&format!("with `--context` the newest {HITS_MAX} lines are shown"));
    }
    let hits = search(arguments, &LogQuery { limit: limit.min(HITS_MAX), newest_first: true, ..query.clone() })?;
    let mut blocks: Vec<BTreeMap<LogPosition, LogLine>> = Vec::new();
    let positions: Vec<LogPosition> = hits.iter().map(|hit| hit.position).collect();
    let mut shown: BTreeMap<LogPosition, usize> = BTreeMap::new();
    for hit in hits.into_iter().rev() {
        let around = around(arguments, &hit, lines.min(LINES_MAX))?;
        // A block that shares a line with an earlier one goes on with it.
        let known = around.iter().chain([&hit]).find_map(|line| shown.get(&line.position).copied());
        let block = known.unwrap_or_else(|| {
            blocks.push(BTreeMap::new());
            blocks.len() - 1
        });
        for line in around.into_iter().chain([hit]) {
            shown.entry(line.position).or_insert_with(|| {
                blocks[block].insert(line.position, line);
                block
            });
        }
    }
    if arguments.reverse {
        blocks.reverse();
    }
    for (at, block) in blocks.iter().enumerate() {
        if at > 0 {
            show.gap()?;
        }
        show.lines(block.iter().map(|(position, line)| (&line.log, Some(positions.contains(position)))))?;
    }
    Ok(())
}

fn around(arguments: &Logs, hit: &LogLine, lines: usize) -> Result<Vec<LogLine>> {
    let name = if hit.log.host.is_empty() { hit.log.source.ip().to_string() } else { hit.log.host.clone() };
    let same = LogQuery {
        hosts: Some(vec![store::exact_name(&name)]),
        beyond: Some(hit.position),
        limit: lines,
        ..LogQuery::default()
    };
    let away = |nanos: i64| Timestamp::from_nanos(hit.log.received.as_nanos().saturating_add(nanos));
    let span = i64::try_from(SPAN.as_nanos()).unwrap_or(i64::MAX);
    let before = LogQuery { newest_first: true, from: Some(away(-span)), ..same.clone() };
    let after = LogQuery { newest_first: false, to: Some(away(span)), ..same };
    let mut found = search(arguments, &before)?;
    found.extend(search(arguments, &after)?);
    Ok(found)
}
