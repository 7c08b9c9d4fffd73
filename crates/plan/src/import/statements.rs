//! The form of ISC dhcpd's files: statements of words, ended by `;` or by a block in braces.

/// Blocks in each other.
const DEPTH_MAX: usize = 32;

/// Words of one statement.
const WORDS_MAX: usize = 10_000;

/// Statements of one outermost block.
const STATEMENTS_MAX: usize = 500_000;

/// A part of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// As it stands.
    Word(String),
    /// In quotes, escapes resolved.
    Text(Vec<u8>),
    /// `(`, `)`, `,` or `=`.
    Mark(u8),
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Text(_) | Self::Mark(_) => None,
        }
    }

    /// A word, or text in quotes that is UTF-8.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word.clone()),
            Self::Text(octets) => String::from_utf8(octets.clone()).ok(),
            Self::Mark(_) => None,
        }
    }
}

/// A statement: `words ;` or `words { block }`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Statement {
    pub(super) line: u32,
    pub(super) words: Vec<Token>,
    pub(super) block: Option<Vec<Statement>>,
}

impl Statement {
    /// The `index`th word, when it is one.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index)?.word()
    }

    /// True when it begins with these words, in lower case.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| self.word(index).is_some_and(|own| own.eq_ignore_ascii_case(word)))
    }

    /// As people would write it, for messages.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        for word in self.words.iter().take(12) {
            match word {
                Token::Word(word) => text.push_str(word),
                Token::Text(octets) => text.push_str(&format!("\"{}\"", String::from_utf8_lossy(octets))),
                Token::Mark(mark) => text.push(char::from(*mark)),
            }
            text.push(' ');
        }
        let text: String = text.trim_end().chars().take(80).collect();
        if self.block.is_some() { format!("{text} {{ ... }}") } else { text }
    }
}

/// What is wrong with the form, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FormError {
    pub(super) line: u32,
    pub(super) says: &'static str,
}

/// Reads statements one after the other, so that a large file needs no more memory than its largest statement.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
    left: usize,
}

enum Piece {
    Token(Token),
    Semicolon,
    Open,
    Close,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self { bytes, at: 0, line: 1, left: STATEMENTS_MAX }
    }

    /// The next outermost statement; `None` at the end. After an error the file cannot be trusted further.
    pub(super) fn next(&mut self) -> Option<Result<Statement, FormError>> {
        self.left = STATEMENTS_MAX;
        match self.statement(0) {
            Ok(Some(statement)) => Some(Ok(statement)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn error(&self, says: &'static str) -> FormError {
        FormError { line: self.line, says }
    }

    /// `None` at the end of the file, or of the block, whose brace is taken.
    fn statement(&mut self, depth: usize) -> Result<Option<Statement>, FormError> {
        if depth > DEPTH_MAX {
            return Err(self.error("blocks are nested too deep"));
        }
        self.left = self.left.checked_sub(1).ok_or(self.error("a block has too many statements"))?;
        let mut words = Vec::new();
        let mut line = self.line;
        loop {
            let piece = self.piece()?;
            if words.is_empty() {
                line = self.line;
            }
            match piece {
                None if depth > 0 => return Err(self.error("a block is not closed by `}`")),
                None if words.is_empty() => return Ok(None),
                None => return Err(self.error("the last statement is not closed by `;`")),
                Some(Piece::Token(token)) if words.len() < WORDS_MAX => words.push(token),
                Some(Piece::Token(_)) => return Err(self.error("a statement is too long")),
                // An empty statement, as after a block.
                Some(Piece::Semicolon) if words.is_empty() => {}
                Some(Piece::Semicolon) => return Ok(Some(Statement { line, words, block: None })),
                Some(Piece::Open) => {
                    let mut block = Vec::new();
                    while let Some(inner) = self.statement(depth + 1)? {
                        block.push(inner);
                    }
                    return Ok(Some(Statement { line, words, block: Some(block) }));
                }
                Some(Piece::Close) if depth > 0 && words.is_empty() => return Ok(None),
                Some(Piece::Close) if depth > 0 => return Err(self.error("a `;` is missing before `}`")),
                Some(Piece::Close) => return Err(self.error("a `}` closes nothing")),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn piece(&mut self) -> Result<Option<Piece>, FormError> {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line = self.line.saturating_add(1),
                b'#' => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    continue;
                }
                _ if byte.is_ascii_whitespace() => {}
                _ => break,
            }
            self.at += 1;
        }
        let Some(byte) = self.peek() else { return Ok(None) };
        let piece = match byte {
            b';' => Piece::Semicolon,
            b'{' => Piece::Open,
            b'}' => Piece::Close,
            b'(' | b')' | b',' | b'=' => Piece::Token(Token::Mark(byte)),
            b'"' => return self.text().map(|octets| Some(Piece::Token(Token::Text(octets)))),
            _ => return Ok(Some(Piece::Token(Token::Word(self.bare())))),
        };
        self.at += 1;
        Ok(Some(piece))
    }

    /// A word without quotes.
    fn bare(&mut self) -> String {
        let rest = &self.bytes[self.at..];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b";{}(),=\"#".contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        String::from_utf8_lossy(&rest[..length]).into_owned()
    }

    /// Text in quotes, with dhcpd's escapes: `\"`, `\\`, `\n`, `\t`, `\r`, `\ooo`, `\xhh`.
    fn text(&mut self) -> Result<Vec<u8>, FormError> {
        let mut octets = Vec::new();
        self.at += 1;
        loop {
            let Some(byte) = self.peek() else { return Err(self.error("a text is not closed by `\"`")) };
            self.at += 1;
            match byte {
                b'"' => return Ok(octets),
                b'\n' => return Err(self.error("a text is not closed by `\"`")),
                b'\\' => octets.extend(self.escaped()),
                byte => octets.push(byte),
            }
        }
    }

    fn escaped(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        let digits = |bytes: &[u8], radix| {
            let text =
                std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u8::from_str_radix(text, radix).ok()
        };
        if byte.is_ascii_digit()
            && let Some(octet) = self.bytes.get(self.at..self.at + 3).and_then(|three| digits(three, 8))
        {
            self.at += 3;
            return Some(octet);
        }
        if byte == b'x'
            && let Some(octet) = self.bytes.get(self.at + 1..self.at + 3).and_then(|two| digits(two, 16))
        {
            self.at += 3;
            return Some(octet);
        }
        if byte != b'\n' {
            self.at += 1;
        }
        Some(match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_and_blocks_are_read() {
        let text = b"a b, \"c\\001\\\"#\"; # x\nd { e 1:2; f { } }\n;";
        let mut reader = Reader::new(text);
        let first = reader.next().unwrap().unwrap();
        let word = |text: &str| Token::Word(text.into());
        assert_eq!(first.words, [word("a"), word("b"), Token::Mark(b','), Token::Text(b"c\x01\"#".to_vec())]);
        let second = reader.next().unwrap().unwrap();
        assert_eq!((second.line, second.block.as_ref().map(Vec::len)), (2, Some(2)));
        assert!(reader.next().is_none());
    }

    #[test]
    fn broken_forms_have_a_line() {
        let table: [(&[u8], u32, &str); 5] = [
            (b"a\n{ b;", 2, "a block is not closed by `}`"),
            (b"a", 1, "the last statement is not closed by `;`"),
            (b"\n}", 2, "a `}` closes nothing"),
            (b"a { b }", 1, "a `;` is missing before `}`"),
            (b"a \"x\n\";", 1, "a text is not closed by `\"`"),
        ];
        for (text, line, says) in table {
            assert_eq!(Reader::new(text).next(), Some(Err(FormError { line, says })));
        }
        let deep = "a {".repeat(100_000);
        assert!(Reader::new(deep.as_bytes()).next().unwrap().is_err());
    }
}
