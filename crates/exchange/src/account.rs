//! What the provider knows about an account: a second, much smaller stream beside the exchanges.

use std::borrow::Cow;

use serde::Serialize;

use crate::bad::{BadRecord, Notes};
use crate::fields::Fields;
use crate::fields::{required_account, required_time};
use crate::json::{Json, Object};
use crate::objects::each_object;
use crate::record::{AccountId, Assurance, OrgId};
use crate::secret::secret_free;
use crate::time::Time;

/// One line of `accounts.jsonl`: the state of an account from `time` on. Later lines replace earlier ones field by field.
///
/// `payment`, `email_domain` and the like are opaque fingerprints chosen by the provider: equal strings mean equal things.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountFact<'a> {
    /// From when on this holds.
    pub time: Time,
    /// The account.
    pub account: AccountId<'a>,
    /// The verified organisation it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId<'a>>,
    /// When it signed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// The plan it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Cow<'a, str>>,
    /// The programme it came through (none, education, research, startup, trial, partner).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Cow<'a, str>>,
    /// How well it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
    /// The payment instrument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<Cow<'a, str>>,
    /// The mail domain it signed up with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_domain: Option<Cow<'a, str>>,
    /// The country of its telephone number, ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_country: Option<Cow<'a, str>>,
    /// Its status, as the provider writes it (active, suspended, closed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Cow<'a, str>>,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Time>,
    /// Whether a person decided that it belongs to no campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleared: Option<bool>,
}

/// Reads one line of `accounts.jsonl`.
///
/// Required are `time` and `account`; other fields that do not fit are dropped and noted.
///
/// # Errors
///
/// Says why the text is not an account fact.
pub fn read_account<'a>(text: &'a [u8], notes: &mut Notes) -> Result<AccountFact<'a>, BadRecord> {
    let mut read = Err(BadRecord::UnknownFormat);
    let mut damage = notes.damage;
    each_object(text, notes, &mut |mut object, notes| {
        if read.is_err() {
            object.tell_damage(notes);
            read = fact(Fields::new("", object), notes);
            damage = notes.damage;
        }
    })?;
    notes.damage = damage;
    read
}

fn fact<'a>(mut fact: Fields<'a>, notes: &mut Notes) -> Result<AccountFact<'a>, BadRecord> {
    Ok(AccountFact {
        time: required_time(&mut fact, &["time"])?,
        account: required_account(&mut fact, &["account"])?.into(),
        org: fact.id(&["org"], notes).map(Into::into),
        created: fact.time(&["created"], notes),
        plan: fact.id(&["plan"], notes),
        program: fact.id(&["program"], notes),
        assurance: fact.typed(&["assurance"], "none, email, phone, payment, business or contract", notes, |json| {
            assurance(&json.text()?)
        }),
        payment: fact.id(&["payment"], notes),
        email_domain: fact.id(&["email_domain"], notes),
        phone_country: fact.id(&["phone_country"], notes),
        status: fact.id(&["status"], notes),
        closed: fact.time(&["closed"], notes),
        cleared: fact.flag(&["cleared"], notes),
    })
}

/// What loggers write where there is no account, and how it is told; none for an account.
///
/// It stays the account of its record: where the account is a field that callers fill in, a word that made records vanish would
/// be a way to hide.
pub(crate) fn placeholder(account: &str) -> Option<&'static str> {
    let account = account.trim();
    if account.len() > PLACEHOLDER_BYTES_MAX {
        return None;
    }
    PLACEHOLDERS.into_iter().find(|placeholder| account.eq_ignore_ascii_case(placeholder))
}

/// What stands for no account.
const PLACEHOLDERS: [&str; 16] = [
    "-",
    "--",
    "?",
    "unknown",
    "null",
    "(null)",
    "<null>",
    "nil",
    "none",
    "undefined",
    "nan",
    "n/a",
    "na",
    "anonymous",
    "anon",
    "nobody",
];
/// The longest of them.
const PLACEHOLDER_BYTES_MAX: usize = 9;

/// The fields of a record that may hold its account, by their paths and never with a value; at most [`CANDIDATES_MAX`].
pub(crate) fn may_be_account(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let record = std::str::from_utf8(text).ok().and_then(|text| Json::parse(text).ok()?.object());
    if let Some(record) = record {
        find_candidates(&record, "", 1, &mut found);
    }
    found
}

fn find_candidates(object: &Object<'_>, path: &str, depth: usize, found: &mut Vec<String>) {
    for (key, value) in object.keys().filter_map(|key| Some((key, object.get(key)?))) {
        if found.len() >= CANDIDATES_MAX {
            return;
        }
        let inner = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Json::Object(object) if depth < CANDIDATE_DEPTH_MAX && is_field(key) => {
                find_candidates(object, &inner, depth + 1, found);
            }
            Json::Text(_) | Json::Unsigned(_) | Json::Signed(_) if is_candidate(key) => found.push(inner),
            _ => {}
        }
    }
}

/// Whether a key names somebody.
fn is_candidate(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    is_field(key)
        && WHO_WORDS.iter().any(|word| lower.contains(word))
        && !NOT_WHO_WORDS.iter().any(|w| lower.contains(w))
}

/// Whether a key is the name of a field and not itself an id or a secret, as in a table by customer.
fn is_field(key: &str) -> bool {
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@'));
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    plain && digits <= FIELD_DIGITS_MAX && (1..=FIELD_BYTES_MAX).contains(&key.len()) && secret_free(key.into()) == key
}

/// Words in the names of fields that say who it was.
const WHO_WORDS: [&str; 14] = [
    "account",
    "customer",
    "tenant",
    "user",
    "client",
    "org",
    "team",
    "project",
    "workspace",
    "principal",
    "caller",
    "owner",
    "subscription",
    "key",
];
/// Words in names of fields that say something else.
const NOT_WHO_WORDS: [&str; 7] = ["agent", "keyword", "content", "token", "keep", "monkey", "user_input"];
/// Fields that are told.
const CANDIDATES_MAX: usize = 6;
/// How deep they may lie.
const CANDIDATE_DEPTH_MAX: usize = 3;
/// Longer keys are no names of fields,
const FIELD_BYTES_MAX: usize = 40;
/// nor are those with more digits.
const FIELD_DIGITS_MAX: usize = 3;

fn assurance(word: &str) -> Option<Assurance> {
    Some(match word {
        "none" => Assurance::None,
        "email" => Assurance::Email,
        "phone" => Assurance::Phone,
        "payment" => Assurance::Payment,
        "business" => Assurance::Business,
        "contract" => Assurance::Contract,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_may_hold_an_account_are_named_without_their_values() {
        let record = r#"{"time":1,"cust_ref":"c","customerRef":"c-1","metadata":{"tenant":"t","tags":{"owner":7}},"userAgent":"x",
            "by":{"sk-user0123456789abcdef":{"user":"u"},"user_4711042":"x"},"user":null,"messages":[{"user":"x"}]}"#;
        assert_eq!(may_be_account(record.as_bytes()), ["customerRef", "metadata.tenant", "metadata.tags.owner"]);
        for (count, told) in [(CANDIDATES_MAX, CANDIDATES_MAX), (CANDIDATES_MAX + 1, CANDIDATES_MAX)] {
            let fields: Vec<String> = (0..count).map(|at| format!("\"user{at}\":\"x\"")).collect();
            assert_eq!(may_be_account(format!("{{{}}}", fields.join(",")).as_bytes()).len(), told);
        }
        let nested =
            |depth: usize| format!("{}{}{}", "{\"a\":".repeat(depth - 1), r#"{"user":"x"}"#, "}".repeat(depth - 1));
        assert_eq!(may_be_account(nested(CANDIDATE_DEPTH_MAX).as_bytes()), ["a.a.user"]);
        assert_eq!(may_be_account(nested(CANDIDATE_DEPTH_MAX + 1).as_bytes()).len(), 0);
        for (key, field) in [
            ("a".repeat(FIELD_BYTES_MAX), true),
            ("a".repeat(FIELD_BYTES_MAX + 1), false),
            ("a123".into(), true),
            ("a1234".into(), false),
        ] {
            assert_eq!(is_field(&key), field, "{key}");
        }
        assert_eq!(may_be_account(b"no JSON").len(), 0);
    }

    #[test]
    fn what_stands_for_no_account_is_known() {
        for account in PLACEHOLDERS {
            assert_eq!(placeholder(account), Some(account));
            assert!(account.len() <= PLACEHOLDER_BYTES_MAX);
        }
        assert_eq!([placeholder(" Unknown "), placeholder("NULL")], [Some("unknown"), Some("null")]);
        for account in ["", "a", "unknown-7", "nonesuch", "anonymous2", "-1", "acc_none"] {
            assert_eq!(placeholder(account), None, "{account}");
        }
    }
}
