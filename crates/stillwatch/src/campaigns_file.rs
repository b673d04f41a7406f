//! Writes `campaigns.jsonl`: one line for each campaign, for other tools and for scoring.
//!
//! Promises the fields of the format in a fixed order, and the same bytes for the same findings. Numbers that JSON has
//! no form for become null. Nothing is shortened or made printable here: consumers get what the records said.

use std::io::{self, Write};

use exchange::Time;
use findings::Identity;
use findings::{Campaign, Capability, Findings, Judgement, SignalFamily};
use serde::Serialize;

/// Writes every campaign, surest first.
///
/// # Errors
///
/// Passes on what `output` says.
pub(crate) fn write(findings: &Findings, output: &mut impl Write) -> io::Result<()> {
    for campaign in &findings.campaigns {
        serde_json::to_writer(&mut *output, &Line::of(campaign))?;
        output.write_all(b"\n")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Line<'a> {
    campaign: &'a str,
    detected_at: Time,
    first_seen: Time,
    last_seen: Time,
    exchanges: u64,
    accounts: Vec<Account<'a>>,
    capabilities: &'a [Capability],
    evidence: Vec<Evidence<'a>>,
    log10_e: f64,
    operator: &'a str,
    frozen_at: Time,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    judgements: &'a [Judgement],
    identity: &'a Identity,
}

#[derive(Serialize)]
struct Account<'a> {
    account: &'a str,
    probability: f64,
}

#[derive(Serialize)]
struct Evidence<'a> {
    family: SignalFamily,
    log10_e: f64,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn of(campaign: &'a Campaign) -> Self {
        let accounts = campaign.accounts.iter();
        let evidence = campaign.evidence.iter();
        Line {
            campaign: &campaign.id,
            detected_at: campaign.detected_at,
            first_seen: campaign.first_seen,
            last_seen: campaign.last_seen,
            exchanges: campaign.exchanges,
            accounts: accounts
                .map(|member| Account { account: &member.account, probability: member.probability })
                .collect(),
            capabilities: &campaign.capabilities,
            evidence: evidence
                .map(|evidence| Evidence { family: evidence.family, log10_e: evidence.log10_e, text: &evidence.text })
                .collect(),
            log10_e: campaign.log10_e,
            operator: &campaign.operator,
            frozen_at: campaign.frozen_at,
            judgements: &campaign.judgements,
            identity: &campaign.identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixtures;

    fn written(findings: &Findings) -> String {
        let mut bytes = Vec::new();
        write(findings, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn campaigns_are_written_as_the_format_says() {
        let mut findings = fixtures::three_campaigns();
        for campaign in &mut findings.campaigns {
            let last = campaign.accounts.len().saturating_sub(2);
            campaign.accounts.drain(..last);
        }
        insta::assert_snapshot!("campaigns", written(&findings));
        assert_eq!(written(&fixtures::quiet()), "");
    }

    #[test]
    fn what_is_written_reads_back_for_scoring() {
        let findings = fixtures::three_campaigns();
        let read = simulator::evaluate::read_campaigns("campaigns.jsonl", written(&findings).as_bytes()).unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].campaign, "cmp_1");
        assert_eq!(read[0].detected_at, findings.campaigns[0].detected_at);
        assert_eq!(read[0].accounts.len(), 213);
        assert_eq!(read[0].accounts[212], ("acc_bystander".to_owned(), 0.31));
    }

    #[test]
    fn hostile_text_stays_on_its_line_and_reads_back_as_it_was() {
        let findings = fixtures::hostile();
        let text = written(&findings);
        assert_eq!(text.lines().count(), 2);
        for (line, campaign) in text.lines().zip(&findings.campaigns) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["campaign"], campaign.id.as_str());
            assert_eq!(line["log10_e"], serde_json::Value::Null, "no JSON number");
            for (written, member) in line["accounts"].as_array().unwrap().iter().zip(&campaign.accounts) {
                assert_eq!(written["account"], member.account.as_str());
            }
        }
    }
}
