//! Writes every account of every campaign as CSV (RFC 4180), for a spreadsheet or another tool.
//!
//! Promises one line an account, surest first, the same bytes for the same findings, and that no account can make a
//! spreadsheet compute: a field that would begin a formula gets an apostrophe before it, which spreadsheets do not show. A line
//! break within a field is not guarded by quotes everywhere, so what follows one is held to begin a field, too.

use std::io::{self, Write};

use findings::Findings;

/// Writes the accounts of every campaign.
///
/// # Errors
///
/// Passes on what `output` says.
pub(crate) fn write(findings: &Findings, output: &mut impl Write) -> io::Result<()> {
    output.write_all(HEADER.as_bytes())?;
    for campaign in &findings.campaigns {
        for member in &campaign.accounts {
            let tokens = |tokens: Option<u64>| tokens.map(|tokens| tokens.to_string()).unwrap_or_default();
            write!(
                output,
                "{},{},{},{},{},{},{},{},{}\r\n",
                field(&campaign.id),
                field(&member.account),
                member.probability,
                member.exchanges,
                member.exchanges_total,
                member.first_seen,
                member.last_seen,
                tokens(member.input_tokens),
                tokens(member.output_tokens),
            )?;
        }
    }
    Ok(())
}

const HEADER: &str =
    "campaign,account,probability,exchanges,exchanges_total,first_seen,last_seen,input_tokens,output_tokens\r\n";

/// What makes a spreadsheet compute at the beginning of a field: signs, also in the full width of East Asian keyboards, and a
/// tab, which some of them step over.
const FORMULA: [char; 9] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t'];

/// A text as one field that is a text for a spreadsheet too.
fn field(text: &str) -> String {
    let formula = text.split(['\n', '\r']).any(|line| line.starts_with(FORMULA)) || text.starts_with(['\n', '\r']);
    let guarded = if formula { format!("'{text}") } else { text.to_owned() };
    if guarded.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixtures;

    #[test]
    fn fields_are_quoted_and_compute_nothing() {
        for (text, expected) in [
            ("acc_1", "acc_1"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("\r=x", "\"'\r=x\""),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("a=1", "a=1"),
            ("＝1+1", "'＝1+1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠x", "'＠x"),
            ("\nx", "\"'\nx\""),
            ("a\n=1+1", "\"'a\n=1+1\""),
            ("a\r\n@x", "\"'a\r\n@x\""),
            ("a＝1", "a＝1"),
            ("", ""),
        ] {
            assert_eq!(field(text), expected);
        }
    }

    #[test]
    fn every_account_has_a_line() {
        let findings = fixtures::three_campaigns();
        let mut bytes = Vec::new();
        write(&findings, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let accounts: usize = findings.campaigns.iter().map(|campaign| campaign.accounts.len()).sum();
        assert_eq!(text.lines().count(), accounts + 1);
        assert_eq!(
            text.lines().nth(1),
            Some("cmp_1,acc_7f_000,0.998,75,80,2026-07-20T11:00:00Z,2026-07-24T09:12:45.123Z,12000,60000")
        );
    }
}
