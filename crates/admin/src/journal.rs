//! From changes of control state to statements of the ledger: who changed what, and why, as far as anybody said so.
//!
//! Promises that every change that is journalled is in a statement, with the hash of what there was before and after. What was changed together
//! is told together, in statements that are bounded by [`STATEMENT_CHANGES_MAX`] and [`TOLD_BYTES_MAX`]; what is longer is told by its hash.

use serde_json::{Value, json};
use store::control::Journalled;
use verify::entry::Statement;
use verify::hash::Hash;

use crate::kind::{
    ACCOUNT, ALERT, APPEAL, CASE, CERTIFICATE, COVER, KEY, ORGANISATION, PERSON, POLICIES, QUOTA, RESPONSE, SCHEDULE,
    SUSPICION,
};
use crate::limits::{STATEMENT_CHANGES_MAX, TOLD_BYTES_MAX};

/// Kinds whose changes are journalled: all but when keys were last used, and what tells peppers apart.
pub const JOURNALLED: [&str; 14] = [
    ACCOUNT,
    ORGANISATION,
    KEY,
    CERTIFICATE,
    QUOTA,
    RESPONSE,
    APPEAL,
    COVER,
    SUSPICION,
    POLICIES,
    ALERT,
    PERSON,
    CASE,
    SCHEDULE,
];

/// Statements of changes, in the order in which these were made. Their times are for whoever appends them.
#[must_use]
pub fn statements(changes: &[Journalled]) -> Vec<Statement> {
    let together = |one: &Journalled, next: &Journalled| {
        // People's acts are told one by one, with their reasons.
        one.place.revision == next.place.revision && one.kind == next.kind && !is_signed(&one.kind)
    };
    changes.chunk_by(together).flat_map(|changes| changes.chunks(STATEMENT_CHANGES_MAX)).map(statement).collect()
}

/// Whether changes of this kind say who made them.
fn is_signed(kind: &str) -> bool {
    [RESPONSE, APPEAL].contains(&kind)
}

fn statement(changes: &[Journalled]) -> Statement {
    let first = changes.first();
    let kind = first.map_or("", |change| change.kind.as_str());
    let id = first.map_or("", |change| change.id.as_str());
    let mut told = 0;
    let rows: Vec<Value> = changes.iter().map(|change| row(change, &mut told)).collect();
    let one = first.filter(|_| changes.len() == 1);
    let (actor, reason) =
        one.or(first.filter(|change| change.actor.is_some())).map_or_else(|| (actor(kind, None), None), said);
    Statement {
        at: String::new(),
        kind: if kind == SUSPICION { "finding" } else { kind }.to_owned(),
        actor,
        reason,
        subject: match changes.len() {
            0 | 1 => format!("{kind}:{id}"),
            count => format!("{kind}:{id} and {} more", count - 1),
        },
        before: one.and_then(|change| hash(&change.before)),
        after: one.and_then(|change| hash(&change.after)),
        detail: json!({"revision": first.map(|change| change.place.revision), "changes": rows}),
    }
}

/// One change: hashes, and what it is now where that is no secret and not too long.
fn row(change: &Journalled, told: &mut usize) -> Value {
    let row = json!({"id": change.id, "before": hash(&change.before), "after": hash(&change.after)});
    // What is kept of a key is worth nothing without the pepper, and yet is not for a ledger that others may read.
    let is_secret = [KEY, CERTIFICATE, PERSON].contains(&change.kind.as_str());
    let fits = |body: &&String| !is_secret && told.saturating_add(body.len()) <= TOLD_BYTES_MAX;
    let Value::Object(mut row) = row else { return row };
    if let Some(body) = change.after.as_ref().filter(fits) {
        *told += body.len();
        row.insert("is".to_owned(), serde_json::from_str(body).unwrap_or(Value::Null));
    }
    Value::Object(row)
}

fn hash(body: &Option<String>) -> Option<String> {
    body.as_ref().map(|body| Hash::of(&[body.as_bytes()]).to_hex())
}

/// Who made a change, where nothing says more.
fn actor(kind: &str, made: Option<&Value>) -> String {
    let is_own = [COVER, SUSPICION, ALERT].contains(&kind);
    let is_discovered = made.is_some_and(|made| *at(made, "discovered") == true);
    if is_own || is_discovered { "stillwatch" } else { "admin" }.to_owned()
}

/// Who made a change, and why.
fn said(change: &Journalled) -> (String, Option<String>) {
    let read = |body: &Option<String>| -> Value {
        body.as_ref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or(Value::Null)
    };
    let (before, after) = (read(&change.before), read(&change.after));
    let by = |signed: &Value, reason: &Value| {
        let author = signed.as_str()?;
        let actor = if author.starts_with("rule:") { author.to_owned() } else { format!("person:{author}") };
        Some((actor, reason.as_str().map(str::to_owned)))
    };
    let newly = |field: &str| at(&after, field) != at(&before, field) && !at(&after, field).is_null();
    let signed = match change.kind.as_str() {
        RESPONSE if newly("undone") => by(at(at(&after, "undone"), "author"), at(at(&after, "undone"), "reason")),
        RESPONSE if newly("approval") && !before.is_null() => by(at(at(&after, "approval"), "by"), &Value::Null),
        RESPONSE => by(at(&after, "author"), at(&after, "reason")),
        APPEAL if newly("ruling") => by(at(at(&after, "ruling"), "author"), at(at(&after, "ruling"), "reason")),
        APPEAL => by(at(&after, "author"), &Value::Null),
        _ => None,
    };
    let known = || change.actor.as_ref().map(|actor| (format!("person:{actor}"), None));
    signed.or_else(known).unwrap_or_else(|| (actor(&change.kind, Some(&after).filter(|_| before.is_null())), None))
}

/// A field of an object; null where there is none.
fn at<'v>(value: &'v Value, field: &str) -> &'v Value {
    static NULL: Value = Value::Null;
    value.get(field).unwrap_or(&NULL)
}

#[cfg(test)]
mod tests {
    use store::control::Place;

    use super::*;

    fn change(revision: i64, place: i64, kind: &str, before: Option<Value>, after: Option<Value>) -> Journalled {
        let text = |body: Option<Value>| body.map(|body| body.to_string());
        Journalled {
            place: Place { revision, place },
            kind: kind.to_owned(),
            id: format!("{kind}_{place}"),
            before: text(before),
            after: text(after),
            actor: None,
        }
    }

    #[test]
    fn who_did_it_and_why_is_told_where_somebody_said_so() {
        let taken = json!({"author": "ann", "reason": "a campaign", "rung": "block", "approval": "wanted"});
        let with = |field: &str, value: Value| {
            let mut body = taken.clone();
            body[field] = value;
            body
        };
        let approved = with("approval", json!({"by": "bob"}));
        let undone = with("undone", json!({"author": "eve", "reason": "a class"}));
        let by_rule = with("author", json!("rule:large"));
        let heard = json!({"author": "ann", "text": "we are a class"});
        let decided = json!({"author": "ann", "ruling": {"author": "bob", "reason": "they are", "upheld": true}});
        let some = |text: &str| Some(text.to_owned());
        for (kind, before, after, actor, reason) in [
            (RESPONSE, None, Some(taken.clone()), "person:ann", some("a campaign")),
            (RESPONSE, None, Some(by_rule), "rule:large", some("a campaign")),
            (RESPONSE, Some(taken.clone()), Some(approved), "person:bob", None),
            (RESPONSE, Some(taken), Some(undone), "person:eve", some("a class")),
            (APPEAL, None, Some(heard.clone()), "person:ann", None),
            (APPEAL, Some(heard), Some(decided), "person:bob", some("they are")),
            (KEY, None, Some(json!({"hash": "x"})), "admin", None),
            (POLICIES, Some(json!("old")), None, "admin", None),
            (ACCOUNT, None, Some(json!({"discovered": true})), "stillwatch", None),
            (
                ACCOUNT,
                Some(json!({"discovered": true})),
                Some(json!({"discovered": true, "tier": "free"})),
                "admin",
                None,
            ),
            (SUSPICION, None, Some(json!({"strength": 7})), "stillwatch", None),
        ] {
            let told = statements(&[change(3, 0, kind, before, after)]);
            assert_eq!((told.len(), told[0].actor.as_str(), &told[0].reason), (1, actor, &reason), "{kind}");
        }
    }

    #[test]
    fn what_was_before_and_after_is_told_by_its_hash_and_no_secret_in_clear() {
        let (old, new) = (json!({"hash": "secret", "n": 1}), json!({"hash": "secret", "n": 2}));
        let told = statements(&[change(3, 0, KEY, Some(old.clone()), Some(new.clone()))]);
        let hash = |body: &Value| Some(Hash::of(&[body.to_string().as_bytes()]).to_hex());
        assert_eq!((&told[0].before, &told[0].after), (&hash(&old), &hash(&new)));
        assert_eq!(told[0].subject, "key:key_0");
        assert!(!told[0].detail.to_string().contains("secret"), "{}", told[0].detail);
        let quota = statements(&[change(3, 0, QUOTA, None, Some(json!({"amount": 7})))]);
        assert_eq!(quota[0].detail["changes"][0]["is"]["amount"], 7);
    }

    #[test]
    fn what_was_changed_together_is_told_together_as_far_as_the_limits_go() {
        let of = |count: usize| -> Vec<Journalled> {
            (0..count as i64).map(|place| change(3, place, SUSPICION, None, Some(json!({"n": place})))).collect()
        };
        let told = statements(&of(STATEMENT_CHANGES_MAX));
        assert_eq!((told.len(), told[0].kind.as_str()), (1, "finding"));
        assert_eq!(told[0].subject, format!("suspicion:suspicion_0 and {} more", STATEMENT_CHANGES_MAX - 1));
        assert_eq!(statements(&of(STATEMENT_CHANGES_MAX + 1)).len(), 2);
        let mut other = of(2);
        other.push(change(4, 0, SUSPICION, None, None));
        other.push(change(4, 1, COVER, None, None));
        assert_eq!(statements(&other).len(), 3);
        // Of what is too long only the hash is told.
        let quote = |bytes: usize| Some(Value::String("x".repeat(bytes - 2)));
        let fits = statements(&[change(3, 0, QUOTA, None, quote(TOLD_BYTES_MAX))]);
        assert!(fits[0].detail["changes"][0]["is"].is_string());
        let long = statements(&[change(3, 0, QUOTA, None, quote(TOLD_BYTES_MAX + 1))]);
        assert!(long[0].detail["changes"][0]["is"].is_null() && long[0].after.is_some());
    }
}
