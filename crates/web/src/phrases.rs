//! Sentences of alerts in Japanese. They are made in English where what is wrong is found; here they are known again by
//! their pattern, as a catalogue of messages does it. A sentence that is not known, e.g. of a rule of the plan, is shown
//! as it is.

/// Pattern in English, `{}` for what differs; the same in Japanese, `{0}` for the first of them. Where two patterns fit,
/// the first counts.
const PHRASES: &[(&str, &str)] = &[
    // What is wrong.
    ("{} ({}) in room {} does not answer", "{0} ({1}、部屋 {2}) が応答しません"),
    ("{} ({}) does not answer", "{0} ({1}) が応答しません"),
    (
        "{} of {} planned devices have not answered yet: {}",
        "計画した {1} 台のうち {0} 台がまだ一度も応答していません: {2}",
    ),
    ("the pool {} is {} % full: {} of {} addresses", "プール {0} の使用率が {1} % です ({3} 個中 {2} 個)"),
    (
        "access point {} in room {} carries {} stations, planned for {}",
        "部屋 {1} のアクセスポイント {0} に {2} 台が接続中です (計画は {3} 台)",
    ),
    ("the DNS upstream {} does not answer", "上位 DNS サーバー {0} が応答しません"),
    ("another DHCP server, {}, answers clients on {}", "別の DHCP サーバー {0} が {1} で端末に応答しています"),
    ("another DHCP server, {}, answers clients", "別の DHCP サーバー {0} が端末に応答しています"),
    (
        "{} is in use by a host that has no lease for it; it is not handed out for now",
        "{0} が貸出を受けていない端末に使われています。当面このアドレスは貸し出しません",
    ),
    (
        "another router, {} on {}, sends IPv6 router advertisements",
        "別のルーター {0} が {1} で IPv6 ルーター広告 (RA) を送信しています",
    ),
    (
        "the disk is nearly full ({} MiB free): log lines are refused so that leases keep their room",
        "ディスクの残りが {0} MiB です。アドレス貸出の記録を優先し、ログの保存を止めています",
    ),
    (
        "the lease journal cannot be written: no lease is acknowledged",
        "アドレス貸出の記録を書き込めないため、新しい貸出ができません",
    ),
    ("{} answers echoes and no longer SNMP", "{0} は ping には応答しますが SNMP に応答しなくなりました"),
    ("{} runs at {} Mb/s, planned {} Mb/s", "{0} のリンク速度が {1} Mb/s です (計画は {2} Mb/s)"),
    ("{} is half duplex", "{0} が半二重で接続しています"),
    ("the link of {} came and went {} times in ten minutes", "{0} のリンクが 10 分間に {1} 回上下しました"),
    ("the link of {} to {} is down, says its log", "{0} から {1} へのリンクがダウンしました (機器のログより)"),
    ("{} no longer gives power to {}, says its log", "{0} から {1} への PoE 給電が止まりました (機器のログより)"),
    ("{} sees a loop at port {}, says its log", "{0} がポート {1} でループを検出しました (機器のログより)"),
    ("{} sees a loop, says its log", "{0} がループを検出しました (機器のログより)"),
    (
        "the spanning tree of {} changed {} times within a minute",
        "{0} のスパニングツリーが 1 分間に {1} 回変化しました",
    ),
    ("{} sign-ins to {} failed within a minute", "{1} へのログイン失敗が 1 分間に {0} 回ありました"),
    ("the clock of {} is {} s behind", "{0} の時計が {1} 秒遅れています"),
    ("the clock of {} is {} s ahead", "{0} の時計が {1} 秒進んでいます"),
    ("the clock of this machine was moved by {} s", "このマシンの時計が {0} 秒ずれました"),
    ("the tunnel {} is down: {} does not answer", "トンネル {0} が切れています: {1} が応答しません"),
    // Why, and what to do.
    ("its power, its cable or its port", "電源、ケーブル、またはポート"),
    (
        "its power or its uplink; a device behind it does not answer either",
        "電源または上位への回線。配下の機器 1 台も応答していません",
    ),
    (
        "its power or its uplink; {} devices behind it do not answer either",
        "電源または上位への回線。配下の機器 {0} 台も応答していません",
    ),
    (
        "look at the lamp of {}, then at the power of {}; then swap the cable",
        "{0} のランプ、次に {1} の電源を確認し、だめならケーブルを交換する",
    ),
    ("look at the power and the cable of {}", "{0} の電源とケーブルを確認する"),
    (
        "not set up yet, another address than planned, or a firewall that drops echoes",
        "未設置、計画と異なるアドレス、または ping を落とすファイアウォール",
    ),
    (
        "compare their addresses with the plan, or make them `role = \"spare\"`",
        "アドレスを計画と照合する。使わない機器は `role = \"spare\"` にする",
    ),
    (
        "widen the pool or shorten its lease time in `network.toml`",
        "`network.toml` でプールを広げるか、リース時間を短くする",
    ),
    (
        "add an access point to the room or steer people to another room",
        "部屋にアクセスポイントを追加するか、参加者を別の部屋へ誘導する",
    ),
    (
        "check the uplink and the tunnel; add another upstream to `services.dns.upstreams`",
        "上位回線とトンネルを確認する。`services.dns.upstreams` に別のサーバーを追加する",
    ),
    (
        "find the port by its MAC in the switches' tables and shut it; turn on DHCP snooping",
        "スイッチの MAC アドレステーブルからポートを見つけて閉じ、DHCP スヌーピングを有効にする",
    ),
    (
        "find the host in the relay agent's neighbour table; give it an address outside the pools, or exclude {} in `network.toml`",
        "リレーエージェントの ARP テーブルで端末を探し、プール外のアドレスを割り当てるか、`network.toml` で {0} を除外する",
    ),
    (
        "find its port by its MAC (`ip -6 neigh`) in the switches' tables and shut it; turn on RA guard; if it belongs there, set `vlan.NAME.ipv6.router`",
        "MAC アドレス (`ip -6 neigh`) からスイッチのポートを見つけて閉じ、RA ガードを有効にする。正当なルーターなら `vlan.NAME.ipv6.router` を設定する",
    ),
    ("free space in the state directory's file system", "状態ディレクトリのあるファイルシステムの空きを増やす"),
    ("free space in the state directory", "状態ディレクトリの空きを増やす"),
    (
        "it is busy, was restarted without its configuration, or filters us",
        "高負荷、設定なしでの再起動、またはアクセス制限",
    ),
    (
        "look at the load of {}, its community or user, and who may ask it",
        "{0} の負荷、コミュニティまたはユーザー、アクセス許可を確認する",
    ),
    ("a cable with a broken pair, or a fixed speed at one end", "断線したケーブル、または片側だけの速度固定"),
    ("swap the cable, then compare the speed settings of both ends", "ケーブルを交換し、両端の速度設定を比べる"),
    ("one end negotiates and the other is fixed", "片側が自動ネゴシエーション、もう片側が固定"),
    (
        "let both ends negotiate, or fix both to the same speed and full duplex",
        "両端を自動にするか、両端を同じ速度の全二重に固定する",
    ),
    (
        "a bad cable or plug, too little PoE, or a device that restarts",
        "ケーブルやコネクタの不良、PoE 不足、または再起動を繰り返す機器",
    ),
    (
        "swap the cable or the SFP; shut the port if nobody needs it",
        "ケーブルまたは SFP を交換する。不要なポートなら閉じる",
    ),
    ("the cable, the plug or the other end", "ケーブル、コネクタ、または相手側の機器"),
    ("look at the lamps of both ends, then swap the cable", "両端のランプを確認し、ケーブルを交換する"),
    ("the device was unplugged, or the switch has no power left for it", "機器が抜かれたか、スイッチの給電容量が不足"),
    (
        "look at the cable and the PoE budget of {}; move the device to another switch or an injector",
        "{0} のケーブルと PoE 残量を確認し、機器を別のスイッチまたはインジェクターへ移す",
    ),
    (
        "a cable that leads back into the network, or a hub that somebody brought",
        "ネットワークに戻るケーブル、または持ち込まれたハブ",
    ),
    (
        "pull out what was plugged in last; shut the port; turn on BPDU guard where people plug in",
        "最後に挿したケーブルを抜き、ポートを閉じる。参加者が挿すポートでは BPDU ガードを有効にする",
    ),
    ("a loop, a flapping link, or a switch that restarts", "ループ、リンクの断続、または再起動を繰り返すスイッチ"),
    (
        "find the port that changes with `hotstage logs --kind spanning-tree`, and swap its cable or shut it",
        "`hotstage logs --kind spanning-tree` で変化しているポートを探し、ケーブル交換または閉鎖する",
    ),
    (
        "somebody guesses passwords, or a program has an old one",
        "パスワードの総当たり、または古いパスワードを使うプログラム",
    ),
    (
        "find who with `hotstage logs --kind login`; let only the management network sign in",
        "`hotstage logs --kind login` で相手を調べ、管理ネットワーク以外からのログインを禁止する",
    ),
    ("its time zone is set wrong", "タイムゾーンの設定誤り"),
    ("it has no NTP server, or none that answers", "NTP サーバーが未設定、または応答していない"),
    ("set its time zone and its NTP server", "タイムゾーンと NTP サーバーを設定する"),
    ("somebody set it, or NTP corrected it at one stroke", "手動での変更、または NTP による一括補正"),
    (
        "check NTP on this machine (`timedatectl`); lease times and the order of the log hang on its clock",
        "このマシンの NTP を確認する (`timedatectl`)。リース期限とログの順序はこの時計によります",
    ),
    ("the line between the sites, or the key of the tunnel", "拠点間の回線、またはトンネルの鍵"),
    (
        "look at the tunnel on {}, at its line and at the other end's firewall",
        "{0} でトンネルの状態、回線、相手側のファイアウォールを確認する",
    ),
    // Rules over figures that ship.
    ("DNS answers fail", "名前解決に失敗しています"),
    ("the upstreams or the uplink are in trouble", "上位 DNS サーバーまたは上位回線の障害"),
    (
        "see `hotstage incidents` for an upstream that is down, and check the uplink",
        "`hotstage incidents` で停止している上位サーバーを調べ、上位回線を確認する",
    ),
    ("devices write far more log lines than planned", "機器のログが計画を大きく超えています"),
    ("a loop, a flapping port or debugging left on", "ループ、ポートの断続、またはデバッグの切り忘れ"),
    (
        "find the loudest with `hotstage logs`, and shut its port or its debugging",
        "`hotstage logs` で最も多い機器を探し、ポートまたはデバッグを止める",
    ),
    ("the disk will be full soon", "ディスクがまもなく満杯になります"),
    (
        "logs come faster than planned, or something else writes to the same file system",
        "ログが計画より多い、または他のプログラムが同じファイルシステムに書き込んでいる",
    ),
    ("free space or lower `services.telemetry`", "空きを増やすか、`services.telemetry` を小さくする"),
    ("the file system will have no inodes left soon", "ファイルシステムの inode がまもなく尽きます"),
    (
        "another program makes many small files on the same file system",
        "他のプログラムが同じファイルシステムに小さなファイルを大量に作っている",
    ),
    (
        "find its folder with `du --inodes` and remove what is old",
        "`du --inodes` でフォルダーを探し、古いものを削除する",
    ),
    ("a device loses echoes", "機器への ping が失われています"),
    ("a bad cable, a full link or a busy device", "ケーブル不良、回線の満杯、または高負荷"),
    (
        "check the errors and the speed of its port, then swap the cable",
        "ポートのエラーと速度を確認し、ケーブルを交換する",
    ),
    ("a switch has little PoE left", "スイッチの PoE 残量がわずかです"),
    ("more or hungrier devices than planned", "計画より多い、または消費電力の大きい機器"),
    (
        "move a device to another switch or an injector before the next one is plugged in",
        "次の機器を挿す前に、別のスイッチまたはインジェクターへ移す",
    ),
    ("a link is full", "回線が満杯です"),
    ("more traffic than the link carries", "回線容量を超える通信量"),
    ("find who sends it, or add a link", "送信元を探すか、回線を追加する"),
    ("a port receives broken frames", "ポートで受信エラーが発生しています"),
    ("a bad cable, plug or SFP, or a duplex mismatch", "ケーブル、コネクタ、SFP の不良、またはデュプレックスの不一致"),
    (
        "swap the cable, then compare speed and duplex of both ends",
        "ケーブルを交換し、両端の速度とデュプレックスを比べる",
    ),
    ("a device is hot", "機器が高温です"),
    ("no air around it, a dead fan or the sun", "風通しの悪さ、ファンの故障、または直射日光"),
    (
        "give it air, look at its fans, and move it out of the sun",
        "風通しを確保し、ファンを確認し、日の当たらない場所へ移す",
    ),
    ("no DNS upstream answers", "すべての上位 DNS サーバーが応答しません"),
    ("the uplink or the tunnel is down", "上位回線またはトンネルの断"),
    ("check the edge router, its uplink port and the provider", "エッジルーター、その上位ポート、回線事業者を確認する"),
];

/// Figures by their names in rules.
const FIGURES: &[(&str, &str)] = &[
    ("access_point_clients", "接続台数"),
    ("clients", "接続台数"),
    ("dhcp_acks_per_second", "DHCPACK/秒"),
    ("disk_free_bytes", "ディスク残量 (バイト)"),
    ("disk_free_files", "残り inode"),
    ("disk_hours_left", "ディスクの残り時間"),
    ("dns_failure_percent", "名前解決の失敗率 (%)"),
    ("dns_hit_percent", "名前解決の即答率 (%)"),
    ("dns_queries_per_second", "名前解決/秒"),
    ("dns_upstreams_up", "応答中の上位 DNS"),
    ("files_hours_left", "inode の残り時間"),
    ("log_lines_per_second", "ログ行/秒"),
    ("ping_loss_percent", "パケット損失率 (%)"),
    ("ping_rtt_ms", "往復時間 (ms)"),
    ("poe_used_percent", "PoE 使用率 (%)"),
    ("pool_used_percent", "プール使用率 (%)"),
    ("port_errors_per_second", "受信エラー/秒"),
    ("port_in_mbps", "受信 (Mb/s)"),
    ("port_out_mbps", "送信 (Mb/s)"),
    ("port_used_percent", "回線使用率 (%)"),
    ("room_clients", "部屋の接続台数"),
    ("temperature_celsius", "温度 (℃)"),
];

/// The sentence in Japanese; as it is when it is not known.
pub(crate) fn japanese(sentence: &str) -> String {
    known(sentence).or_else(|| of_rule(sentence)).unwrap_or_else(|| sentence.to_owned())
}

fn known(sentence: &str) -> Option<String> {
    PHRASES.iter().find_map(|(pattern, phrase)| Some(filled(phrase, &parts(pattern, sentence)?)))
}

/// `what is wrong: FIGURE of NAME is 12, above 10`, as a rule over a figure says it.
fn of_rule(sentence: &str) -> Option<String> {
    for (side, word) in [("above", "上限"), ("below", "下限")] {
        let named = parts(&format!("{{}}: {{}} of {{}} is {{}}, {side} {{}}"), sentence);
        let found = named.map(|all| (all[0], all[1], Some(all[2]), all[3], all[4])).or_else(|| {
            let all = parts(&format!("{{}}: {{}} is {{}}, {side} {{}}"), sentence)?;
            Some((all[0], all[1], None, all[2], all[3]))
        });
        let Some((says, figure, of, value, limit)) = found else { continue };
        let Some((_, figure)) = FIGURES.iter().find(|(name, _)| *name == figure) else { continue };
        let says = known(says).unwrap_or_else(|| says.to_owned());
        let of = of.map(|of| format!("{of} の")).unwrap_or_default();
        return Some(format!("{says}: {of}{figure} {value} ({word} {limit})"));
    }
    None
}

/// What stands in the places of `pattern`, each as short as can be but the last; `None` when it does not fit.
fn parts<'a>(pattern: &str, sentence: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = pattern.split("{}");
    let mut rest = sentence.strip_prefix(literals.next()?)?;
    let literals: Vec<&str> = literals.collect();
    let Some((last, between)) = literals.split_last() else { return rest.is_empty().then(Vec::new) };
    let mut found = Vec::with_capacity(literals.len());
    for literal in between {
        let (part, behind) = rest.split_once(literal)?;
        found.push(part);
        rest = behind;
    }
    found.push(rest.strip_suffix(last)?);
    found.iter().all(|part| !part.is_empty()).then_some(found)
}

fn filled(phrase: &str, parts: &[&str]) -> String {
    let mut text = String::with_capacity(phrase.len() + 32);
    let mut rest = phrase;
    // What a part holds is never looked into: a device may be called `{0}`.
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        let Some((number, behind)) = behind.split_once('}') else { break };
        text.push_str(number.parse().ok().and_then(|number: usize| parts.get(number)).copied().unwrap_or_default());
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_known_by_their_pattern() {
        for (sentence, expected) in [
            ("ap-2 (10.77.0.12) in room hall does not answer", "ap-2 (10.77.0.12、部屋 hall) が応答しません"),
            ("ap-2 (10.77.0.12) does not answer", "ap-2 (10.77.0.12) が応答しません"),
            ("{0} ({1}) does not answer", "{0} ({1}) が応答しません"),
            ("the pool guest is 91 % full: 91 of 100 addresses", "プール guest の使用率が 91 % です (100 個中 91 個)"),
            (
                "sw-1:Gi0/1 runs at 100 Mb/s, planned 1000 Mb/s",
                "sw-1:Gi0/1 のリンク速度が 100 Mb/s です (計画は 1000 Mb/s)",
            ),
            (
                "a link is full: port_used_percent of sw-1:Gi0/1 is 93.5, above 90",
                "回線が満杯です: sw-1:Gi0/1 の回線使用率 (%) 93.5 (上限 90)",
            ),
            (
                "DNS answers fail: dns_failure_percent is 12, above 10",
                "名前解決に失敗しています: 名前解決の失敗率 (%) 12 (上限 10)",
            ),
            ("満席: room_clients of hall is 501, above 500", "満席: hall の部屋の接続台数 501 (上限 500)"),
            ("something of the team's own", "something of the team's own"),
            ("", ""),
        ] {
            assert_eq!(japanese(sentence), expected);
        }
    }

    #[test]
    fn every_phrase_is_found_by_itself_and_uses_its_parts() {
        for (pattern, phrase) in PHRASES {
            let places = pattern.matches("{}").count();
            let parts: Vec<String> = (0..places).map(|number| format!("part{number}")).collect();
            let sentence = parts.iter().fold((*pattern).to_owned(), |text, part| text.replacen("{}", part, 1));
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            assert_eq!(japanese(&sentence), filled(phrase, &parts), "{pattern} is hidden by another");
            assert!(parts.iter().all(|part| japanese(&sentence).contains(part)), "{phrase}");
        }
    }
}
