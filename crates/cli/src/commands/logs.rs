//! `hotstage logs`: find, follow, hand on.

mod context;
mod query;
mod show;

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use model::{LogRecord, Timestamp, Transport};
use store::{LogFollower, LogPosition, LogQuery};

use crate::{
    Answer,
    args::{Logs, LogsFormat},
    commands::page_access,
    output,
};
use show::Show;

/// Lines held at one time.
const PAGE_LINES: usize = 50_000;
/// How long after it was stored a line is seen by who follows, at most.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

pub(crate) fn run(arguments: &Logs) -> Result<Answer> {
    if arguments.page {
        return page_access::show_link(&arguments.state);
    }
    let query = query::of(arguments)?;
    if arguments.count {
        output::line(&count(arguments, &query)?.to_string())?;
        return Ok(Answer::Good);
    }
    if arguments.format == LogsFormat::Parquet && (arguments.output.is_none() || arguments.follow) {
        bail!("Parquet is written to a file in one go; give `--output FILE`, without `--follow`");
    }
    let mut show = Show::new(arguments)?;
    if let Some(lines) = arguments.context {
        context::run(arguments, &query, lines, &mut show)?;
    } else if arguments.follow {
        follow(arguments, query, &mut show)?;
        return Ok(Answer::Good);
    } else {
        newest(arguments, query, &mut show)?;
    }
    show.finish()?;
    Ok(Answer::Good)
}

/// The typed event of a line, if it is one.
fn kind(log: &LogRecord) -> Option<&'static str> {
    syslog::event(log).map(|event| event.kind())
}

/// The typed event that program and message of a line tell of, if any; nothing else of a line matters for it.
pub(crate) fn kind_of(app: &str, message: &str) -> Option<&'static str> {
    kind(&LogRecord {
        received: Timestamp::EPOCH,
        source: ([0, 0, 0, 0], 0).into(),
        transport: Transport::Internal,
        facility: None,
        severity: None,
        host: String::new(),
        app: app.to_owned(),
        device_time: None,
        message: message.to_owned(),
        raw: Vec::new(),
    })
}

/// Shows the newest lines up to the limit, page by page.
fn newest(arguments: &Logs, mut query: LogQuery, show: &mut Show) -> Result<()> {
    let limit = if arguments.all { u64::MAX } else { arguments.limit };
    query.newest_first = true;
    if usize::try_from(limit).is_ok_and(|limit| limit <= PAGE_LINES) {
        query.limit = usize::try_from(limit)?;
        let mut lines = search(arguments, &query)?;
        if !arguments.reverse {
            lines.reverse();
        }
        return show.lines(lines.iter().map(|line| (&line.log, None)));
    }
    let mut left = limit;
    if !arguments.reverse {
        if !arguments.all && count(arguments, &query)? > limit {
            query.from = oldest_of_newest(arguments, &query, limit)?.map(|position| position.received).or(query.from);
        }
        query.newest_first = false;
    }
    while left > 0 {
        query.limit = PAGE_LINES.min(usize::try_from(left).unwrap_or(PAGE_LINES));
        let lines = search(arguments, &query)?;
        let Some(last) = lines.last() else { break };
        query.beyond = Some(last.position);
        left -= lines.len() as u64;
        show.lines(lines.iter().map(|line| (&line.log, None)))?;
    }
    Ok(())
}

/// The last of the newest `limit` lines.
fn oldest_of_newest(arguments: &Logs, query: &LogQuery, limit: u64) -> Result<Option<LogPosition>> {
    let mut query = query.clone();
    let mut left = limit;
    while left > 0 {
        query.limit = PAGE_LINES.min(usize::try_from(left).unwrap_or(PAGE_LINES));
        let lines = search(arguments, &query)?;
        let Some(last) = lines.last() else { break };
        query.beyond = Some(last.position);
        left -= lines.len() as u64;
    }
    Ok(query.beyond)
}

/// Shows the newest lines up to the limit, then each new one until interrupted.
fn follow(arguments: &Logs, query: LogQuery, show: &mut Show) -> Result<()> {
    let unreadable = || unreadable(arguments);
    // Begun first, so that no line falls between the two.
    let mut follower = LogFollower::begin(&arguments.state).with_context(unreadable)?;
    let limit = usize::try_from(arguments.limit).unwrap_or(PAGE_LINES).min(PAGE_LINES);
    let first = LogQuery { newest_first: true, limit, ..query.clone() };
    let mut lines = search(arguments, &first)?;
    lines.reverse();
    let before = lines.iter().filter(|line| follower.began_behind(line.position));
    show.lines(before.map(|line| (&line.log, None)))?;
    loop {
        show.flush()?;
        let lines = follower.poll(&query).with_context(unreadable)?;
        if lines.is_empty() {
            thread::park_timeout(POLL_INTERVAL);
        }
        show.lines(lines.iter().map(|line| (&line.log, None)))?;
    }
}

fn search(arguments: &Logs, query: &LogQuery) -> Result<Vec<store::LogLine>> {
    store::search_lines(&arguments.state, query).with_context(|| unreadable(arguments))
}

fn count(arguments: &Logs, query: &LogQuery) -> Result<u64> {
    store::count_logs(&arguments.state, query).with_context(|| unreadable(arguments))
}

fn unreadable(arguments: &Logs) -> String {
    format!("the log in `{}` cannot be read", arguments.state.display())
}
