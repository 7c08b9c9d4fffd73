//! Which language a reader wants.

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    /// English.
    English,
    /// Japanese.
    Japanese,
}

impl Language {
    /// The one asked for by `?lang=`, else the first of `Accept-Language` that we have, else English.
    pub(crate) fn choose(asked: Option<&str>, accept: &str) -> Self {
        let known = |tag: &str| match tag.trim().split(['-', ';']).next() {
            Some("ja") => Some(Self::Japanese),
            Some("en") => Some(Self::English),
            _ => None,
        };
        asked.and_then(known).or_else(|| accept.split(',').find_map(known)).unwrap_or(Self::English)
    }

    /// Its tag (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::English => Self::Japanese,
            Self::Japanese => Self::English,
        }
    }

    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_asked_first() {
        use Language::{English, Japanese};
        let table = [
            (Some("ja"), "en-US", Japanese),
            (Some("en"), "ja", English),
            (Some("xx"), "ja-JP,en;q=0.5", Japanese),
            (None, "fr, ja;q=0.9, en;q=0.8", Japanese),
            (None, "", English),
            (None, "fr", English),
        ];
        for (asked, accept, want) in table {
            assert_eq!(Language::choose(asked, accept), want, "{asked:?} {accept}");
        }
    }
}
