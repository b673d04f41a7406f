//! The report of a case, in words.
//!
//! Promises that every sentence about a person or an account names the exhibit that it rests on, or says that it is an inference.

use std::collections::{BTreeMap, BTreeSet};

use findings::{Campaign, Evidence};
use serde_json::Value;
use verify::entry::Statement;

use crate::case::{Case, Entry, record_name};
use crate::document::{Document, outside};
use crate::elements::{ACCESS, Element, PURPOSE};
use crate::limits::{EXHIBITS_SHOWN_MAX, MEMBERS_SHOWN_MAX};
use crate::method::{ASSUMED, MEASURED, STEPS};

/// Kinds of entries that say what was done against a campaign, or stood in its way before.
const MEASURES: [&str; 5] = ["response", "cover", "alert", "policies", "quota"];
/// Kinds of entries that say how accounts were kept.
const KEPT: [&str; 4] = ["account", "key", "certificate", "organisation"];
/// Kinds of entries that say what people thought of it.
const JUDGEMENTS: [&str; 2] = ["verdict", "appeal"];
/// Kinds of entries that say who had the evidence in hand.
const CUSTODY: [&str; 6] = ["reading", "hold", "erasure", "expiry", "rotation", "export"];

/// The report.
#[must_use]
pub fn of(case: &Case<'_>) -> Document {
    let mut out = Document::new(format!("Case file {}", outside(case.id)));
    summary(case, &mut out);
    claim(case, &mut out);
    against(case, &mut out);
    members(case, &mut out);
    measures(case, &mut out);
    records(case, &mut out);
    method(case, &mut out);
    custody(case, &mut out);
    checking(case, &mut out);
    out
}

fn summary(case: &Case<'_>, out: &mut Document) {
    let Case { campaign, .. } = case;
    out.heading("1. In short");
    let members = sure(campaign).count();
    out.text(format!(
        "Stillwatch {} reports that {members} accounts acted together as one campaign ({}), from {} to {}. It said so for the first time by what had been sent until {}.",
        outside(case.version),
        outside(&campaign.id),
        minute(&campaign.first_seen.to_string()),
        minute(&campaign.last_seen.to_string()),
        minute(&campaign.detected_at.to_string()),
    ));
    let tokens = if campaign.tokens_known > 0.0 {
        format!(
            " The tokens of {} of them are known: {} asked and {} answered.",
            percent(campaign.tokens_known),
            grouped(campaign.input_tokens),
            grouped(campaign.output_tokens)
        )
    } else {
        String::new()
    };
    out.text(format!("They sent {} exchanges that belong to it.{tokens}", grouped(campaign.exchanges)));
    out.note(
        "What detection says is an inference: of how accounts behaved, not of who is behind them. What it rests on stands apart from it: the recorded \
         exchanges, what was known of accounts, and what the ledger says. Each of these is an exhibit of this case file that can be checked without us (section 9).",
    );
    out.text(format!("Made {} by {}.", minute(case.made_at), outside(case.by)));
}

fn claim(case: &Case<'_>, out: &mut Document) {
    out.heading("2. What a claim has to show");
    out.text(
        "The headings follow section 3(11) of H.R. 8283 of the 119th Congress, which is a bill and no law. Under each stands what this case file shows of it, and where \
         it shows nothing, that.",
    );
    out.subheading("2.1 Improper access, by any of these ways");
    ACCESS.iter().for_each(|element| shown(case, element, out));
    out.subheading("2.2 From what the purpose may be inferred");
    PURPOSE.iter().for_each(|element| shown(case, element, out));
    out.subheading("2.3 Reasonable measures to protect the model");
    let count = case.entries_of(&MEASURES).count();
    out.text(match count {
        0 => "Not shown: the ledger has no measure that bears on these accounts.".to_owned(),
        _ => format!("{count} measures are shown in section 5."),
    });
    out.subheading("2.4 What was put beside");
    let attached = case.attachments.iter().map(|file| format!("attachments/{}", outside(&file.name))).collect();
    out.list(attached, "Nothing: no terms, notices or licences were attached (`--attach`).");
}

fn shown(case: &Case<'_>, element: &Element, out: &mut Document) {
    let signs = element.shown_by(&case.campaign.evidence);
    out.minor(element.title);
    if signs.is_empty() {
        let elsewhere = if element.elsewhere.is_empty() {
            String::new()
        } else {
            format!(" It would be shown by: {}", element.elsewhere)
        };
        out.text(format!("{} NOT SHOWN.{elsewhere}", element.meaning));
        return;
    }
    out.text(format!("{} Inferred, by inference/finding.json:", element.meaning));
    out.list(signs.iter().map(|sign| self::sign(sign)).collect(), "");
    if !element.elsewhere.is_empty() {
        out.text(format!("Not in this case file, and to be put beside: {}", element.elsewhere));
    }
}

fn sign(sign: &Evidence) -> String {
    format!("{} ({} observations)", outside(&sign.text), grouped(sign.observations))
}

fn against(case: &Case<'_>, out: &mut Document) {
    let Case { campaign, findings, .. } = case;
    out.heading("3. What speaks against it");
    out.text("Honest explanations that were compared, what was looked for and not seen, and what could not be seen.");
    let told = |items: &[String]| items.iter().map(|text| outside(text)).collect::<Vec<_>>();
    out.subheading("3.1 Other explanations");
    out.list(told(&campaign.alternatives), "None was named by detection.");
    out.subheading("3.2 Looked for and not seen");
    out.list(told(&campaign.not_observed), "Nothing.");
    let weak: Vec<String> = campaign
        .evidence
        .iter()
        .filter(|sign| !sign.counts)
        .map(|sign| format!("{}; it does not count for the finding", self::sign(sign)))
        .collect();
    out.list(weak, "Every sign that was seen counts for the finding.");
    out.subheading("3.3 What could not be seen");
    let blind = [&findings.blind_spots[..], &findings.limits_reached[..]].concat();
    out.list(told(&blind), "Nothing that detection knows of.");
    out.subheading("3.4 Licences, programmes and other use");
    let mut programmes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (account, programme) in case.accounts.iter().filter_map(|line| programme(line)) {
        programmes.entry(programme).or_default().insert(account);
    }
    let named = |(programme, accounts): (String, BTreeSet<String>)| {
        let accounts: Vec<String> = accounts.iter().map(|account| outside(account)).collect();
        format!("In the programme `{}` (facts/accounts.jsonl): {}", outside(&programme), accounts.join(", "))
    };
    out.list(
        programmes.into_iter().map(named).collect(),
        "No member is known to be in a programme of the provider (research, education, partner).",
    );
    let mostly_other = sure(campaign).filter(|member| member.exchanges * 2 < member.exchanges_total).count();
    out.text(match mostly_other {
        0 => "No member sent more that is not of the campaign than what is.".to_owned(),
        1 => "One member sent more that is not of the campaign than what is (section 4).".to_owned(),
        count => format!("{count} members sent more that is not of the campaign than what is (section 4)."),
    });
    let unsure = campaign.accounts.iter().filter(|member| member.probability < MEMBER_PROBABILITY_MIN).count();
    if unsure > 0 {
        out.text(format!("{unsure} more accounts sent something of it and are not counted as members: their probability is below 0.5."));
    }
    out.subheading("3.5 What people said of it");
    let mut said: Vec<String> = campaign
        .judgements
        .iter()
        .map(|one| {
            format!(
                "{} by {}, {}: {}",
                word(&serde_json::to_value(one.verdict)),
                outside(&one.by),
                minute(&one.time.to_string()),
                outside(&one.reason)
            )
        })
        .collect();
    said.extend(case.entries_of(&JUDGEMENTS).map(|(entry, statement)| entry_line(entry, statement)));
    out.list(said, "No verdict and no appeal is known.");
}

/// Who is in which programme, by a line of what is known of accounts.
fn programme(line: &str) -> Option<(String, String)> {
    let fact: Value = serde_json::from_str(line).ok()?;
    let programme = fact.get("program")?.as_str().filter(|programme| *programme != "none")?;
    let account = fact.get("account")?.as_str()?;
    Some((account.to_owned(), programme.to_owned()))
}

fn members(case: &Case<'_>, out: &mut Document) {
    out.heading("4. The accounts");
    out.text(
        "An inference. The probability says how often an account like it sent the campaign's texts on its behalf; what is known of each stands in facts/accounts.jsonl.",
    );
    let rows: Vec<Vec<String>> = sure(case.campaign)
        .take(MEMBERS_SHOWN_MAX)
        .map(|member| {
            vec![
                outside(&member.account),
                format!("{:.3}", member.probability),
                grouped(member.exchanges),
                grouped(member.exchanges_total),
                minute(&member.first_seen.to_string()),
                minute(&member.last_seen.to_string()),
            ]
        })
        .collect();
    let columns =
        [("account", 30), ("probability", 12), ("of the campaign", 14), ("in all", 10), ("first", 17), ("last", 17)];
    out.table(&columns, rows, "There is none.");
    let more = sure(case.campaign).count().saturating_sub(MEMBERS_SHOWN_MAX);
    if more > 0 {
        out.text(format!("{more} more are in inference/finding.json."));
    }
}

fn measures(case: &Case<'_>, out: &mut Document) {
    out.heading("5. Measures taken");
    out.text(
        "By entries of the ledger, each with its receipt in entries/. The times are those at which they were put down.",
    );
    entries(case, &MEASURES, out, "The ledger has none that bears on these accounts.");
    out.subheading("5.1 How the accounts were kept");
    entries(case, &KEPT, out, "The ledger has no change of these accounts and their keys.");
    if case.entries_total > case.entries.len() as u64 {
        out.text(format!("{} earlier entries were left out.", grouped(case.entries_total - case.entries.len() as u64)));
    }
}

fn entries(case: &Case<'_>, kinds: &[&str], out: &mut Document, otherwise: &str) {
    let all: Vec<_> = case.entries_of(kinds).collect();
    let rows = all.iter().take(EXHIBITS_SHOWN_MAX).map(|(entry, statement)| {
        vec![
            entry.index.to_string(),
            minute(&entry.at),
            outside(&statement.kind),
            outside(&statement.actor),
            outside(&what(statement)),
            outside(statement.reason.as_deref().unwrap_or_default()),
        ]
    });
    let columns = [("entry", 8), ("time", 17), ("kind", 12), ("who", 18), ("what", 25), ("why", 20)];
    out.table(&columns, rows.collect(), otherwise);
    if all.len() > EXHIBITS_SHOWN_MAX {
        out.text(format!("{} more are in entries/.", all.len() - EXHIBITS_SHOWN_MAX));
    }
}

/// What was done, with the rung of a response, which its subject does not say.
fn what(statement: &Statement) -> String {
    let changes = statement.detail.get("changes").and_then(Value::as_array).and_then(|changes| changes.first());
    let rung = changes.and_then(|change| change.pointer("/is/rung")).and_then(Value::as_str);
    rung.map_or_else(|| statement.subject.clone(), |rung| format!("{}: {}", statement.subject, rung.replace('_', " ")))
}

fn entry_line(entry: &Entry, statement: &Statement) -> String {
    let reason = statement.reason.as_deref().map(|reason| format!(": {}", outside(reason))).unwrap_or_default();
    format!(
        "{} by {}, {}{reason} (entry {})",
        outside(&statement.subject),
        outside(&statement.actor),
        minute(&entry.at),
        entry.index
    )
}

fn records(case: &Case<'_>, out: &mut Document) {
    out.heading("6. Recorded exchanges");
    let sealed = case.records.iter().filter(|record| record.is_sealed && record.line.key.is_none()).count();
    out.text(format!(
        "{} of the {} recorded lines of these accounts, as they were recorded. {}",
        grouped(case.records.len() as u64),
        grouped(case.records_total),
        match (case.records.len(), sealed) {
            (0, _) => "None is in this case file.".to_owned(),
            (_, 0) => "Their texts can be read.".to_owned(),
            (_, sealed) => format!(
                "The texts of {} are sealed: that they were recorded is shown, and not what they say.",
                grouped(sealed as u64)
            ),
        }
    ));
    let rows = case.records.iter().take(EXHIBITS_SHOWN_MAX).enumerate().map(|(at, record)| {
        vec![
            record_name(at),
            outside(&record.account),
            minute(&record.time),
            outside(&record.exchange),
            record.line.entry.to_string(),
            match (record.is_sealed, &record.line.key) {
                (true, None) => "sealed",
                (true, Some(_)) => "opened",
                (false, _) => "in clear",
            }
            .to_owned(),
        ]
    });
    let columns = [("exhibit", 12), ("account", 25), ("time", 17), ("exchange", 26), ("entry", 10), ("text", 10)];
    out.table(&columns, rows.collect(), "There is none.");
    if case.records.len() > EXHIBITS_SHOWN_MAX {
        out.text(format!("{} more are in records/.", case.records.len() - EXHIBITS_SHOWN_MAX));
    }
}

fn method(case: &Case<'_>, out: &mut Document) {
    let guarantee = &case.findings.guarantee;
    out.heading("7. Method, and how often it is wrong");
    out.list(STEPS.map(str::to_owned).to_vec(), "");
    out.text(format!(
        "Here alpha was {} and {} groups were tested in {} exchanges of {} accounts. {}",
        guarantee.alpha,
        grouped(guarantee.hypotheses),
        grouped(case.findings.population.exchanges),
        grouped(case.findings.population.accounts),
        outside(&guarantee.text)
    ));
    out.subheading("7.1 Measured where the truth was known");
    let rows =
        MEASURED.iter().map(|one| vec![one.what.to_owned(), one.result.to_owned(), one.build.to_owned()]).collect();
    out.table(&[("what", 45), ("result", 30), ("build", 25)], rows, "");
    out.subheading("7.2 What is assumed");
    out.list(ASSUMED.map(str::to_owned).to_vec(), "");
}

fn custody(case: &Case<'_>, out: &mut Document) {
    out.heading("8. Who had the evidence in hand");
    out.text(
        "Readings, holds, erasures and exports that the ledger has, as far as they bear on these accounts or on all.",
    );
    entries(
        case,
        &CUSTODY,
        out,
        "The ledger has none before this case file. Texts that are not sealed can be read without an entry.",
    );
}

fn checking(case: &Case<'_>, out: &mut Document) {
    out.heading("9. How to check it");
    out.list(
        vec![
            "`stillwatch-verify CASE.zip --key KEY` checks everything offline; with `--authority FILE` also who says when, with `--witness KEY` who else saw the ledger.".to_owned(),
            format!("The key of the ledger is {}. Take it from somebody you trust, and not from here.", outside(case.ledger)),
            "manifest.json has the SHA-256 of every file; export.tlog-proof shows that the ledger has that of the manifest.".to_owned(),
            "Each file in records/ is one recorded line with the proof that leads from it to an entry of the ledger, whose receipt is in entries/. What an opened one says is in texts/.".to_owned(),
            "Receipts are tlog-proofs of C2SP: an entry, and the hashes that lead from it to the signed root of the ledger.".to_owned(),
        ],
        "",
    );
    out.text("Times in entries are those of the ledger's machine. Where a receipt has a timestamp, an authority says that the entry was there by then.");
}

/// The draft of a certification.
#[must_use]
pub fn certification(case: &Case<'_>, manifest: &[(String, String)]) -> Document {
    let mut out = Document::new(format!("Draft certification, case {}", outside(case.id)));
    out.note("A draft for counsel. Nothing here is certified before a qualified person has checked it, completed it and signed it.");
    out.heading("Certification of records generated by an electronic process, and of data copied from an electronic source (Federal Rules of Evidence 902(13) and 902(14))");
    out.text("1. I am employed by the organisation below in the position below, and am qualified to make this certification by my knowledge of the systems described in it.");
    out.blank("Name");
    out.blank("Position and qualification");
    out.blank("Organisation");
    out.text(format!(
        "2. The records in records/ were generated by an electronic process: the gateway of Stillwatch {}, which wrote each exchange with the model when it ended. The process \
         produces an accurate result: each line has a length and a checksum, and the hashes of all lines are put down in an append-only ledger about once a minute.",
        outside(case.version)
    ));
    out.text(
        "3. The files in this case file were copied from that source by a process of digital identification: each has the SHA-256 below, and the ledger has that of the list of all \
         of them (manifest.json). `stillwatch-verify` checks that they are the same.",
    );
    out.blank("Date and machine of that check, and its result");
    out.text("4. The records were made at or near the time of what they say, kept in the course of a regularly conducted activity, and made as a regular practice of it.");
    out.blank("Statement on (4), or why it does not hold");
    out.text("5. What inference/finding.json and the report say is an inference by the method of section 7 of the report. It is no record, and is not certified here.");
    out.blank("Place and date");
    out.blank("Signature, under penalty of perjury (28 U.S.C. 1746)");
    out.heading("Hash values");
    let rows = manifest.iter().take(EXHIBITS_SHOWN_MAX).map(|(path, hash)| vec![outside(path), hash.clone()]).collect();
    out.table(&[("file", 35), ("SHA-256", 65)], rows, "");
    if manifest.len() > EXHIBITS_SHOWN_MAX {
        out.text(format!("{} more are in manifest.json.", manifest.len() - EXHIBITS_SHOWN_MAX));
    }
    out
}

/// From which probability on an account counts as a member.
const MEMBER_PROBABILITY_MIN: f64 = 0.5;

fn sure(campaign: &Campaign) -> impl Iterator<Item = &findings::Member> {
    campaign.accounts.iter().filter(|member| member.probability >= MEMBER_PROBABILITY_MIN)
}

/// A word of a form, as a sentence has it.
fn word(value: &serde_json::Result<Value>) -> String {
    value.as_ref().ok().and_then(Value::as_str).unwrap_or_default().replace('_', " ")
}

/// A time to the minute, in UTC.
fn minute(time: &str) -> String {
    match (time.get(..10), time.get(11..16)) {
        (Some(day), Some(minute)) => outside(&format!("{day} {minute}")),
        _ => outside(time),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut out = digits.get(..first).unwrap_or_default().to_owned();
    for group in digits.as_bytes().get(first..).unwrap_or_default().chunks(3) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(std::str::from_utf8(group).unwrap_or_default());
    }
    out
}
