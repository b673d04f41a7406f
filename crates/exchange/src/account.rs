//! What the provider knows about an account: a second, much smaller stream beside the exchanges.

use std::borrow::Cow;

use crate::{AccountId, Assurance, OrgId, Time};

/// One line of `accounts.jsonl`: the state of an account from `time` on. Later lines replace earlier ones field by field.
///
/// `payment`, `email_domain` and the like are opaque fingerprints chosen by the provider: equal strings mean equal things.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountFact<'a> {
    /// From when on this holds.
    pub time: Time,
    /// The account.
    pub account: AccountId<'a>,
    /// The verified organisation it belongs to.
    pub org: Option<OrgId<'a>>,
    /// When it signed up.
    pub created: Option<Time>,
    /// The plan it is on.
    pub plan: Option<Cow<'a, str>>,
    /// The programme it came through (none, education, research, startup, trial, partner).
    pub program: Option<Cow<'a, str>>,
    /// How well it is known.
    pub assurance: Option<Assurance>,
    /// The payment instrument.
    pub payment: Option<Cow<'a, str>>,
    /// The mail domain it signed up with.
    pub email_domain: Option<Cow<'a, str>>,
    /// The country of its telephone number, ISO 3166-1 alpha-2.
    pub phone_country: Option<Cow<'a, str>>,
    /// Its status, as the provider writes it (active, suspended, closed).
    pub status: Option<Cow<'a, str>>,
    /// When it was closed.
    pub closed: Option<Time>,
}
