//! The report as Markdown.

use crate::document::{Document, Section, Table};

pub(crate) fn write(document: &Document) -> String {
    let mut text = format!("# {}\n\n", escape(&document.title));
    let lead: Vec<String> =
        [Some(document.words.report.to_owned()), document.badge.clone(), Some(document.motto.clone())]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .map(|part| escape(&part))
            .collect();
    text.push_str(&lead.join(" · "));
    text.push('\n');
    document.sections.iter().for_each(|section| write_section(section, &mut text));
    text
}

fn write_section(section: &Section, text: &mut String) {
    text.push_str(&format!("\n## {}\n", section.title));
    for sentence in &section.says {
        text.push_str(&format!("\n{}\n", escape(sentence)));
    }
    section.tables.iter().for_each(|table| write_table(table, text));
}

fn write_table(table: &Table, text: &mut String) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    text.push('\n');
    text.push_str(&line(table.columns.iter().map(|column| escape(column.title)).collect()));
    let rule = |is_number| if is_number { "---:" } else { "---" };
    text.push_str(&line(table.columns.iter().map(|column| rule(column.is_number).to_owned()).collect()));
    for row in &table.rows {
        text.push_str(&line(row.cells.iter().map(|cell| escape(cell)).collect()));
    }
}

/// Text that Markdown shows as it is: nothing in it can begin markup, HTML, or another line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ if character.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_markup() {
        let table = [
            ("ap-4f-1", "ap-4f-1"),
            ("a|b\nc", "a\\|b c"),
            ("<script>", "\\<script\\>"),
            ("[x](y) *z* `q` &amp;", "\\[x\\](y) \\*z\\* \\`q\\` \\&amp;"),
        ];
        for (text, want) in table {
            assert_eq!(escape(text), want);
        }
    }
}
