//! Families of fields that a log may lack.
//!
//! Promises that what is taken away is absent from every record and fact alike, whoever they are of: a world without a
//! family of fields differs from the same world with it in nothing else.

use exchange::{AccountFact, Client, Exchange, Params, Response, Time, Usage};
use serde::{Deserialize, Serialize};

/// Fields that belong together: a deployment logs all of them or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fields {
    /// Addresses, systems, countries and kinds of network.
    Network,
    /// Client software and TLS fingerprints.
    Client,
    /// Sessions, keys and the customer's own users.
    Sessions,
    /// Decoding settings and tools.
    Settings,
    /// What the model said, and why it stopped.
    Answers,
    /// Token counts, status and duration.
    Usage,
    /// Payment instruments, plans, programs and assurance.
    Payment,
    /// Mail domains and phone countries.
    Mail,
    /// When accounts were made.
    SignUp,
    /// Everything that is known of accounts besides their exchanges.
    Facts,
    /// The time of day: of every time the date is left.
    TimeOfDay,
}

impl Fields {
    /// Every family.
    pub const ALL: [Fields; 11] = [
        Fields::Network,
        Fields::Client,
        Fields::Sessions,
        Fields::Settings,
        Fields::Answers,
        Fields::Usage,
        Fields::Payment,
        Fields::Mail,
        Fields::SignUp,
        Fields::Facts,
        Fields::TimeOfDay,
    ];

    /// Its name, as knobs and files have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fields::Network => "network",
            Fields::Client => "client",
            Fields::Sessions => "sessions",
            Fields::Settings => "settings",
            Fields::Answers => "answers",
            Fields::Usage => "usage",
            Fields::Payment => "payment",
            Fields::Mail => "mail",
            Fields::SignUp => "sign_up",
            Fields::Facts => "facts",
            Fields::TimeOfDay => "time_of_day",
        }
    }

    /// Takes the family out of a record.
    pub fn leave(self, exchange: &mut Exchange<'_>) {
        match self {
            Fields::Network => {
                let client = std::mem::take(&mut exchange.client);
                exchange.client =
                    Client { ja4: client.ja4, ja4h: client.ja4h, user_agent: client.user_agent, ..Client::default() };
            }
            Fields::Client => {
                let client = std::mem::take(&mut exchange.client);
                exchange.client = Client { ja4: None, ja4h: None, user_agent: None, ..client };
            }
            Fields::Sessions => {
                exchange.session = None;
                exchange.key = None;
                exchange.end_user = None;
            }
            Fields::Settings => {
                exchange.request.params = Params::default();
                exchange.request.tools.clear();
            }
            Fields::Answers => exchange.response = Response::default(),
            Fields::Usage => {
                exchange.usage = Usage::default();
                exchange.status = None;
                exchange.duration_ms = None;
            }
            Fields::TimeOfDay => exchange.time = date(exchange.time),
            Fields::Facts => exchange.org = None,
            Fields::Payment | Fields::Mail | Fields::SignUp => {}
        }
    }

    /// Takes the family out of a fact; `None` when nothing is left of it.
    #[must_use]
    pub fn leave_fact(self, mut fact: AccountFact<'_>) -> Option<AccountFact<'_>> {
        match self {
            Fields::Payment => {
                fact = AccountFact { payment: None, plan: None, program: None, assurance: None, ..fact };
            }
            Fields::Mail => fact = AccountFact { email_domain: None, phone_country: None, ..fact },
            Fields::SignUp => fact.created = None,
            Fields::Facts => return None,
            Fields::TimeOfDay => {
                fact.time = date(fact.time);
                fact.created = fact.created.map(date);
                fact.closed = fact.closed.map(date);
            }
            Fields::Network
            | Fields::Client
            | Fields::Sessions
            | Fields::Settings
            | Fields::Answers
            | Fields::Usage => {}
        }
        Some(fact)
    }
}

/// Midnight of the day.
fn date(time: Time) -> Time {
    Time::from_nanos(time.nanos().div_euclid(DAY_NANOS) * DAY_NANOS)
}

const DAY_NANOS: i64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files() {
        for fields in Fields::ALL {
            assert_eq!(serde_json::to_value(fields).unwrap(), fields.name());
        }
    }
}
