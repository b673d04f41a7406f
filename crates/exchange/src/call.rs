//! What one record gave: a model call, or facts about one that stands in another record.

use crate::bad::Damages;
use crate::format::Format;
use crate::place::{Half, Span};
use crate::record::Exchange;

/// A model call as it was read, with what is needed to see that several records are about the same one.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    /// The exchange.
    pub exchange: Exchange<'a>,
    /// The format of its record.
    pub format: Format,
    /// As what the account was found.
    pub who: Who,
    /// Whether it is a model call; otherwise it only holds facts for calls of the same trace.
    pub is_call: bool,
    /// Whether it is one only where no call is within it: a span around calls, of a source that may log the outer ones alone.
    pub is_outer: bool,
    /// Whether it failed, so that another attempt may follow.
    pub failed: bool,
    /// Ids that all attempts at this call have in common, beside the account and what was asked.
    pub attempts: Vec<String>,
    /// Whether an equal request soon after it is another attempt at it, where it was throttled.
    pub repeats: bool,
    /// Which part of a call its record holds, where another record holds the rest.
    pub half: Option<Half>,
    /// Where it stands among the spans of its trace.
    pub span: Option<Span>,
    /// What was wrong with its record.
    pub(crate) damage: Damages,
}

/// As what an account was found, surest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// An account, by its name or by `--account`.
    Account,
    /// A user of the provider.
    User,
    /// A credential.
    Key,
    /// A team or project.
    Team,
    /// An organisation.
    Org,
    /// The caller's own user: whoever holds the credential decides what stands here.
    EndUser,
    /// The service that wrote the record, which is the same for everybody behind it.
    Service,
    /// Not at all.
    #[default]
    Nobody,
}

impl Who {
    /// Every one, surest first.
    pub const ALL: [Who; 8] =
        [Who::Account, Who::User, Who::Key, Who::Team, Who::Org, Who::EndUser, Who::Service, Who::Nobody];

    /// In a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Who::Account => "account",
            Who::User => "user",
            Who::Key => "key",
            Who::Team => "team",
            Who::Org => "organisation",
            Who::EndUser => "end user",
            Who::Service => "service name",
            Who::Nobody => "nobody",
        }
    }
}

impl<'a> Call<'a> {
    /// A call that stands in one record alone.
    pub(crate) fn alone(exchange: Exchange<'a>, who: Who) -> Self {
        let failed = exchange.status.is_some_and(|status| status >= 400);
        Call {
            exchange,
            format: Format::Native,
            who,
            is_call: true,
            is_outer: false,
            failed,
            attempts: Vec::new(),
            repeats: false,
            half: None,
            span: None,
            damage: Damages::default(),
        }
    }
}
