//! JSON as Kea reads it: with `//`, `#` and `/* */` comments and commas after the last member; every value knows its
//! line. Strings are left to the ecosystem's parser.

use super::ImportError;

/// Levels of objects and lists in each other; Kea's own configurations need eight.
const DEPTH_MAX: usize = 64;

/// Values that a configuration may have.
const VALUES_MAX: usize = 1_000_000;

/// A value and the line that it starts on.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Json {
    pub(super) line: u32,
    pub(super) value: Value,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    /// Members in the order written, each with the line of its key.
    Object(Vec<(u32, String, Json)>),
}

impl Json {
    /// The members, when it is an object.
    pub(super) fn members(&self) -> &[(u32, String, Json)] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    /// The last member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.members().iter().rev().find(|(_, key, _)| key == name).map(|(.., value)| value)
    }

    pub(super) fn items(&self) -> &[Json] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number of 0 to 2^53, as the condition says"
    )]
    pub(super) fn number(&self) -> Option<u64> {
        match self.value {
            Value::Number(number) if (0.0..=9e15).contains(&number) && number.fract() == 0.0 => Some(number as u64),
            _ => None,
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Boolean(claim) => Some(claim),
            _ => None,
        }
    }
}

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Json, ImportError> {
    let mut parser = Parser { text, at: 0, line: 1, values: 0 };
    let json = parser.value(0)?;
    parser.blank()?;
    match parser.peek() {
        None => Ok(json),
        Some(_) => Err(parser.error("something follows the configuration")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    values: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, says: &str) -> ImportError {
        ImportError::new(self.line, says)
    }

    fn advance(&mut self, count: usize) {
        let passed = self.text.as_bytes().get(self.at..self.at + count).unwrap_or_default();
        let lines = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at += count;
    }

    /// Skips blanks and comments.
    fn blank(&mut self) -> Result<(), ImportError> {
        loop {
            let rest = self.rest();
            let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
            if skipped > 0 {
                self.advance(skipped);
            } else if rest.starts_with("//") || rest.starts_with('#') {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.advance(end + 2),
                    None => return Err(self.error("a comment is not closed by `*/`")),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, ImportError> {
        self.blank()?;
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(self.error("is nested too deep or too large"));
        }
        let line = self.line;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'<') => return Err(self.error("another file is included here; put its text in its place")),
            Some(_) => self.word()?,
            None => return Err(self.error("ends too early")),
        };
        Ok(Json { line, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value, ImportError> {
        self.advance(1);
        let mut members = Vec::new();
        loop {
            self.blank()?;
            let line = self.line;
            match self.peek() {
                Some(b'}') => {
                    self.advance(1);
                    return Ok(Value::Object(members));
                }
                Some(b'"') => {
                    let key = self.string()?;
                    self.blank()?;
                    if self.peek() != Some(b':') {
                        return Err(self.error("a `:` is missing after a name"));
                    }
                    self.advance(1);
                    let value = self.value(depth + 1)?;
                    members.push((line, key, value));
                    self.comma(b'}')?;
                }
                Some(b'<') => return Err(self.error("another file is included here; put its text in its place")),
                _ => return Err(self.error("a name in quotes or a `}` is missing")),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, ImportError> {
        self.advance(1);
        let mut items = Vec::new();
        loop {
            self.blank()?;
            if self.peek() == Some(b']') {
                self.advance(1);
                return Ok(Value::List(items));
            }
            items.push(self.value(depth + 1)?);
            self.comma(b']')?;
        }
    }

    /// A comma, unless `end` comes.
    fn comma(&mut self, end: u8) -> Result<(), ImportError> {
        self.blank()?;
        match self.peek() {
            Some(b',') => {
                self.advance(1);
                Ok(())
            }
            Some(byte) if byte == end => Ok(()),
            _ => Err(self.error(&format!("a `,` or a `{}` is missing", char::from(end)))),
        }
    }

    fn string(&mut self) -> Result<String, ImportError> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(b'\n') | None => return Err(self.error("a text is not closed by `\"`")),
                Some(_) => end += 1,
            }
        }
        let literal = self.text.get(self.at..=end).unwrap_or_default();
        let text = serde_json::from_str(literal).map_err(|_| self.error("a text is not JSON"))?;
        self.advance(end + 1 - self.at);
        Ok(text)
    }

    fn word(&mut self) -> Result<Value, ImportError> {
        let rest = self.rest();
        let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let value = match word {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            "null" => Value::Null,
            // Kea takes `.5` too.
            _ => match word.parse::<f64>() {
                Ok(number) if word.starts_with(|c: char| c.is_ascii_digit() || "-.".contains(c)) => {
                    Value::Number(number)
                }
                _ => return Err(self.error("neither a value nor a comment")),
            },
        };
        self.advance(word.len());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_last_commas_are_passed_over_but_not_in_text() {
        let text =
            "# one\n{ // two\n \"a\": [.5, /* \" */ -2.5e1,], \"b//c\": \"# /* no */ \\\" \\u00e9\", \"d\": null,\n}\n";
        let json = parse(text).unwrap();
        assert_eq!(json.line, 2);
        assert_eq!(json.get("a").unwrap().items().len(), 2);
        assert_eq!(json.get("a").unwrap().line, 3);
        assert_eq!(json.get("b//c").unwrap().text(), Some("# /* no */ \" é"));
        assert_eq!(json.get("d").unwrap().value, Value::Null);
    }

    #[test]
    fn mistakes_have_a_line() {
        let table = [
            ("{\n\"a\" 1}", 2, "a `:` is missing after a name"),
            ("[1 2]", 1, "a `,` or a `]` is missing"),
            ("{\"a\": \"x\n", 1, "a text is not closed by `\"`"),
            ("\n/* x", 2, "a comment is not closed by `*/`"),
            ("{}\n{}", 2, "something follows the configuration"),
            ("{\"a\": <?include \"x\"?>}", 1, "another file is included here; put its text in its place"),
            ("", 1, "ends too early"),
            ("[\"\\x\"]", 1, "a text is not JSON"),
            ("[inf]", 1, "neither a value nor a comment"),
        ];
        for (text, line, says) in table {
            assert_eq!(parse(text), Err(ImportError::new(line, says)), "{text}");
        }
        assert!(parse(&"[".repeat(10_000)).is_err());
    }
}
