//! Scores against labels written by hand: what counts as found, as pure, as false.

use exchange::Time;

use super::*;

/// Labels from `account campaign` and `account - role` lines.
fn labels(lines: &str) -> Labels {
    let mut labels = Labels::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [account, "-"] => labels.label_account(account, None, None).unwrap(),
            [account, "-", role] => labels.label_account(account, None, Some(role)).unwrap(),
            [account, campaign] => labels.label_account(account, Some(campaign), None).unwrap(),
            _ => panic!("bad line {line}"),
        }
    }
    labels
}

/// A finding with every account at probability 0.9, or at what follows a `=`.
fn found(name: &str, detected_at: i64, accounts: &str) -> Found {
    let accounts = accounts.split_whitespace().map(|account| match account.split_once('=') {
        Some((account, probability)) => (account.to_owned(), probability.parse().unwrap()),
        None => (account.to_owned(), 0.9),
    });
    Found { campaign: name.to_owned(), detected_at: Time::from_seconds(detected_at), accounts: accounts.collect() }
}

/// `prefix0 prefix1 …`
fn names(prefix: &str, count: usize) -> String {
    (0..count).map(|index| format!("{prefix}{index} ")).collect()
}

fn in_campaign(prefix: &str, count: usize, campaign: &str) -> String {
    (0..count).map(|index| format!("{prefix}{index} {campaign}\n")).collect()
}

fn score_unseen(findings: &[Found], labels: &Labels) -> Evaluation {
    score(findings, labels, &Activity::new(labels))
}

#[test]
fn a_campaign_is_found_from_half_its_accounts_and_nine_tenths_purity() {
    let cases: &[(&str, usize, usize, usize, bool)] = &[
        // name, accounts labelled, own accounts in the finding, strangers in it, found
        ("exactly half", 10, 5, 0, true),
        ("one below half", 10, 4, 0, false),
        ("half of an odd number, rounded up", 9, 5, 0, true),
        ("half of an odd number, rounded down", 9, 4, 0, false),
        ("purity exactly 0.9", 18, 18, 2, true),
        ("purity just below 0.9", 17, 17, 2, false),
        ("both at the limit", 18, 9, 1, true),
        ("everything", 3, 3, 0, true),
        ("nothing of it", 3, 0, 3, false),
    ];
    for (name, labelled, own, strangers, expected) in cases {
        let labels = labels(&in_campaign("a", *labelled, "c"));
        let finding = found("f", 0, &(names("a", *own) + &names("stranger", *strangers)));
        let evaluation = score_unseen(&[finding], &labels);
        let campaign = &evaluation.campaigns[0];
        assert_eq!(campaign.found, *expected, "{name}");
        assert_eq!(evaluation.unmatched.is_empty(), *expected, "{name}");
        assert_eq!(evaluation.found_share, Some(f64::from(u8::from(*expected))), "{name}");
        assert_eq!(campaign.recall, *own as f64 / *labelled as f64, "{name}");
        let purity = (*own > 0).then(|| *own as f64 / (own + strangers) as f64);
        assert_eq!(campaign.purity, purity, "{name}");
    }
}

#[test]
fn members_count_from_probability_one_half() {
    let labels = labels("a c\nb c\nx - student");
    let evaluation = score_unseen(&[found("f", 0, "a=0.5 b=0.499 x=0.1")], &labels);
    assert_eq!(evaluation.accounts.flagged, 1);
    assert_eq!(evaluation.accounts.precision, Some(1.0));
    assert_eq!(evaluation.accounts.recall, Some(0.5));
    assert!(evaluation.campaigns[0].found);
    assert_eq!(evaluation.roles[0].flagged, 0);
}

#[test]
fn half_of_a_campaign_in_each_of_two_mixed_findings_is_not_found() {
    let labels = labels("a c\nb c\nd e\ng e");
    let evaluation = score_unseen(&[found("f1", 0, "a d"), found("f2", 0, "b g")], &labels);
    assert_eq!(evaluation.found, 0);
    let closest: Vec<_> =
        evaluation.unmatched.iter().map(|finding| (finding.closest.as_deref(), finding.purity)).collect();
    assert_eq!(closest, [(Some("c"), 0.5), (Some("c"), 0.5)]);
}

#[test]
fn time_to_detect_is_the_share_of_own_exchanges_up_to_and_with_the_detecting_one() {
    let labels = labels("a c\nb c\nx - saas");
    let mut activity = Activity::new(&labels);
    for second in 1..=10 {
        activity.see(if second % 2 == 0 { "a" } else { "b" }, Time::from_seconds(second), &format!("e{second}"));
        activity.see("x", Time::from_seconds(second), &format!("x{second}"));
    }
    let share = |findings: &[Found]| score(findings, &labels, &activity).campaigns[0].time_to_detect;
    assert_eq!(share(&[found("f", 4, "a b")]), Some(0.4));
    assert_eq!(share(&[found("f", 0, "a b")]), Some(0.0));
    assert_eq!(share(&[found("f", 99, "a b")]), Some(1.0));
    assert_eq!(share(&[found("late", 8, "a b"), found("early", 2, "a")]), Some(0.2), "the earliest that finds it");
    assert_eq!(share(&[found("f", 4, "x")]), None, "not found");
    assert_eq!(score_unseen(&[found("f", 4, "a b")], &labels).campaigns[0].time_to_detect, None, "no exchange seen");
}

#[test]
fn exchange_labels_take_an_accounts_cover_traffic_out() {
    let mut labels = labels("mixed c\nmixed d\npure c");
    labels.label_exchange("m1", Some("c")).unwrap();
    labels.label_exchange("m2", Some("d")).unwrap();
    labels.label_exchange("m3", None).unwrap();
    let mut activity = Activity::new(&labels);
    for (second, account, exchange) in [
        (1, "mixed", "m1"),
        (2, "mixed", "m2"),
        (3, "mixed", "m3"),
        (4, "mixed", "m4"),
        (5, "pure", "p1"),
        (6, "pure", "p2"),
    ] {
        activity.see(account, Time::from_seconds(second), exchange);
    }
    let evaluation = score(&[found("f", 5, "mixed pure")], &labels, &activity);
    // c: m1 of `mixed`, and all of `pure`, which has no exchange labels. d: m2.
    assert_eq!(evaluation.campaigns[0].exchanges, 3);
    assert_eq!(evaluation.campaigns[0].time_to_detect, Some(2.0 / 3.0));
    assert_eq!(evaluation.campaigns[1].exchanges, 1);
}

#[test]
fn an_account_in_several_findings_counts_once() {
    let labels = labels("a c\nb c\na d\ne d");
    let evaluation = score_unseen(&[found("f1", 0, "a b"), found("f2", 0, "a e")], &labels);
    assert_eq!(evaluation.found, 2);
    assert_eq!((evaluation.accounts.flagged, evaluation.accounts.labelled, evaluation.accounts.correct), (3, 3, 3));
}

#[test]
fn false_positives_are_counted_by_role_and_unknown_accounts_are_false_positives() {
    let labels = labels("a c\nb c\ns1 - student\ns2 - student\nh1 - harness\nn -");
    let mut activity = Activity::new(&labels);
    activity.see("seen", Time::from_seconds(1), "e1");
    activity.see("unknown", Time::from_seconds(1), "e2");
    let evaluation = score(&[found("f", 0, "a b s2 unknown never_seen")], &labels, &activity);
    let roles: Vec<_> =
        evaluation.roles.iter().map(|role| (role.role.as_str(), role.flagged, role.accounts, role.share)).collect();
    assert_eq!(
        roles,
        [(ROLE_UNLABELLED, 2, 3, 2.0 / 3.0), (ROLE_UNNAMED, 0, 1, 0.0), ("harness", 0, 1, 0.0), ("student", 1, 2, 0.5)]
    );
    assert_eq!(evaluation.accounts.precision, Some(0.4));
}

#[test]
fn nothing_found_and_nothing_labelled_have_no_ratios() {
    let some = labels("a c\nx - student");
    let nothing_found = score_unseen(&[], &some);
    assert_eq!((nothing_found.found, nothing_found.found_share), (0, Some(0.0)));
    assert_eq!((nothing_found.accounts.precision, nothing_found.accounts.recall), (None, Some(0.0)));
    assert_eq!(nothing_found.campaigns[0].finding, None);

    let none = Labels::default();
    let nothing_labelled = score_unseen(&[found("f", 0, "a b")], &none);
    assert_eq!((nothing_labelled.found_share, nothing_labelled.time_to_detect), (None, None));
    assert_eq!((nothing_labelled.accounts.precision, nothing_labelled.accounts.recall), (Some(0.0), None));
    assert_eq!(nothing_labelled.unmatched[0].closest, None);

    let nothing = score_unseen(&[], &none);
    assert_eq!((nothing.grouping_ari, nothing.accounts.precision, nothing.accounts.recall), (1.0, None, None));
}

#[test]
fn grouping_is_the_adjusted_rand_index_over_all_accounts() {
    let cases: &[(&str, &str, &[&str], f64)] = &[
        ("the same groups", "a c\nb c\nx -\ny -", &["a b"], 1.0),
        ("nobody is grouped", "x -\ny -", &[], 1.0),
        ("everybody is one group", "a c\nb c\nd c", &["a b d"], 1.0),
        ("nothing is found", "a c\nb c\nx -\ny -", &[], 0.0),
        // 5 accounts, 10 pairs; labelled {a,b,d}: 3 pairs, found {a,b}: 1 pair, agreed 1; expected 0.3, best 2.
        ("a part is found", "a c\nb c\nd c\nx -\ny -", &["a b"], (1.0 - 0.3) / (2.0 - 0.3)),
        // 6 pairs of 4; labelled {a,b},{d,e}: 2, found all: 6, agreed 2; expected 2, best 4.
        ("all in one", "a c\nb c\nd k\ne k", &["a b d e"], 0.0),
        // 6 pairs; labelled 2, found {a,d},{b,e}: 2, agreed 0; expected 2/3, best 2.
        ("crosswise", "a c\nb c\nd k\ne k", &["a d", "b e"], (0.0 - 2.0 / 3.0) / (2.0 - 2.0 / 3.0)),
        ("the surest finding counts", "a c\nb c\nx -\ny -", &["a=0.6 x=0.6", "a b"], 1.0),
    ];
    for (name, lines, findings, expected) in cases {
        let findings: Vec<Found> = findings.iter().map(|accounts| found("f", 0, accounts)).collect();
        let ari = score_unseen(&findings, &labels(lines)).grouping_ari;
        assert!((ari - expected).abs() < 1e-12, "{name}: {ari}, expected {expected}");
    }
}

#[test]
fn contradicting_labels_are_refused() {
    let mut labels = labels("a c\nx - student");
    assert!(labels.label_account("a", Some("d"), None).is_ok(), "several campaigns are possible");
    assert!(labels.label_account("x", None, Some("student")).is_ok(), "the same again is no contradiction");
    let both = labels.label_account("a", None, None).unwrap_err().to_string();
    assert_eq!(both, "account `a` is labelled both with and without a campaign");
    assert_eq!(labels.label_account("x", None, Some("saas")).unwrap_err().to_string(), "account `x` has two roles");
    labels.label_exchange("e", Some("c")).unwrap();
    assert_eq!(
        labels.label_exchange("e", None).unwrap_err().to_string(),
        "exchange `e` is labelled twice, differently"
    );
}

fn labels_error(input: &str) -> String {
    read_labels("labels.jsonl", input.as_bytes()).unwrap_err().to_string()
}

fn campaigns_error(input: &str) -> String {
    read_campaigns("campaigns.jsonl", input.as_bytes()).unwrap_err().to_string()
}

#[test]
fn labels_are_read() {
    let input = r#"{"account": "a", "campaign": "c3", "role": null, "later": 1}

{"account": "b", "campaign": null, "role": "saas"}
{"exchange": "e1", "campaign": "c3"}"#;
    let read = read_labels("labels.jsonl", input.as_bytes()).unwrap();
    let mut expected = labels("a c3\nb - saas");
    expected.label_exchange("e1", Some("c3")).unwrap();
    assert_eq!(read, expected);
}

#[test]
fn errors_in_labels_name_file_line_field_and_what_was_expected() {
    let cases = [
        ("{\"account\": \"a\"}", "labels.jsonl:1: `campaign`: expected a name or null, it is missing"),
        ("\n{\"account\": \"a\", \"campaign\": 3}", "labels.jsonl:2: `campaign`: expected a name or null, found `3`"),
        (
            r#"{"account": "", "campaign": null}"#,
            r#"labels.jsonl:1: `account`: expected a text that is not empty, found `""`"#,
        ),
        (
            r#"{"account": "a", "campaign": null, "role": ["x"]}"#,
            r#"labels.jsonl:1: `role`: expected a name or null, found `["x"]`"#,
        ),
        (r#"{"campaign": null}"#, "labels.jsonl:1: expected either `account` or `exchange`"),
        (
            r#"{"account": "a", "exchange": "e", "campaign": null}"#,
            "labels.jsonl:1: expected either `account` or `exchange`",
        ),
        ("[1]", "labels.jsonl:1: expected a JSON object, found `[1]`"),
        (
            "{\"account\": \"a\", \"campaign\": null}\n{\"account\": \"a\", \"campaign\": \"c\"}",
            "labels.jsonl:2: account `a` is labelled both with and without a campaign",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(labels_error(input), expected);
    }
    assert!(labels_error("{\"account\"").starts_with("labels.jsonl:1: expected a JSON object, but at column 10: "));
    assert!(labels_error("\u{1b}[2J").starts_with("labels.jsonl:1: expected a JSON object, but at column "));
}

#[test]
fn findings_are_read() {
    let input = r#"{"campaign": "cmp_1", "detected_at": "1970-01-01T00:00:09Z", "accounts": [
        {"account": "a", "probability": 0.9}, {"account": "b", "probability": 1}], "log10_e": 14.2}"#
        .replace('\n', " ");
    assert_eq!(read_campaigns("campaigns.jsonl", input.as_bytes()).unwrap(), [found("cmp_1", 9, "a b=1")]);
    assert_eq!(read_campaigns("campaigns.jsonl", b"".as_slice()).unwrap(), []);
}

#[test]
fn errors_in_findings_name_file_line_field_and_what_was_expected() {
    let cases = [
        (r#"{}"#, "campaigns.jsonl:1: `campaign`: expected a text that is not empty, it is missing"),
        (
            r#"{"campaign": "f", "detected_at": "noon"}"#,
            "campaigns.jsonl:1: `detected_at`: expected an RFC 3339 time or a positive epoch number, found `\"noon\"`",
        ),
        (
            r#"{"campaign": "f", "detected_at": "1970-01-01T00:00:09Z"}"#,
            "campaigns.jsonl:1: `accounts`: expected a list, it is missing",
        ),
        (
            r#"{"campaign": "f", "detected_at": "1970-01-01T00:00:09Z", "accounts": ["a"]}"#,
            "campaigns.jsonl:1: `accounts[0]`: expected an object, found `\"a\"`",
        ),
        (
            r#"{"campaign": "f", "detected_at": "1970-01-01T00:00:09Z", "accounts":[{"account":"a","probability":1.01}]}"#,
            "campaigns.jsonl:1: `accounts[0].probability`: expected a number from 0 to 1, found `1.01`",
        ),
        (
            r#"{"campaign": "f", "detected_at": "1970-01-01T00:00:09Z", "accounts": [{"probability": 1}]}"#,
            "campaigns.jsonl:1: `accounts[0].account`: expected a text that is not empty, it is missing",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(campaigns_error(input), expected);
    }
    let line = r#"{"campaign": "f", "detected_at": "1970-01-01T00:00:09Z", "accounts": []}"#;
    assert_eq!(
        campaigns_error(&format!("{line}\n{line}\n")),
        "campaigns.jsonl:2: `campaign`: expected a name of its own, but an earlier line has `f`"
    );
}

#[test]
fn lines_are_taken_up_to_the_limit_and_not_one_byte_further() {
    let label = r#"{"account": "a", "campaign": null}"#;
    let finding = r#"{"campaign": "f", "detected_at": "1970-01-01T00:00:09Z", "accounts": []}"#;
    for ending in ["", "\n", "\n\n"] {
        let padded = |line: &str, bytes: usize| line.to_owned() + &" ".repeat(bytes - line.len()) + ending;
        assert!(read_labels("l", padded(label, LABELS_LINE_BYTES_MAX).as_bytes()).is_ok());
        assert!(read_campaigns("c", padded(finding, CAMPAIGNS_LINE_BYTES_MAX).as_bytes()).is_ok());
        assert_eq!(
            labels_error(&padded(label, LABELS_LINE_BYTES_MAX + 1)),
            "labels.jsonl:1: expected at most 65536 bytes, the line is longer"
        );
        assert_eq!(
            campaigns_error(&padded(finding, CAMPAIGNS_LINE_BYTES_MAX + 1)),
            "campaigns.jsonl:1: expected at most 16777216 bytes, the line is longer"
        );
    }
}

/// Two campaigns of which one is found, a false finding, and names that try to write to the terminal.
#[test]
fn exchanges_are_scored_where_they_are_labelled() {
    let mut labels = Labels::default();
    for account in ["covered", "whole"] {
        labels.label_account(account, Some("c1"), None).unwrap();
    }
    labels.label_exchange("work", Some("c1")).unwrap();
    labels.label_exchange("missed", Some("c1")).unwrap();
    labels.label_exchange("cover", None).unwrap();
    let mut activity = Activity::new(&labels);
    for (account, exchange) in
        [("covered", "work"), ("covered", "missed"), ("covered", "cover"), ("covered", "rest"), ("whole", "x")]
    {
        activity.see(account, Time::from_seconds(0), exchange);
    }
    for (account, exchange) in [("covered", "work"), ("covered", "cover"), ("covered", "rest"), ("whole", "x")] {
        activity.told(account, exchange);
    }
    let score = score(&[], &labels, &activity).exchanges.unwrap();
    assert_eq!((score.labelled, score.told, score.correct), (2, 3, 1));
    assert_eq!((score.precision, score.recall), (Some(1.0 / 3.0), Some(0.5)));
    let unlabelled = Labels::default();
    assert_eq!(score_unseen(&[], &unlabelled).exchanges, None);
}

fn hostile_evaluation() -> Evaluation {
    let mut lines = in_campaign("a", 20, "harvest") + &in_campaign("b", 4, "\u{1b}[31mred\u{202e}hidden");
    lines += &(0..3000).map(|index| format!("s{index} - student\n")).collect::<String>();
    lines += &format!("h - {}\n", "very_long_role_name_".repeat(500));
    let labels = labels(&lines);
    let mut activity = Activity::new(&labels);
    for second in 1..=12_000 {
        activity.see(&format!("a{}", second % 20), Time::from_seconds(second), &format!("e{second}"));
    }
    let findings = [
        found("cmp_1", 1_500, &(names("a", 19) + "s7")),
        found("cmp_2\u{7}\n", 2_000, "b1 s1 s2"),
        found("cmp_数据_3", 2_000, "s3 s4 h"),
    ];
    score(&findings, &labels, &activity)
}

#[test]
fn the_text_fits_and_shows_no_control_characters() {
    let evaluation = hostile_evaluation();
    insta::assert_snapshot!("text_80", evaluation.text(80));
    insta::assert_snapshot!("text_140", evaluation.text(140));
    insta::assert_snapshot!("text_nothing", score_unseen(&[], &Labels::default()).text(80));
    for width in [0, WIDTH_MIN, 80, 140] {
        let text = evaluation.text(width);
        assert!(text.lines().all(|line| line.chars().count() <= width.max(WIDTH_MIN)), "{text}");
        assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
    }
}
