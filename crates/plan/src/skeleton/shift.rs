use jiff::{ToSpan, civil};
use model::Place;

use crate::{
    Problem, SourceFile,
    file::{
        leaf::{parse_date, parse_date_time},
        tree::{self, Node, Table, Value},
    },
    problem::Problems,
    source,
};

/// Weeks between an event and the next when no date is given: the same weekday of next year.
const WEEKS_TO_NEXT: i64 = 52;

/// The files of an old plan with every date moved by whole days so that its first day becomes `first_day`, or by 52
/// weeks when none is given. Comments and layout stay. Timetables in JSON and XML are exports with moments of the old
/// event, so they are left out; `timetable.csv` is moved. Errors: the old plan has no day, or is not TOML.
pub fn shifted(files: &[SourceFile], first_day: Option<civil::Date>) -> Result<Vec<SourceFile>, Problem> {
    let mut problems = Problems::default();
    let mut notes = Problems::default();
    let mut first: Option<civil::Date> = None;
    let mut texts = Vec::new();
    for file in files.iter().filter(|file| !file.name.ends_with(".json") && !file.name.ends_with(".xml")) {
        let Some(text) = source::text(&file.name, &file.bytes, true, &mut problems, &mut notes) else { continue };
        let table = file.name.ends_with(".toml").then(|| tree::parse(&file.name, &text, &mut problems)).flatten();
        if let Some(table) = &table {
            first = first.into_iter().chain(days(table)).min();
        }
        texts.push((file.name.clone(), text, table));
    }
    if let Some(problem) = problems.into_sorted().into_iter().next() {
        return Err(problem);
    }
    let first = first.ok_or_else(|| no_day("has no day with a date"))?;
    let by = match first_day {
        Some(wanted) => i64::from((wanted - first).get_days()),
        None => WEEKS_TO_NEXT * 7,
    };
    let moved = texts.into_iter().map(|(name, text, table)| {
        let text = match table {
            Some(table) => shift_toml(&text, &table, by),
            None if name == "timetable.csv" || name == "roster.csv" => shift_csv(&text, by),
            None => text,
        };
        SourceFile { name, bytes: text.into_bytes() }
    });
    Ok(moved.collect())
}

fn no_day(says: &str) -> Problem {
    Problem { at: Place::file("event.toml"), says: says.into(), remedy: "state the days of the old plan".into() }
}

/// The dates of the plan's days.
fn days(table: &Table) -> Vec<civil::Date> {
    let event = table.get("event").and_then(|(_, node)| match &node.value {
        Value::Table(event) => event.get("days"),
        _ => None,
    });
    let lists = [table.get("day"), event];
    let members = lists.into_iter().flatten().filter_map(|(_, node)| match &node.value {
        Value::Array(days) => Some(days),
        _ => None,
    });
    members.flatten().filter_map(date_of).collect()
}

fn date_of(day: &Node) -> Option<civil::Date> {
    let Value::Table(table) = &day.value else { return None };
    match &table.get("date")?.1.value {
        Value::Text(text) | Value::Moment(text) => parse_date(text.trim()),
        _ => None,
    }
}

/// Moves the dates that are values; those in comments and inside other text stay.
fn shift_toml(text: &str, table: &Table, by: i64) -> String {
    let mut found = Vec::new();
    for (_, node) in table.values() {
        places_of_dates(node, &mut found);
    }
    found.sort();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // From the right, so that a moved date of another length does not move those before it.
    for (line, column) in found.into_iter().rev() {
        let Some(content) = lines.get_mut(line) else { continue };
        let start = content.char_indices().nth(column).map_or(content.len(), |(offset, _)| offset);
        let (head, tail) = content.split_at(start);
        let quotes = tail.len() - tail.trim_start_matches(['"', '\'', ' ']).len();
        let (opening, tail) = tail.split_at(quotes);
        if let Some(moved) = move_leading_date(tail, by) {
            *content = format!("{head}{opening}{moved}");
        }
    }
    lines.join("\n")
}

fn places_of_dates(node: &Node, found: &mut Vec<(usize, usize)>) {
    match &node.value {
        Value::Text(text) | Value::Moment(text) => {
            if parse_date(text).is_some() || parse_date_time(text.trim()).is_some() {
                let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
                found.push((index(node.at.line), index(node.at.column)));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| places_of_dates(item, found)),
        Value::Table(table) => table.values().for_each(|(_, node)| places_of_dates(node, found)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {}
    }
}

/// Moves cells that are a date or a date and hour.
fn shift_csv(text: &str, by: i64) -> String {
    let line = |line: &str| {
        if line.starts_with('#') {
            return line.to_owned();
        }
        line.split_inclusive([',', ';', '\t']).map(|cell| shift_cell(cell, by)).collect()
    };
    text.split('\n').map(line).collect::<Vec<String>>().join("\n")
}

fn shift_cell(cell: &str, by: i64) -> String {
    let around = |c: char| c.is_whitespace() || matches!(c, '"' | ',' | ';');
    let bare = cell.trim_matches(around);
    let is_date = parse_date(bare).is_some() || parse_date_time(bare).is_some();
    match (is_date, move_leading_date(bare, by)) {
        (true, Some(moved)) => cell.replacen(bare, &moved, 1),
        _ => cell.to_owned(),
    }
}

/// `2019-09-16T08:00` moved by days, with the separator it had.
fn move_leading_date(text: &str, by: i64) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-' && c != '/').unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let separator = date.chars().find(|c| !c.is_ascii_digit())?;
    let moved = parse_date(date)?.checked_add(by.days()).ok()?;
    let [month, day] = [moved.month(), moved.day()].map(|number| format!("{number:02}"));
    Some(format!("{:04}{separator}{month}{separator}{day}{rest}", moved.year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile { name: name.into(), bytes: text.as_bytes().to_vec() }
    }

    fn check(name: &str, before: &str, after: &str) {
        let event = file("event.toml", "[event]\ndays = [{ date = \"2019-09-15\" }]\n");
        let files = if name == "event.toml" { vec![file(name, before)] } else { vec![event, file(name, before)] };
        let moved = shifted(&files, Some(civil::date(2020, 9, 20))).unwrap();
        let text = String::from_utf8(moved.last().unwrap().bytes.clone()).unwrap();
        assert_eq!(text, after);
    }

    #[test]
    fn values_move_and_comments_stay() {
        check(
            "event.toml",
            "# was 2019-09-15\n[[day]]\r\ndate = '2019-09-15' # 2019-09-15\n[[day]]\ndate=2019-09-16\n[privacy]\n\
             erase_on = \"2019/12/31\"\n[event]\nname = \"2019-09-15 meetup\"\n",
            "# was 2019-09-15\n[[day]]\r\ndate = '2020-09-20' # 2019-09-15\n[[day]]\ndate=2020-09-21\n[privacy]\n\
             erase_on = \"2021/01/05\"\n[event]\nname = \"2019-09-15 meetup\"\n",
        );
        check(
            "venue.toml",
            "room = [{ access = 2019-09-15T08:00:00 }, { access = \"2019-09-16 08:00\" }]",
            "room = [{ access = 2020-09-20T08:00:00 }, { access = \"2020-09-21 08:00\" }]",
        );
    }

    #[test]
    fn lists_move_cell_by_cell() {
        check(
            "roster.csv",
            "who,start,end\n# 2019-09-15\nA,2019-09-15T08:00,\"2019-09-15 12:00\"\n",
            "who,start,end\n# 2019-09-15\nA,2020-09-20T08:00,\"2020-09-20 12:00\"\n",
        );
        check(
            "timetable.csv",
            "title,date\r\nOn 2019-09-15,2019-09-15\r\n",
            "title,date\r\nOn 2019-09-15,2020-09-20\r\n",
        );
        check("cables.csv", "label\n2019-09-15\n", "label\n2019-09-15\n");
    }

    #[test]
    fn without_a_date_it_is_the_same_weekday_next_year() {
        let files = [file("event.toml", "[[day]]\ndate = 2019-09-16\n")];
        let moved = shifted(&files, None).unwrap();
        assert_eq!(moved[0].bytes, b"[[day]]\ndate = 2020-09-14\n");
        assert!(shifted(&[file("event.toml", "[event]\n")], None).is_err());
    }
}
