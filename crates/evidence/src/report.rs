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
        "Stillwatch {} infers that {members} accounts were operated together as one campaign ({}), from {} to {} UTC. Detection's first finding rests on what had been sent until {} UTC.",
        outside(case.version),
        outside(&campaign.id),
        minute(&campaign.first_seen.to_string()),
        minute(&campaign.last_seen.to_string()),
        minute(&campaign.detected_at.to_string()),
    ));
    let tokens = if campaign.tokens_known > 0.0 {
        format!(
            " Tokens are known of {} of these, as far as they were answered: {} asked and {} answered.",
            percent(campaign.tokens_known),
            grouped(campaign.input_tokens),
            grouped(campaign.output_tokens)
        )
    } else {
        String::new()
    };
    out.text(format!(
        "They sent {} requests that belong to it, those that were refused included.{tokens}",
        grouped(campaign.exchanges)
    ));
    let held = (grouped(case.records.len() as u64), grouped(case.findings.population.exchanges));
    out.note(format!(
        "What detection says is an inference: of how accounts behaved, not of who is behind them. It stands apart from what it rests on. This case file holds {} of the {} exchanges \
         that detection used, and what was known of the members: these can be checked without us (section 9). The finding itself cannot be recomputed from this file alone; that \
         takes the whole record, which whoever made this file has.",
        held.0, held.1
    ));
    if let Some((last, first, late)) = entered(case).filter(|(_, _, late)| *late > 3_600) {
        out.note(format!(
            "The recorded lines of this file were entered in the ledger from {} UTC on, {} after the last of them, of {} UTC. The ledger shows that they are unchanged since they were entered, and \
             nothing about the time before.",
            minute(&first), words(late), minute(&last)
        ));
    }
    out.text("All times are UTC. An account is who pays; a payer is an account, or all accounts of one verified organisation together; a sign is a number of a group that bears on the finding.");
    out.text(format!("Made {} UTC by {}.", minute(case.made_at), outside(case.by)));
}

fn claim(case: &Case<'_>, out: &mut Document) {
    out.heading("2. Facts by topic");
    out.text(
        "Sorted by the headings of section 3(11) of H.R. 8283 of the 119th Congress, which is a bill and no law and creates no cause of action. Under each stands what this case file shows of \
         it, and where it shows nothing, that. Which facts bear on which claim is for counsel.",
    );
    out.subheading("2.1 Improper access, by any of these ways");
    ACCESS.iter().for_each(|element| shown(case, element, out));
    out.subheading("2.2 From what the purpose may be inferred");
    PURPOSE.iter().for_each(|element| shown(case, element, out));
    out.subheading("2.3 Reasonable measures to protect the model");
    let count = case.entries_of(&["response"]).count();
    out.text(match count {
        0 => "Measures after detection: NOT SHOWN.".to_owned(),
        1 => "Measures after detection: one decision, and what it was extended to, in section 5.".to_owned(),
        _ => format!("Measures after detection: {count} decisions, and what they were extended to, in section 5."),
    });
    let before = case.entries_of(&["policies", "quota"]).count();
    out.text(match before {
        0 => "Measures that were in force before: NOT SHOWN. They would be shown by: terms, limits, policies, key management, access control.".to_owned(),
        _ => format!("Limits and policies that the ledger has: {before} entries, in section 5."),
    });
    out.subheading("2.4 What was put beside");
    let attached = case.attachments.iter().map(|file| format!("attachments/{}", outside(&file.name))).collect();
    out.list(attached, "Nothing: no terms, notices or licences were attached.");
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
    if case.records.iter().any(|record| record.line.key.is_some()) {
        out.text("Detection used fingerprints only; texts that were opened for this case file are in texts/, and no part of the finding.");
    }
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
        0 => "Of each member, most of what it sent in all belongs to the campaign.".to_owned(),
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
    out.list(said, "No verdict of a person on the finding, and no appeal, is recorded.");
    out.subheading("3.6 How the finding changed");
    out.text("By entries of the ledger: what detection said of these accounts, and that it no longer did.");
    entries(case, &["finding"], out, "The ledger has no entry of it.");
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
        "An inference. The probability is the model's, that what this account sent belongs to the campaign and not to unrelated use; how often that is wrong stands in section 7. It does not say \
         who operates the account. What is known of each stands in facts/accounts.jsonl.",
    );
    let rows: Vec<Vec<String>> = sure(case.campaign)
        .take(MEMBERS_SHOWN_MAX)
        .map(|member| {
            vec![
                outside(&member.account),
                probability(member.probability),
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
    if case.entries_left_out > 0 {
        out.text(format!("{} earlier entries were left out.", grouped(case.entries_left_out)));
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
    out.text(
        "Chosen by time alone, without regard to content: as many of each account as of every other, from its first to its last at even distances. Of a sealed record the address is cut to its block; \
         what was opened, in texts/, has it whole.",
    );
    let with = |is: &dyn Fn(u64) -> bool| case.records.iter().filter(|record| record.status.is_some_and(is)).count();
    let (answered, refused) = (with(&|status| status < 400), with(&|status| status >= 400));
    out.text(format!(
        "{answered} of them were answered, {refused} were refused or failed, by the status that is recorded."
    ));
    let at_of = |index: u64| case.entries.iter().find(|entry| entry.index == index).map(|entry| minute(&entry.at));
    let rows = case.records.iter().take(EXHIBITS_SHOWN_MAX).enumerate().map(|(at, record)| {
        vec![
            record_name(at),
            outside(&record.account),
            minute(&record.time),
            record.status.map(|status| status.to_string()).unwrap_or_default(),
            format!("{}, entry {}", at_of(record.line.entry).unwrap_or_default(), record.line.entry),
            match (record.is_sealed, &record.line.key) {
                (true, None) => "sealed",
                (true, Some(_)) => "opened",
                (false, _) => "in clear",
            }
            .to_owned(),
        ]
    });
    let columns =
        [("exhibit", 11), ("account", 25), ("time", 17), ("status", 8), ("in the ledger since", 28), ("text", 11)];
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
    out.text(format!(
        "The signs of this finding and their weights, as powers of ten: how many times as probable what was seen is if these accounts were operated together than it is in honest groups. They come to 10^{:.1} together, \
         less than their sum where honest explanations take from them; 10^{:.1} was needed.",
        case.campaign.log10_e, case.campaign.log10_threshold
    ));
    let weights = case.campaign.evidence.iter().map(|sign| {
        let counts = if sign.counts { "yes" } else { "no" };
        vec![
            word(&serde_json::to_value(sign.family)),
            format!("10^{:.1}", sign.log10_e),
            counts.to_owned(),
            outside(&sign.text),
        ]
    });
    out.table(
        &[("sign", 14), ("weight", 10), ("counts", 8), ("what was seen", 68)],
        weights.collect(),
        "There is none.",
    );
    out.text("This is no expert report. An expert who adopts it needs the record, the settings, this version of the program and the figures below.");
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
        "Readings, holds, erasures and exports that the ledger has, as far as they bear on these accounts or on all. The export of this file comes after all of them.",
    );
    for (kind, none) in [("hold", "Legal hold: NONE in the ledger."), ("erasure", "Erasures: none in the ledger.")] {
        if case.entries_of(&[kind]).next().is_none() {
            out.text(none);
        }
    }
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
            "`stillwatch-verify CASE.zip --key KEY` checks, offline, that nothing was changed since the export and that the recorded lines are in the ledger; with `--authority FILE` also who says when, with `--witness KEY` who else saw the ledger.".to_owned(),
            format!("The key of the ledger is {}. Take it from somebody you trust, and not from here.", outside(case.ledger)),
            "manifest.json has the SHA-256 of every file; export.tlog-proof shows that the ledger has that of the manifest.".to_owned(),
            "Each file in records/ is one recorded line with the proof that leads from it to an entry of the ledger, whose receipt is in entries/. What an opened one says is in texts/.".to_owned(),
            "Receipts are tlog-proofs of C2SP: an entry, and the hashes that lead from it to the signed root of the ledger.".to_owned(),
        ],
        "",
    );
    out.text(
        "Times in entries are those of the ledger's machine. Where a receipt has a timestamp, an authority says that the entry was there by then; where a witness signed, somebody else saw the ledger. \
         Without either, whoever holds the ledger's key could have made this ledger at any time: the checking program says how many receipts have one.",
    );
    out.text(
        "texts/, and records/ with the keys in them, are what people wrote and were answered. Whether and to whom they may be given is for counsel; an export without `--plain` has none of them.",
    );
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
    out.blank("How I know this (training, duties, what I looked at)");
    out.text(format!(
        "2. Rule 902(13). The lines in records/ were generated by an electronic process: the gateway of Stillwatch {} is a component through which requests to the model pass, and writes one line for each when it is \
         answered or refused: the account by its credential, the time by the system clock, the model, the status, and the usage that the server tells. That the process produces an accurate result is shown by:",
        outside(case.version)
    ));
    out.blank("How the clock was kept right; when it was in normal operation; faults that are known; how it is tested");
    if let Some((last, first, late)) = entered(case) {
        out.text(format!(
            "The last of these lines is of {} UTC. Their hashes were entered in an append-only ledger from {} UTC on, {} later. The ledger shows that they are unchanged since; that they were unchanged before rests on:",
            minute(&last), minute(&first), words(late)
        ));
        out.blank("Who had access to the record before it was entered, and how it was kept");
    }
    out.text(
        "3. Rule 902(14). Each file in records/ has one line that was copied from the gateway's record; its hash (RFC 6962: SHA-256 of a zero byte and the line) is among those that the ledger commits to, by the proof and the \
         entry that are in this file. texts/ is the decryption of the sealed part of these lines by the key that is with each. entries/ are copies of entries of the ledger. No other file is certified. \
         Compared with the original, and found to be the same, by:",
    );
    out.blank("Who, when, on which machine, by which command, with which result");
    out.text("4. [Only if offered under Rule 803(6), with Rule 902(11):] The following were made at or near the time by, or from information transmitted by, someone with knowledge, were kept in the course of a regularly conducted activity, and making them was a regular practice of that activity:");
    out.blank("Which files, and for each how that is so");
    out.text("5. What inference/finding.json and the report say is an inference by the method of section 7 of the report. It is no record, and is not certified here.");
    out.text("6. Who holds the key that signs the ledger, since when, and how the checking party got its public half:");
    out.blank("Holder, since when, how handed over");
    out.text("I declare under penalty of perjury [if executed outside the United States: under the laws of the United States of America] that the foregoing is true and correct.");
    out.blank("Executed on (date), at (place)");
    out.blank("Signature");
    out.text("For counsel: Rules 902(13) and 902(14) ask for a certification that complies with Rule 902(11) or 902(12), and for the notice and the inspection of Rule 902(11). They settle that records are authentic and nothing else. Otherwise a witness can describe the process (Rule 901(b)(9)).");
    out.heading("Hash values");
    let is_certified = |path: &str| ["records/", "texts/", "entries/"].iter().any(|folder| path.starts_with(folder));
    let certified = manifest.iter().filter(|(path, _)| is_certified(path));
    let rows = certified.map(|(path, hash)| vec![outside(path), hash.clone()]).collect();
    out.table(&[("file", 35), ("SHA-256", 65)], rows, "");
    out
}

/// From which probability on an account counts as a member.
const MEMBER_PROBABILITY_MIN: f64 = 0.5;

fn sure(campaign: &Campaign) -> impl Iterator<Item = &findings::Member> {
    campaign.accounts.iter().filter(|member| member.probability >= MEMBER_PROBABILITY_MIN)
}

/// A probability, which is never told as certainty.
fn probability(probability: f64) -> String {
    if probability > 0.999 { "> 0.999".to_owned() } else { format!("{probability:.3}") }
}

/// When the last recorded line is from, when the last of them was entered in the ledger, and how many seconds later that was.
fn entered(case: &Case<'_>) -> Option<(String, String, u64)> {
    let last = case.records.iter().map(|record| record.time.as_str()).max()?;
    let of = |index: u64| case.entries.iter().find(|entry| entry.index == index).map(|entry| entry.at.as_str());
    let first = case.records.iter().filter_map(|record| of(record.line.entry)).min()?;
    let seconds = |text: &str| verify::entry::EntryTime::parse(&nanos(text)).and_then(|time| time.seconds());
    Some((last.to_owned(), first.to_owned(), seconds(first)?.saturating_sub(seconds(last)?)))
}

/// A time to the nanosecond, as entries say it.
fn nanos(time: &str) -> String {
    let whole = time.trim_end_matches('Z');
    let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, ""));
    format!("{seconds}.{fraction:0<9}Z")
}

/// A time that went by, in the largest unit of which there are two.
fn words(seconds: u64) -> String {
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} hours", seconds / 3_600),
        _ => format!("{} minutes", seconds / 60),
    }
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
