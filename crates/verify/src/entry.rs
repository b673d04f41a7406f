//! Entries of a ledger, and the statements that they commit to.
//!
//! An entry holds when something was said, of what kind it is, and a salted hash of the statement. The statement and its salt are kept apart:
//! without the salt nobody can tell from the entry what was said, so that both can be destroyed and the log stays whole.
//! Promises that an entry has one way to be written, and that a statement counts only with the entry that commits to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::civil;
use crate::hash::{Hash, from_hex, to_hex};
use crate::limits::KIND_BYTES_MAX;

/// The bytes of a salt.
pub const SALT_BYTES: usize = 32;

/// A time in UTC to the nanosecond, always written alike, so that texts compare as times: `2026-03-01T09:12:30.123456789Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EntryTime(String);

impl EntryTime {
    /// The time that a text in this form says.
    #[must_use]
    pub fn parse(text: &str) -> Option<EntryTime> {
        const FORM: &[u8] = b"0000-00-00T00:00:00.000000000Z";
        let is_digit = |(byte, form): (u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form };
        let is_fine = text.len() == FORM.len() && text.bytes().zip(FORM).all(is_digit);
        is_fine.then(|| EntryTime(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Seconds since 1970; none where there is no such time.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        civil::seconds(&self.0)
    }
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was made, by the clock of whoever made it. Never before the entry before it.
    pub at: EntryTime,
    /// What kind of statement it commits to, in small letters, digits and `_`.
    pub kind: String,
    /// The salted hash of the statement.
    pub hash: Hash,
}

/// The fields in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: String,
    hash: String,
    kind: String,
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of a ledger; expected `{{\"at\":…,\"hash\":…,\"kind\":…}}` without white space")]
pub struct NotAnEntry;

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    ///
    /// When it is none, or is written in another way.
    pub fn parse(bytes: &[u8]) -> Result<Entry, NotAnEntry> {
        let written: Written = serde_json::from_slice(bytes).map_err(|_| NotAnEntry)?;
        let (Some(at), Some(hash)) = (EntryTime::parse(&written.at), Hash::from_hex(&written.hash)) else {
            return Err(NotAnEntry);
        };
        let entry = Entry { at, kind: written.kind, hash };
        if is_kind(&entry.kind) && entry.bytes() == bytes { Ok(entry) } else { Err(NotAnEntry) }
    }

    /// As it is written in the log.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Nothing in it has to be escaped.
        format!(r#"{{"at":"{}","hash":"{}","kind":"{}"}}"#, self.at.0, self.hash.to_hex(), self.kind).into_bytes()
    }
}

/// Whether a kind of statements can have this name.
#[must_use]
pub fn is_kind(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=KIND_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_fine)
}

/// Who did what, when and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// When.
    pub at: String,
    /// Of what kind it is.
    pub kind: String,
    /// Who: `person:NAME`, `rule:NAME`, `admin` for whoever holds the admin credential, or `stillwatch`.
    pub actor: String,
    /// Why, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is about: `account:ID`, `campaign:ID` and the like.
    pub subject: String,
    /// SHA-256 of what there was before, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// SHA-256 of what there is from then on, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What besides, by the kind.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// What opens an entry: the statement as it was hashed, and its salt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The salt, in hexadecimal digits.
    salt: String,
    /// The statement.
    statement: Box<RawValue>,
}

/// Why a statement does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadOpening {
    /// It cannot be read.
    #[error("the statement or its salt cannot be read")]
    Malformed,
    /// It is not what was logged.
    #[error("the statement is not the one that was logged: it or its salt was changed")]
    OtherHash,
    /// It says another time or kind than its entry.
    #[error("the statement says another {0} than its entry")]
    OtherField(&'static str),
}

impl Opening {
    /// Opens an entry that will be made of it.
    ///
    /// # Errors
    ///
    /// When the statement cannot be written.
    pub fn new(statement: &Statement, salt: &[u8; SALT_BYTES]) -> Result<Opening, BadOpening> {
        let statement = serde_json::value::to_raw_value(statement).map_err(|_| BadOpening::Malformed)?;
        Ok(Opening { salt: to_hex(salt), statement })
    }

    /// How long the statement is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.statement.get().len()
    }

    /// What its entry commits to.
    ///
    /// # Errors
    ///
    /// When the salt is none.
    pub fn hash(&self) -> Result<Hash, BadOpening> {
        let salt: [u8; SALT_BYTES] = from_hex(&self.salt).ok_or(BadOpening::Malformed)?;
        Ok(Hash::of(&[&salt, self.statement.get().as_bytes()]))
    }

    /// The statement, where `entry` commits to it.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn check(&self, entry: &Entry) -> Result<Statement, BadOpening> {
        if self.hash()? != entry.hash {
            return Err(BadOpening::OtherHash);
        }
        let statement: Statement = serde_json::from_str(self.statement.get()).map_err(|_| BadOpening::Malformed)?;
        if statement.at != entry.at.0 {
            return Err(BadOpening::OtherField("time"));
        }
        if statement.kind != entry.kind {
            return Err(BadOpening::OtherField("kind"));
        }
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-03-01T09:12:30.123456789Z";

    fn statement() -> Statement {
        Statement {
            at: AT.to_owned(),
            kind: "verdict".to_owned(),
            actor: "person:ann".to_owned(),
            reason: Some("a class".to_owned()),
            subject: "campaign:cmp_1".to_owned(),
            before: None,
            after: Some(Hash::of(&[b"x"]).to_hex()),
            detail: Value::Null,
        }
    }

    fn entry(opening: &Opening) -> Entry {
        Entry { at: EntryTime::parse(AT).unwrap(), kind: "verdict".to_owned(), hash: opening.hash().unwrap() }
    }

    #[test]
    fn an_entry_has_one_way_to_be_written() {
        let entry = entry(&Opening::new(&statement(), &[7; SALT_BYTES]).unwrap());
        let text = String::from_utf8(entry.bytes()).unwrap();
        assert_eq!(Entry::parse(text.as_bytes()), Ok(entry));
        for wrong in [
            text.replace(":", ": "),
            text.replace("verdict", "Verdict"),
            text.replace("Z\"", "+00:00\""),
            text.replace(".123456789", ".123"),
            text.replace('}', ",\"more\":1}"),
            text.replace("kind", "kin\\u0064"),
            text.replace("hash\":\"", "hash\":\"0"),
            format!("{text}\n"),
            String::new(),
        ] {
            assert_eq!(Entry::parse(wrong.as_bytes()), Err(NotAnEntry), "{wrong}");
        }
    }

    #[test]
    fn the_longest_kind_is_one_and_a_longer_one_is_not() {
        assert!(is_kind(&"k".repeat(KIND_BYTES_MAX)));
        assert!(!is_kind(&"k".repeat(KIND_BYTES_MAX + 1)) && !is_kind(""));
    }

    #[test]
    fn a_statement_counts_only_with_the_entry_that_commits_to_it() {
        let opening = Opening::new(&statement(), &[7; SALT_BYTES]).unwrap();
        let entry = entry(&opening);
        assert_eq!(opening.check(&entry), Ok(statement()));
        let other = |change: &dyn Fn(&mut Statement)| {
            let mut other = statement();
            change(&mut other);
            Opening::new(&other, &[7; SALT_BYTES]).unwrap()
        };
        assert_eq!(other(&|one| one.actor = "person:bob".to_owned()).check(&entry), Err(BadOpening::OtherHash));
        assert_eq!(Opening::new(&statement(), &[8; SALT_BYTES]).unwrap().check(&entry), Err(BadOpening::OtherHash));
        // One who makes an entry cannot have it say one thing and its statement another.
        for (change, field) in [
            (&(|one: &mut Statement| one.kind = "export".to_owned()) as &dyn Fn(&mut Statement), "kind"),
            (&|one: &mut Statement| one.at = AT.replace("2026", "2025"), "time"),
        ] {
            let backdated = other(change);
            let entry = Entry { hash: backdated.hash().unwrap(), ..entry.clone() };
            assert_eq!(backdated.check(&entry), Err(BadOpening::OtherField(field)));
        }
    }

    #[test]
    fn an_opening_is_read_as_it_was_written_to_the_byte() {
        let opening = Opening::new(&statement(), &[7; SALT_BYTES]).unwrap();
        let text = serde_json::to_string(&opening).unwrap();
        let read: Opening = serde_json::from_str(&text).unwrap();
        assert_eq!(read.hash(), opening.hash());
    }
}
