//! What rules look at of a running gateway, asked for over its admin API.

use audit::facts::{Control, Key, Person, Quota, QuotaOf, Stranger, Unit};
use exchange::{Assurance, Time};
use policy::account::{Account, Tier};
use policy::directory::Directory;
use policy::permit::Permits;
use policy::policies::Subject;
use serde_json::{Value, json};

use crate::admin_client::AdminClient;
use crate::command::policy::in_force;
use crate::failure::Failure;

/// Tiers that anybody gets, by signing up or by paying. The others come with a contract, and whoever has one is known.
const TIERS: [Tier; 2] = [Tier::Free, Tier::Standard];

/// The facts of a running gateway.
pub(super) fn facts(client: &AdminClient, now: Time) -> Result<Control, Failure> {
    let status = client.ask(hyper::Method::GET, "/api/v1/status", None)?;
    let keys = client.all("/api/v1/keys", "keys")?;
    let quotas = client.all("/api/v1/quotas", "quotas")?;
    let people = client.all("/api/v1/people", "people")?;
    let appeals = client.all("/api/v1/appeals", "appeals")?;
    let is_open = |appeal: &&Value| appeal.get("ruling").is_none_or(Value::is_null);
    Ok(Control {
        accounts: status.get("accounts").and_then(Value::as_u64).unwrap_or_default(),
        keys: keys.iter().filter(|key| text(key, "state") == "active").filter_map(key).collect(),
        quotas: quotas.iter().filter_map(quota).collect(),
        strangers: strangers(&in_force(client)?, now)?,
        people: people
            .iter()
            .filter(|person| person.get("ended").is_none_or(|ended| ended.is_null() || ended == false))
            .map(person)
            .collect(),
        open_appeals: appeals.iter().filter(is_open).filter_map(|appeal| time(appeal, "since")).collect(),
    })
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn time(value: &Value, name: &str) -> Option<Time> {
    value.get(name)?.as_str()?.parse().ok()
}

fn key(value: &Value) -> Option<Key> {
    let is_empty = |name: &str| {
        let part = value.pointer(&format!("/scope/{name}"));
        part.is_none_or(|part| part.is_null() || part.as_array().is_some_and(Vec::is_empty))
    };
    let all_actions = value
        .pointer("/scope/actions")
        .and_then(Value::as_array)
        .is_none_or(|actions| actions.len() == policy::Action::ALL.len());
    Some(Key {
        id: text(value, "id").to_owned(),
        account: text(value, "account").to_owned(),
        created: time(value, "created")?,
        expires: time(value, "expires"),
        used: time(value, "last_used"),
        is_bound: value.get("binding").is_some_and(|binding| !binding.is_null()),
        is_scoped: !(is_empty("models") && is_empty("networks") && all_actions),
    })
}

fn quota(value: &Value) -> Option<Quota> {
    Some(Quota {
        id: text(value, "id").to_owned(),
        of: match value.get("of").and_then(Value::as_str) {
            Some("each_key") => QuotaOf::EachKey,
            Some("each_account") => QuotaOf::EachAccount,
            Some("each_organisation") => QuotaOf::EachOrganisation,
            Some("each_payment_group") => QuotaOf::EachPaymentGroup,
            Some("everybody") => QuotaOf::Everybody,
            _ => QuotaOf::Some,
        },
        unit: match text(value, "unit") {
            "requests" => Unit::Requests,
            "tokens" => Unit::Tokens,
            _ => Unit::Cost,
        },
        amount: value.get("amount")?.as_u64()?,
        seconds: match text(value, "per") {
            "second" => 1,
            "minute" => 60,
            "hour" => 3_600,
            "day" => 86_400,
            _ => 30 * 86_400,
        },
        except_high_rate: value.get("except_high_rate").and_then(Value::as_bool).unwrap_or_default(),
    })
}

fn person(value: &Value) -> Person {
    let must_change = value.get("must_change").and_then(Value::as_bool).unwrap_or_default();
    Person {
        name: text(value, "name").to_owned(),
        role: text(value, "role").to_owned(),
        first_password_since: time(value, "changed").filter(|_| must_change),
    }
}

/// What an account of each tier may do of which nobody knows anything.
fn strangers(permits: &Permits, now: Time) -> Result<Vec<Stranger>, Failure> {
    let directory = Directory::default();
    let of = |tier: Tier| {
        let account = json!({"id": "acc_stranger", "tier": tier, "assurance": Assurance::None, "created": now});
        let account: Account = serde_json::from_value(account).map_err(Failure::unreadable)?;
        let decision = permits.policies().decide(&Subject::of(&account, &directory, None, now));
        let tier =
            serde_json::to_value(tier).ok().and_then(|tier| tier.as_str().map(str::to_owned)).unwrap_or_default();
        let actions = policy::Action::ALL.into_iter().filter(|action| decision.allowed.has(*action));
        Ok(Stranger { tier, actions: actions.map(|action| action.name().to_owned()).collect() })
    };
    TIERS.into_iter().map(of).collect()
}
