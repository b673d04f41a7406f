//! A folder of corpora: text by file, networks and arrivals, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use simulator::{Campaign, Output, Scenario, SimulateError, Summary, simulate};

use crate::{lines, small};

/// A folder with one small file of each kind, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = Folder(std::env::temp_dir().join(format!("simulator-corpora-{name}-{}", std::process::id())));
        let prompt =
            |text: &str| format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}],"response":"real answer"}}"#);
        folder.write("open/benign-oasst", &[prompt("real person one"), prompt("real person two")]);
        folder
            .write("open/campaign-cot-gsm8k", &(0..30).map(|i| prompt(&format!("real item {i}"))).collect::<Vec<_>>());
        let asn = r#"{"asn":7,"country":"US","datacentre":true,"vpn":false,"addresses":256,"ranges":[{"start":"192.0.2.0","end":"192.0.2.255"}]}"#;
        folder.write("open/network/asn", &[asn.to_owned()]);
        folder.write("open/network/user-agents", &[r#"{"user_agent":"real browser","weight":1.0}"#.to_owned()]);
        folder.write("open/network/ja4", &[r#"{"ja4":"real-ja4"}"#.to_owned()]);
        folder.write("open/network/disposable-email-domains", &[r#"{"domain":"real.example"}"#.to_owned()]);
        let windows: Vec<String> = (0..144).map(|number| number.to_string()).collect();
        let each = |value: &str| vec![value; 144].join(",");
        let day = format!(
            r#"{{"window":[{}],"rate":[{}],"family":"{}","shape":[{}]}}"#,
            windows.join(","),
            each("0.1"),
            "GW".repeat(72),
            each("0.5")
        );
        folder.write("open/arrivals/servegen-m-large", &[day]);
        folder
    }

    fn write(&self, name: &str, lines: &[String]) {
        let path = self.0.join(format!("{name}.jsonl.zst"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, zstd::encode_all(lines.join("\n").as_bytes(), 1).unwrap()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn scenario(texts: &[&str]) -> Scenario {
    let campaigns = vec![Campaign { accounts: 10, ..Campaign::named("c1") }];
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Scenario { campaigns, texts, roles: vec![simulator::Role::Chat], ..small("hydra", 60, 1.0) }
}

fn run(scenario: &Scenario, folder: &Path) -> Result<(String, Summary), SimulateError> {
    let (mut exchanges, mut accounts, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    let mut output = Output { exchanges: &mut exchanges, accounts: &mut accounts, labels: &mut labels };
    let summary = simulate(scenario, Some(folder), &mut output)?;
    Ok((String::from_utf8(exchanges).unwrap(), summary))
}

#[test]
fn named_files_give_text_and_tables_give_networks() {
    let folder = Folder::new("text");
    let both = scenario(&["open/benign-oasst", "open/campaign-cot-gsm8k"]);
    let (text, summary) = run(&both, &folder.0).unwrap();
    assert_eq!(summary.campaign_exchanges, 30);
    assert_eq!(summary.notes, ["campaign `c1` has 30 items in the corpora, 400 were asked for"]);
    for i in 0..30 {
        assert_eq!(text.matches(&format!("\"real item {i}\"")).count(), 1, "each item is asked once");
    }
    let opening = |exchange: &&serde_json::Value| exchange["request"]["messages"][0]["content"] == "real person one";
    let exchanges = lines(&text);
    let accounts: std::collections::BTreeSet<String> =
        exchanges.iter().filter(opening).map(|exchange| exchange["account"].to_string()).collect();
    assert_eq!(accounts.len(), 1, "a person's text belongs to one account");
    assert!(exchanges.iter().filter(|e| e["client"]["network"] == "hosting").all(|e| e["client"]["asn"] == 7));
    assert!(text.contains("real browser") && text.contains("real-ja4"));

    let (text, summary) = run(&scenario(&["open/benign-oasst"]), &folder.0).unwrap();
    assert!(!text.contains("real item"), "a file that is not named is kept aside");
    assert_eq!(summary.campaign_exchanges, 400);
}

#[test]
fn what_is_wrong_is_named() {
    let folder = Folder::new("wrong");
    let unknown = run(&scenario(&["open/other"]), &folder.0).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "`texts` names `open/other`, expected a file of the corpora such as `open/benign-oasst`"
    );
    folder.write("open/benign-oasst", &["{}".to_owned()]);
    let row = run(&scenario(&["open/benign-oasst"]), &folder.0).unwrap_err().to_string();
    assert!(row.contains("benign-oasst.jsonl.zst`, line 1: missing field `messages`"), "{row}");
    let missing = run(&scenario(&["open/campaign-fireact"]), &folder.0).unwrap_err();
    assert!(matches!(missing, SimulateError::File { .. }), "{missing}");
}
