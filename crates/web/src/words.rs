//! The words of the page, in every language. One struct, so that a word missing in a language does not compile.

use crate::language::Language;

/// The words of one language.
pub(crate) struct Words {
    pub(crate) clients_now: &'static str,
    pub(crate) peak: &'static str,
    pub(crate) unique: &'static str,
    pub(crate) rehearsal: &'static str,
    pub(crate) rooms: &'static str,
    pub(crate) access_points: &'static str,
    pub(crate) pools: &'static str,
    pub(crate) dhcp: &'static str,
    pub(crate) dns: &'static str,
    pub(crate) from_cache: &'static str,
    pub(crate) logs: &'static str,
    pub(crate) per_second: &'static str,
    pub(crate) in_all: &'static str,
    pub(crate) talks_now: &'static str,
    pub(crate) talks_next: &'static str,
    pub(crate) no_talks: &'static str,
    pub(crate) incidents: &'static str,
    pub(crate) no_incidents: &'static str,
    pub(crate) lease_news: &'static str,
    pub(crate) no_lease_news: &'static str,
    /// In the order of [`model::LeaseChange::ALL`].
    pub(crate) lease_changes: [&'static str; 5],
    pub(crate) of: &'static str,
    pub(crate) course: &'static str,
    pub(crate) connection_lost: &'static str,
    pub(crate) has_room: &'static str,
    pub(crate) busy: &'static str,
    pub(crate) over: &'static str,
}

/// The words of `language`.
pub(crate) fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Japanese => &JAPANESE,
    }
}

const ENGLISH: Words = Words {
    clients_now: "devices online",
    peak: "peak",
    unique: "different devices so far",
    rehearsal: "rehearsal",
    rooms: "Rooms",
    access_points: "Access points",
    pools: "Addresses",
    dhcp: "Leases",
    dns: "Names looked up",
    from_cache: "answered at once",
    logs: "Log lines",
    per_second: "/s",
    in_all: "in all",
    talks_now: "On now",
    talks_next: "Next",
    no_talks: "nothing on the programme",
    incidents: "Incidents",
    no_incidents: "none open",
    lease_news: "Leases lately",
    no_lease_news: "nothing new",
    lease_changes: ["new", "renewed", "given back", "ended", "address in use by another"],
    of: "of",
    course: "Devices online so far",
    connection_lost: "Connection lost, trying again; the figures are old",
    has_room: "has room",
    busy: "busy",
    over: "over capacity",
};

const JAPANESE: Words = Words {
    clients_now: "台が接続中",
    peak: "最大",
    unique: "これまでの端末数",
    rehearsal: "リハーサル",
    rooms: "部屋",
    access_points: "アクセスポイント",
    pools: "アドレス",
    dhcp: "アドレス貸出",
    dns: "名前解決",
    from_cache: "即答率",
    logs: "ログ",
    per_second: "件/秒",
    in_all: "累計",
    talks_now: "開催中",
    talks_next: "このあと",
    no_talks: "予定なし",
    incidents: "障害",
    no_incidents: "なし",
    lease_news: "最近の貸出",
    no_lease_news: "変化なし",
    lease_changes: ["新規", "更新", "返却", "期限切れ", "重複のため隔離"],
    of: "/",
    course: "接続台数の推移",
    connection_lost: "接続が切れました。再接続しています (数字は古いままです)",
    has_room: "余裕あり",
    busy: "混雑",
    over: "超過",
};
