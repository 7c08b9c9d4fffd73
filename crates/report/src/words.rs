//! The words of the report, both languages of each beside each other, and how figures and times are written.

use std::time::Duration;

use crate::Language;

macro_rules! words {
    ($($name:ident: $english:literal, $japanese:literal;)*) => {
        /// The words of one language. `{}` stands for a value, in the same order in both.
        pub(crate) struct Words {
            $(pub(crate) $name: &'static str,)*
        }

        const ENGLISH: Words = Words { $($name: $english,)* };
        const JAPANESE: Words = Words { $($name: $japanese,)* };

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $japanese),)*];
    };
}

words! {
    report: "Network report: planned and measured", "ネットワーク報告書: 計画と実績";
    contents: "Contents", "目次";
    rehearsal_badge: "rehearsal ×{}", "リハーサル ×{}";
    date_form: "%-d %b", "%-m/%-d";
    moment_form: "%-d %b %H:%M", "%-m月%-d日 %H:%M";
    day_long_form: "%a %-d %B %Y", "%Y年%-m月%-d日";

    summary: "Planned and measured", "計画と実績";
    what: "What", "項目";
    planned: "Planned", "計画";
    measured: "Measured", "実績";
    rehearsed: "Rehearsed", "リハーサル結果";
    not_measured: "not measured", "未計測";
    nothing: "none", "なし";
    unknown: "–", "–";
    people: "People on a conference day", "本会議日の来場者";
    people_came: "{} in all days together", "全日合計 {} 人";
    devices_peak: "Devices on the fullest day / online at one time", "最混雑日の端末数 / 最大同時接続数";
    unique: "Different devices", "異なる端末の数";
    capacity_all: "What all access points carry / share used at the peak", "全APの収容台数 / ピーク時の使用率";
    pool_largest: "Fullest address pool", "最も使われたアドレスプール";
    room_fullest: "Room that was fullest for its capacity", "収容台数に対し最も混んだ部屋";
    access_point_fullest: "Access point that was fullest for its capacity", "収容台数に対し最も混んだAP";
    dhcp_total: "DHCP acknowledgements", "DHCP ACK の件数";
    dns_total: "DNS queries answered", "DNS 応答件数";
    dns_planned: "{} a second at the peak", "ピーク時 毎秒 {} 件";
    peak_rate: "{} in all, at most {} a second", "計 {} 件、最大 毎秒 {} 件";
    log_total: "Log lines stored", "保存したログの行数";
    log_planned: "{} a day", "1日 {} 行";
    findings_row: "Findings on the plan", "計画への指摘";
    findings_count: "errors {}, warnings {}, notes {}", "エラー {}、警告 {}、参考 {}";
    incidents_row: "Incidents", "障害";
    incidents_count: "{}, of which {} still open", "{} 件 (うち未解決 {} 件)";
    talks_row: "Talks", "講演数";
    gear_row: "Gear", "機材";
    cables_row: "Cables", "ケーブル";
    cables_value: "{}, {} m in all", "{} 本、計 {} m";
    leases_bad_row: "Leases failed / given twice", "アドレス貸出の失敗 / 重複";
    dns_bad_row: "DNS queries without a useful answer", "有効な応答のなかった DNS 問い合わせ";
    dns_bad_goal: "at most {} %", "{} % 以下";
    dns_bad_value: "{} ({} %)", "{} 件 ({} %)";
    logs_kept_row: "Log lines sent / stored", "ログの送信行数 / 保存行数";
    logs_kept_goal: "equal", "一致";
    at_time: "{} ({})", "{} ({})";
    likely: "{} ({} to {})", "{} ({}〜{})";
    load: "{} of {} ({} %)", "{} / {} ({} %)";
    named_load: "{}: {} of {} ({} %)", "{}: {} / {} ({} %)";

    rehearsal: "The rehearsal", "リハーサル";
    rehearsal_says: "A simulated crowd took leases, resolved names and wrote log lines as real packets against the real services.", "模擬の来場者が実サービスに実パケットを送り、アドレスを借り、名前を解決し、ログを送りました。";
    stopped_early: "It was stopped before its end; the figures are of what was played.", "途中で停止したため、実施した分だけの数字です。";
    good: "Every goal was reached: played to its end, a lease of its own for every client, names resolved, every log line sent was stored.", "目標をすべて達成しました。最後まで実施し、全端末が固有のアドレスを得て、名前を解決でき、送ったログはすべて保存されました。";
    not_good: "Goals missed: {}.", "未達の目標: {}。";
    list_comma: ", ", "、";
    goal_complete: "played to its end", "最後まで実施";
    goal_leases: "a lease of its own for every client", "全端末に固有のアドレス";
    goal_dns: "an answer to every DNS query", "すべての DNS 問い合わせに応答";
    goal_logs: "every log line stored", "すべてのログを保存";
    figure: "Figure", "数値";
    value: "Value", "値";
    speed_seed: "Speed, seed, length", "速度・シード・所要時間";
    speed_seed_value: "×{}, {}, {} s", "×{}、{}、{} 秒";
    people_row: "People who came", "来場者";
    turned_away: "Turned away from a full room / streams opened instead", "満室で入れなかった延べ人数 / 代わりに配信を開いた数";
    leases_row: "Leases granted / failed / duplicate / lapsed", "貸出成功 / 失敗 / 重複 / 失効";
    dhcp_latency: "DHCP exchange, p50 / p99", "DHCP の所要時間 p50 / p99";
    dns_latency: "DNS answer, p50 / p99", "DNS の応答時間 p50 / p99";
    dns_row: "DNS queries / without a useful answer", "DNS 問い合わせ / 有効な応答なし";
    hit_row: "Answered from the cache or own zones", "キャッシュ・自ゾーンからの応答率";
    log_row: "Log lines sent / stored", "ログ送信 / 保存";
    bottleneck: "First bottleneck", "最初に限界となる箇所";
    no_bottleneck: "none: nothing came to half of its limit", "なし (どの限界の半分にも達していない)";
    bottleneck_access_point: "access point {}", "AP {}";
    bottleneck_room: "the access points of {}", "{} のAP全体";
    bottleneck_pool: "address pool {}", "アドレスプール {}";

    clients: "Clients over time", "接続台数の推移";
    clients_caption: "Devices online at one time", "同時接続台数";
    clients_line: "online", "接続中";
    planned_line: "planned for the fullest day", "最混雑日の計画値";
    day: "Day", "日";
    day_kind: "Kind", "種別";
    people_planned: "People planned", "計画した来場者";
    peak: "Peak", "最大";
    peak_when: "At", "時刻";
    setup: "set-up", "設営";
    tutorial: "tutorials", "チュートリアル";
    conference: "conference", "本会議";
    sprint: "sprints", "スプリント";
    unplanned: "not in the plan", "計画なし";

    rooms: "Rooms", "部屋";
    rooms_caption: "Most devices at one time, in percent of what the room's access points carry (the line is 100 %)", "同時接続の最大値。部屋のAP収容台数に対する割合 (縦線が100%)";
    room: "Room", "部屋";
    floor: "Floor", "階";
    places: "Seats + standing", "座席+立見";
    expected: "Devices when full", "満室時の端末数";
    capacity: "Capacity", "収容台数";
    time_over: "Over capacity for", "超過時間";
    load_percent: "Load", "負荷";
    over: "over", "超過";
    busy: "busy", "混雑";
    calm: "has room", "余裕あり";
    access_points: "Access points", "アクセスポイント";
    access_points_caption: "Most stations at one time, in percent of what the access point is planned to carry (the line is 100 %)", "同時接続の最大値。APの計画収容台数に対する割合 (縦線が100%)";
    access_point: "Access point", "AP";

    pools: "Addresses", "アドレス";
    pools_caption: "Addresses of pool {} in use", "プール {} の使用中アドレス";
    in_use_line: "in use", "使用中";
    size_line: "size of the pool", "プールの大きさ";
    pool: "Pool", "プール";
    subnet: "Subnet", "サブネット";
    size: "Addresses", "アドレス数";

    dhcp: "DHCP", "DHCP";
    dhcp_caption: "DHCP acknowledgements per minute", "毎分の DHCP ACK 件数";
    acks: "DHCP ACKs", "ACK";
    acks_line: "acknowledgements", "ACK";
    dhcp_says: "{} acknowledgements in all; at most {} per minute.", "ACK は計 {} 件、最大で毎分 {} 件。";
    dns: "DNS", "DNS";
    dns_caption: "DNS queries answered per second", "毎秒の DNS 応答件数";
    queries_line: "all queries", "全問い合わせ";
    hits_line: "from the cache and own zones", "キャッシュ・自ゾーンから応答";
    dns_says: "{} queries in all, at most {} per second; {} % were answered from the cache or the event's own zones.", "計 {} 件、最大で毎秒 {} 件。{} % をキャッシュまたは自ゾーンから応答しました。";
    rehearsal_rates: "Rates are per second of event time. A rehearsal sends only a part of the crowd's queries when time runs fast; Method and limits says which.", "レートはイベント内の時間での値です。リハーサルを速く進めると、問い合わせは一部だけを送ります (割合は「方法と限界」を参照)。";
    logs: "Logs", "ログ";
    logs_caption: "Log lines stored per second", "毎秒の保存ログ行数";
    lines_line: "lines", "行";
    logs_says: "{} lines in all; at most {} per second.", "計 {} 行、最大で毎秒 {} 行。";
    log_severity: "Severity", "重大度";
    log_lines: "Lines", "行数";

    findings: "Findings on the plan", "計画への指摘";
    no_findings: "`check` has nothing to say about this plan.", "この計画に対する指摘はありません。";
    severity: "Severity", "重大度";
    code: "Code", "コード";
    place: "Place", "対象";
    file: "File", "ファイル";
    says: "What", "内容";
    remedy: "Remedy", "対処";
    error: "error", "エラー";
    warning: "warning", "警告";
    info: "note", "参考";
    incidents: "Incidents", "障害";
    times: "Times", "回数";
    no_incidents: "None was noticed.", "検知した障害はありません。";
    opened: "Noticed", "検知";
    closed: "Over", "解消";
    still_open: "still open", "未解決";
    lasted: "Lasted", "継続時間";
    incidents_together: "Noticed in all: {}. Those of one place and kind share a row, the longest first: the first is noticed, the last is over, and what is said is of the last.", "計 {} 件。対象と種類が同じものを1行にまとめ、長い順に示します。検知は最初、解消は最後の時刻、内容は最後のものです。";
    more_rows: "{} more are not shown.", "ほか {} 件は省略しました。";

    method: "Method and limits", "方法と限界";
    method_clients: "Devices online are the stations that access points report through syslog; where none reports, leases in force are counted instead.", "接続台数は、APが syslog で報告した端末の数です。報告がない場合は有効なリース数で代用します。";
    method_samples: "Drawn from {} samples. Lines have at most 360 points: of several values in one place the largest is kept, rates are averaged; nights without samples are not drawn.", "サンプル {} 個から作成。線は最大360点で、同じ位置の値は最大値、レートは平均を採用。サンプルのない夜間は描きません。";
    method_ignored: "{} samples held no usable number and are left out.", "数値として使えないサンプル {} 個は除外しました。";
    method_unique: "A device that changes its MAC address (private addresses) counts as a new one.", "MACアドレスを変える端末 (プライベートアドレス) は別の端末として数えます。";
    method_times: "All times are in the time zone {}.", "時刻はすべて {} のタイムゾーンです。";
    method_rehearsal: "This was a rehearsal: the crowd is simulated and time runs faster, latencies are of one machine without radio or cables, and Wi-Fi airtime is not simulated.", "これはリハーサルです。来場者は模擬で、時間は速く進みます。応答時間は無線・ケーブルを通らない1台の計算機内の値で、無線の混雑は模擬していません。";
    method_notes: "What the rehearsal noted:", "リハーサルの記録 (英語):";
    no_samples: "No samples were stored, so there is nothing to draw.", "サンプルが保存されていないため、図はありません。";
    privacy: "Privacy", "プライバシー";
    privacy_says: "This report holds sums only: no MAC address, IP address or name of a person's device, and no name that was looked up.", "この報告書には集計値だけが含まれます。個人の端末のMACアドレス・IPアドレス・名前、問い合わせた名前は含みません。";
    privacy_erase: "Personal data in the state directory is to be erased on {}.", "状態ディレクトリ内の個人データは {} に消去します。";
    privacy_no_date: "The plan names no date on which personal data in the state directory is erased (`privacy.erase_on`).", "計画に個人データの消去日 (`privacy.erase_on`) が書かれていません。";

    minutes: "{} min", "{} 分";
    hours_minutes: "{} h {} min", "{} 時間 {} 分";
}

impl Words {
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Japanese => &JAPANESE,
        }
    }

    /// A length of time in whole minutes.
    pub(crate) fn length(&self, length: Duration) -> String {
        let minutes = length.as_secs().div_ceil(60);
        match (minutes / 60, minutes % 60) {
            (0, minutes) => fill(self.minutes, &[&minutes.to_string()]),
            (hours, minutes) => fill(self.hours_minutes, &[&count(hours as f64), &minutes.to_string()]),
        }
    }
}

/// Puts values in the places of a sentence.
pub(crate) fn fill(sentence: &str, values: &[&str]) -> String {
    let mut parts = sentence.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        filled.push_str(values.next().copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

/// A whole number with its thousands apart: `12,345`.
pub(crate) fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: one digit after the point below ten, whole from there.
pub(crate) fn rate(value: f64) -> String {
    if value < 9.95 { format!("{:.1}", value.max(0.0)) } else { count(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_are_whole() {
        for (name, english, japanese) in ALL {
            assert!(!english.is_empty() && !japanese.is_empty(), "{name}");
            assert_eq!(english.matches("{}").count(), japanese.matches("{}").count(), "{name}");
            // What is the same in both is a form, a sign or a name of a protocol.
            let same = ["at_time", "unknown", "dhcp", "dns"];
            assert!(english != japanese || same.contains(name), "{name} is not translated");
        }
    }

    #[test]
    fn figures_are_written_for_people() {
        let table = [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567"), (-3.0, "0")];
        for (value, want) in table {
            assert_eq!(count(value), want);
        }
        assert_eq!([0.04, 9.94, 9.96, 1_234.5].map(rate), ["0.0", "9.9", "10", "1,234"]);
        assert_eq!(fill("{} of {}", &["1", "{}"]), "1 of {}");
        assert_eq!(ENGLISH.length(Duration::from_secs(61)), "2 min");
        assert_eq!(JAPANESE.length(Duration::from_secs(3_660)), "1 時間 1 分");
    }
}
