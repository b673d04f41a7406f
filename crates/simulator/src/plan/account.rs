//! An account, and what is known of it.

use exchange::{Assurance, Operation};

use crate::arrival::Ms;
use crate::network::{Country, Place, Software};
use crate::role::Role;
use crate::scenario::Language;

/// Who an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Honest(Role),
    Campaign(u32),
}

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Names its own randomness and ids.
    pub seed: u64,
    pub label: Label,
    pub country: &'static Country,
    pub language: Language,
    /// The first is the usual one.
    pub places: Vec<Place>,
    /// Whether each request leaves by another place, rather than each session.
    pub rotates: bool,
    pub software: Software,
    pub settings: Settings,
    pub logged: Logged,
    pub operation: Operation,
    /// Index of the usual model.
    pub model: u8,
    pub adoption: Adoption,
    pub keys: u32,
    /// The customer's own users that it names; 0 when it names none.
    pub end_users: u32,
    pub facts: Facts,
}

/// Decoding settings an account sends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub max_tokens: Option<u32>,
    pub n: Option<u32>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<u32>,
    pub seed: Option<i64>,
    pub stream: Option<bool>,
    pub reasoning_effort: Option<&'static str>,
}

/// Which optional fields show in this account's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub session: bool,
    pub ja4: bool,
    pub user_agent: bool,
    pub asn: bool,
    pub duration: bool,
    pub payment: bool,
    pub phone: bool,
    pub plan: bool,
}

/// When an account takes up a new model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Adoption {
    /// After the release.
    pub after: Ms,
}

/// What is known of the account.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Negative before the scenario starts.
    pub created: Ms,
    pub org: Option<u64>,
    pub plan: &'static str,
    pub program: &'static str,
    pub assurance: Assurance,
    pub payment: Option<u64>,
    pub email_domain: String,
    pub phone_country: &'static str,
    pub closed: Option<Ms>,
}
