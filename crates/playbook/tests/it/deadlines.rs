//! When others have to be told.

use exchange::Time;
use playbook::deadline::{due, read, shipped};
use playbook::limits::DEADLINES_MAX;

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

#[test]
fn each_ends_when_its_law_says() {
    let all = shipped();
    let ends: Vec<(String, String)> = due(&all, time("2026-01-30T12:00:00Z"))
        .iter()
        .map(|due| (due.deadline.id.clone(), due.at.to_string()))
        .collect();
    let ends: Vec<(&str, &str)> = ends.iter().map(|(id, at)| (id.as_str(), at.as_str())).collect();
    assert_eq!(
        ends,
        [
            ("nis2-warning", "2026-01-31T12:00:00Z"),
            ("gpai-infrastructure", "2026-02-01T12:00:00Z"),
            ("nis2-notification", "2026-02-02T12:00:00Z"),
            ("gdpr", "2026-02-02T12:00:00Z"),
            ("gpai-breach", "2026-02-04T12:00:00Z"),
            ("gpai-death", "2026-02-09T12:00:00Z"),
            ("gpai-harm", "2026-02-14T12:00:00Z"),
            // A month after the notification, which was due after 72 hours.
            ("nis2-final", "2026-03-02T12:00:00Z"),
        ]
    );
}

#[test]
fn what_is_no_list_of_deadlines_says_which_and_why() {
    let one = |id: &str, more: &str| format!(r#"{{"id":"{id}","law":"l","place":"p","what":"w"{more}}}"#);
    for (text, expected) in [
        ("{}".to_owned(), "invalid type"),
        (format!("[{}]", one("a", "")), "`a`: expected one of hours, days and months"),
        (format!("[{}]", one("a", r#","hours":1,"days":1"#)), "`a`: expected one of"),
        (format!("[{0},{0}]", one("a", r#","hours":1"#)), "`a`: it is there twice"),
        (
            format!("[{}]", one("a", r#","hours":1,"after":"a""#)),
            "`a`: it counts from `a`, which does not stand before it",
        ),
        (format!("[{}]", one("a", r#","hours":1,"run":"x""#)), "unknown field"),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let many = |count: usize| {
        format!("[{}]", (0..count).map(|n| one(&n.to_string(), r#","days":1"#)).collect::<Vec<_>>().join(","))
    };
    assert_eq!(read(&many(DEADLINES_MAX)).unwrap().len(), DEADLINES_MAX);
    assert!(read(&many(DEADLINES_MAX + 1)).unwrap_err().to_string().contains("at most 200"));
    // One that no calendar has is left out.
    let far = read(&format!("[{}]", one("a", r#","days":4000000"#))).unwrap();
    assert!(due(&far, time("2026-01-01T00:00:00Z")).is_empty());
}
