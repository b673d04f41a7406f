//! What the provider knows about an account: a second, much smaller stream beside the exchanges.

use std::borrow::Cow;

use serde::Serialize;

use crate::bad::{BadRecord, Notes};
use crate::format::{each_object, required_account, required_time};
use crate::json::Fields;
use crate::{AccountId, Assurance, OrgId, Time};

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
            notes.take_damage_of(&mut object);
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
    })
}

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
