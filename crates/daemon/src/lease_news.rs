//! What happened to leases lately, for the page: how many of which pool, newest first, nobody by name.

use std::collections::VecDeque;

use model::{LeaseChange, LeaseNews, Timestamp};

/// Lines kept; the page shows what fits.
const NEWS_MAX: usize = 24;

/// Compares what was counted with what was counted before.
#[derive(Default)]
pub(crate) struct LeaseNewsBook {
    before: Vec<(String, LeaseChange, u64)>,
    news: VecDeque<LeaseNews>,
}

impl LeaseNewsBook {
    /// Takes the counts so far of each pool and change. True when something happened.
    pub(crate) fn observe(&mut self, now: Timestamp, counts: Vec<(String, LeaseChange, u64)>) -> bool {
        let mut has_news = false;
        for (pool, change, count) in &counts {
            let before = self.before.iter().find(|(name, kind, _)| name == pool && kind == change);
            // Renewals go on all the time and would push out everything else.
            let more = count.saturating_sub(before.map_or(0, |(.., count)| *count));
            if more > 0 && *change != LeaseChange::Renewed {
                self.news.push_front(LeaseNews { at: now, pool: pool.clone(), change: *change, count: more });
                has_news = true;
            }
        }
        self.news.truncate(NEWS_MAX);
        self.before = counts;
        has_news
    }

    /// Newest first.
    pub(crate) fn news(&self) -> Vec<LeaseNews> {
        self.news.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn row(pool: &str, change: LeaseChange, count: u64) -> (String, LeaseChange, u64) {
        (pool.to_owned(), change, count)
    }

    #[test]
    fn only_what_is_new_is_told_and_renewals_are_not() {
        let mut book = LeaseNewsBook::default();
        assert!(book.observe(at(1), vec![row("a", LeaseChange::Granted, 3), row("a", LeaseChange::Renewed, 9)]));
        assert!(!book.observe(at(2), vec![row("a", LeaseChange::Granted, 3), row("a", LeaseChange::Renewed, 50)]));
        let counts = vec![
            row("a", LeaseChange::Granted, 5),
            row("a", LeaseChange::Renewed, 50),
            row("b", LeaseChange::Declined, 1),
        ];
        assert!(book.observe(at(3), counts));
        let told: Vec<_> = book.news().into_iter().map(|news| (news.at, news.pool, news.change, news.count)).collect();
        assert_eq!(
            told,
            [
                (at(3), "b".to_owned(), LeaseChange::Declined, 1),
                (at(3), "a".to_owned(), LeaseChange::Granted, 2),
                (at(1), "a".to_owned(), LeaseChange::Granted, 3),
            ]
        );
    }

    #[test]
    fn the_book_has_an_end() {
        let mut book = LeaseNewsBook::default();
        for second in 1..200 {
            book.observe(at(second), vec![row("a", LeaseChange::Granted, second as u64)]);
        }
        assert_eq!((book.news().len(), book.news()[0].at), (NEWS_MAX, at(199)));
    }

    #[test]
    fn a_count_that_shrinks_is_no_news() {
        let mut book = LeaseNewsBook::default();
        book.observe(at(1), vec![row("a", LeaseChange::Granted, 9)]);
        assert!(!book.observe(at(2), vec![row("a", LeaseChange::Granted, 1)]));
    }
}
