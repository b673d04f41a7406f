//! What is allowed: Cedar policies over accounts and models, checked against a strict schema when they are read.
//!
//! Promises that whatever is not plain is denied: no policy that the schema does not allow is ever in a set, and an
//! action at whose decision any policy failed is denied, although Cedar itself would skip that policy. Every policy has
//! a name of its own, so that a decision can say which one made it. Bounded by [`POLICIES_BYTES_MAX`] and
//! [`POLICIES_MAX`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Decision as Answer, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use exchange::{Assurance, Time};
use miette::Diagnostic;
use schemars::JsonSchema;
use serde::Serialize;

use crate::account::{Account, Organisation};
use crate::action::{Action, Actions};
use crate::directory::Directory;
use crate::limits::{NESTING_MAX, OPERATORS_MAX, POLICIES_BYTES_MAX, POLICIES_MAX};
use crate::response::Force;
use crate::suspicion::Suspicion;

/// What policies can look at, as Cedar writes schemas.
pub const SCHEMA: &str = include_str!("../policies/schema.cedarschema");
/// The policies that hold where the operator applied none.
pub const DEFAULT: &str = include_str!("../policies/default.cedar");
/// The model of requests that name none.
const NO_MODEL: &str = "*";

/// A set of policies that holds together.
pub struct Policies {
    text: Arc<str>,
    set: PolicySet,
    /// What each action is called in requests, in the order of [`Action::ALL`].
    actions: Vec<(Action, EntityUid)>,
    types: Types,
    schema: Schema,
    authorizer: Authorizer,
}

impl fmt::Debug for Policies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} policies", self.set.num_of_policies())
    }
}

/// The names of what requests are made of, parsed once.
struct Types {
    account: EntityTypeName,
    organisation: EntityTypeName,
    model: EntityTypeName,
    tier: EntityTypeName,
    programme: EntityTypeName,
    rung: EntityTypeName,
}

/// Who asks which model, as policies see it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who asks.
    pub account: &'a Account,
    /// The organisation that it belongs to.
    pub organisation: Option<&'a Organisation>,
    /// What the responses come to that cover it now.
    pub force: Force,
    /// What detection says of it.
    pub suspicion: Option<&'a Suspicion>,
    /// The model; none where the request names none.
    pub model: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// An account that asks for `model` at `now`, with what `directory` knows of it.
    #[must_use]
    pub fn of(account: &'a Account, directory: &'a Directory, model: Option<&'a str>, now: Time) -> Subject<'a> {
        let organisation = account.organisation.as_ref().and_then(|id| directory.organisation(id));
        Subject {
            account,
            organisation: organisation.map(AsRef::as_ref),
            force: directory.responses_to(&account.id).force(now),
            suspicion: directory.suspicion_of(account).map(AsRef::as_ref),
            model,
        }
    }

    /// How well it is known: itself or its organisation, whichever is more.
    fn assurance(&self) -> Assurance {
        let organisation = self.organisation.map(|organisation| organisation.assurance).unwrap_or_default();
        self.account.assurance.max(organisation)
    }

    /// Whether it is known as well as the responses that cover it ask for.
    fn is_verified(&self) -> bool {
        self.assurance() >= self.force.assurance
    }
}

/// What a subject may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is allowed.
    pub allowed: Actions,
    /// What is denied only until the account shows better who it is.
    pub after_verification: Actions,
    /// What is denied because a policy failed.
    pub failed: Actions,
}

/// Why one action is allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// Which.
    pub action: Action,
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policies that decided so, by their names; none where no policy permits it.
    pub policies: Vec<String>,
    /// What failed; then it is denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// Something that is wrong with policies, or looks so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The line, from 1; 0 where it is about all of them.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(out, "line {}, column {}: ", self.line, self.column)?;
        }
        out.write_str(&self.message)
    }
}

/// Policies that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policies cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadPolicies(pub Vec<Problem>);

/// What makes an assurance comparable; in the schema's words.
const fn level(assurance: Assurance) -> i64 {
    match assurance {
        Assurance::None => 0,
        Assurance::Email => 1,
        Assurance::Phone => 2,
        Assurance::Payment => 3,
        Assurance::Business => 4,
        Assurance::Contract => 5,
    }
}

/// The line of the first policy that is nested so deeply that whatever reads it would run out of its stack, which ends the process.
/// Looks at letters only: what stands in texts and in comments counts for nothing.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut branches, mut operators) = (0_usize, 0_usize, 0_usize);
    let mut rest = text.char_indices().peekable();
    let mut word = String::new();
    while let Some((at, c)) = rest.next() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        match word.as_str() {
            "if" => branches += 1,
            "has" | "in" | "like" | "is" => operators += 1,
            _ => {}
        }
        word.clear();
        match c {
            '"' => {
                while let Some((_, within)) = rest.next() {
                    match within {
                        '\\' => drop(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                while rest.next_if(|(_, within)| *within != '\n').is_some() {}
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '&' | '|' | '=' | '<' | '>' | '!' | '+' | '-' | '*' | '.' => operators += 1,
            ';' => (depth, branches, operators) = (0, 0, 0),
            _ => {}
        }
        if depth + branches > NESTING_MAX || operators > OPERATORS_MAX {
            return Some(1 + text.get(..at).unwrap_or_default().matches('\n').count());
        }
    }
    None
}

impl Policies {
    /// Reads policies, and checks each against the schema.
    ///
    /// # Errors
    ///
    /// Says everything that is wrong with them.
    pub fn parse(text: &str) -> Result<Policies, BadPolicies> {
        Policies::checked(text).map(|(policies, _)| policies)
    }

    /// As [`Policies::parse`], with what is allowed and looks like a mistake.
    ///
    /// # Errors
    ///
    /// As [`Policies::parse`].
    pub fn checked(text: &str) -> Result<(Policies, Vec<Problem>), BadPolicies> {
        if text.len() > POLICIES_BYTES_MAX {
            return Err(alone(format!("{} bytes; expected at most {POLICIES_BYTES_MAX}", text.len())));
        }
        if let Some(line) = too_deep(text) {
            return Err(BadPolicies(vec![Problem {
                line,
                column: 1,
                message: format!(
                    "a policy that is nested too deeply; expected at most {NESTING_MAX} brackets within each other and `if`s, and {OPERATORS_MAX} operators"
                ),
            }]));
        }
        let schema = schema()?;
        let parsed: PolicySet =
            text.parse().map_err(|errors: cedar_policy::ParseErrors| BadPolicies(problems(text, errors.iter())))?;
        let set = named(&parsed)?;
        let validator = Validator::new(schema);
        let result = validator.validate(&set, ValidationMode::Strict);
        let wrong = problems(text, result.validation_errors());
        if !wrong.is_empty() {
            return Err(BadPolicies(wrong));
        }
        let warnings = problems(text, result.validation_warnings());
        let types = Types::new()?;
        let actions = actions()?;
        let schema = validator.schema().clone();
        let policies = Policies { text: text.into(), set, actions, types, schema, authorizer: Authorizer::new() };
        Ok((policies, warnings))
    }

    /// The text that they were read from.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.num_of_policies()
    }

    /// Whether there is none, so that everything is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `subject` may do.
    #[must_use]
    pub fn decide(&self, subject: &Subject<'_>) -> Decision {
        let (allowed, failed) = self.allowed(subject);
        let mut decision = Decision { allowed, after_verification: Actions::NONE, failed };
        if !subject.is_verified() {
            let verified = Subject { force: Force { assurance: Assurance::None, ..subject.force }, ..*subject };
            decision.after_verification = self.allowed(&verified).0.minus(allowed);
        }
        decision
    }

    /// What is allowed, and what is denied because a policy failed.
    fn allowed(&self, subject: &Subject<'_>) -> (Actions, Actions) {
        let (mut allowed, mut failed) = (Actions::NONE, Actions::NONE);
        let scene = self.scene(subject);
        for (action, name) in &self.actions {
            match scene.as_ref().and_then(|scene| self.ask(scene, name)) {
                Some(answer) if answer.diagnostics().errors().next().is_none() => {
                    if answer.decision() == Answer::Allow {
                        allowed = allowed.with(*action);
                    }
                }
                _ => failed = failed.with(*action),
            }
        }
        (allowed, failed)
    }

    /// Why `subject` may do each action or not.
    #[must_use]
    pub fn explain(&self, subject: &Subject<'_>) -> Vec<Explanation> {
        let scene = self.scene(subject);
        let explained = self.actions.iter().map(|(action, name)| {
            let Some(answer) = scene.as_ref().and_then(|scene| self.ask(scene, name)) else {
                let failures = vec!["the request cannot be put to the policies".to_owned()];
                return Explanation { action: *action, allowed: false, policies: Vec::new(), failures };
            };
            let failures: Vec<String> = answer.diagnostics().errors().map(ToString::to_string).collect();
            let policies: BTreeSet<String> = answer.diagnostics().reason().map(ToString::to_string).collect();
            let allowed = failures.is_empty() && answer.decision() == Answer::Allow;
            Explanation { action: *action, allowed, policies: policies.into_iter().collect(), failures }
        });
        explained.collect()
    }

    fn ask(&self, scene: &Scene, action: &EntityUid) -> Option<cedar_policy::Response> {
        let (principal, resource) = (scene.principal.clone(), scene.resource.clone());
        let request = Request::new(principal, action.clone(), resource, Context::empty(), Some(&self.schema)).ok()?;
        Some(self.authorizer.is_authorized(&request, &self.set, &scene.entities))
    }

    /// What a subject is in Cedar's words; none where that cannot be said, which no value of ours leads to.
    fn scene(&self, subject: &Subject<'_>) -> Option<Scene> {
        let Types { account, organisation, model, tier, programme, rung } = &self.types;
        let of = |kind: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let one = |kind: &EntityTypeName, id: &str| RestrictedExpression::new_entity_uid(of(kind, id));
        let word = |word: serde_json::Result<serde_json::Value>| word.ok()?.as_str().map(str::to_owned);
        let asker = subject.account;
        let mut attributes = HashMap::from([
            ("tier".to_owned(), one(tier, &word(serde_json::to_value(asker.tier))?)),
            ("programme".to_owned(), one(programme, &word(serde_json::to_value(asker.programme))?)),
            ("assurance".to_owned(), RestrictedExpression::new_long(level(subject.assurance()))),
            ("rung".to_owned(), one(rung, subject.force.rung.name())),
            ("verified".to_owned(), RestrictedExpression::new_bool(subject.is_verified())),
        ]);
        if let Some(region) = &asker.region {
            attributes.insert("region".to_owned(), RestrictedExpression::new_string(region.clone()));
        }
        if let Some(suspicion) = subject.suspicion {
            attributes.insert("suspicion".to_owned(), told(suspicion)?);
        }
        let parent = asker.organisation.as_ref().map(|id| of(organisation, id.as_str()));
        let principal = of(account, asker.id.as_str());
        let name = subject.model.unwrap_or(NO_MODEL);
        let resource = of(model, name);
        let named = HashMap::from([("name".to_owned(), RestrictedExpression::new_string(name.to_owned()))]);
        let mut entities = vec![
            Entity::new(principal.clone(), attributes, parent.iter().cloned().collect()).ok()?,
            Entity::new(resource.clone(), named, HashSet::default()).ok()?,
        ];
        entities.extend(parent.map(|parent| Entity::new_no_attrs(parent, HashSet::default())));
        let entities = Entities::from_entities(entities, None).ok()?;
        Some(Scene { principal, resource, entities })
    }
}

/// What detection says, in Cedar's words.
fn told(suspicion: &Suspicion) -> Option<RestrictedExpression> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let number = RestrictedExpression::new_long;
    let fields = [
        ("campaign", text(&suspicion.campaign)),
        ("strength", number(suspicion.strength)),
        ("probability", number(suspicion.probability)),
        ("since", number(suspicion.since.seconds())),
        ("rival", text(&suspicion.rival)),
    ];
    RestrictedExpression::new_record(fields.map(|(name, value)| (name.to_owned(), value))).ok()
}

/// A subject in Cedar's words.
struct Scene {
    principal: EntityUid,
    resource: EntityUid,
    entities: Entities,
}

impl Types {
    fn new() -> Result<Types, BadPolicies> {
        let name = |text: &str| text.parse().map_err(|_| alone(format!("`{text}` is no name of a type")));
        Ok(Types {
            account: name("Account")?,
            organisation: name("Organisation")?,
            model: name("Model")?,
            tier: name("Tier")?,
            programme: name("Programme")?,
            rung: name("Rung")?,
        })
    }
}

fn actions() -> Result<Vec<(Action, EntityUid)>, BadPolicies> {
    let kind: EntityTypeName = "Action".parse().map_err(|_| alone("`Action` is no name of a type".to_owned()))?;
    let named = |action: Action| {
        let name = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(action.name()));
        (action, name)
    };
    Ok(Action::ALL.into_iter().map(named).collect())
}

fn schema() -> Result<Schema, BadPolicies> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| alone(format!("the schema: {error}")))?;
    Ok(schema)
}

/// The same policies, each under the name that its `@id` gives it.
fn named(parsed: &PolicySet) -> Result<PolicySet, BadPolicies> {
    if parsed.templates().next().is_some() {
        return Err(alone("templates (`?principal`, `?resource`) are not supported; write policies".to_owned()));
    }
    if parsed.num_of_policies() > POLICIES_MAX {
        return Err(alone(format!("{} policies; expected at most {POLICIES_MAX}", parsed.num_of_policies())));
    }
    let mut wrong = Vec::new();
    let mut set = PolicySet::new();
    for policy in parsed.policies() {
        let problem = match policy.annotation("id") {
            None | Some("") => {
                Some(format!("a policy without a name; begin it with @id(\"…\"): {}", beginning(policy)))
            }
            Some(name) => {
                let named = policy.new_id(PolicyId::new(name));
                set.add(named).err().map(|_| format!("two policies are called `{name}`"))
            }
        };
        wrong.extend(problem.map(|message| Problem { line: 0, column: 0, message }));
    }
    wrong.sort();
    if wrong.is_empty() { Ok(set) } else { Err(BadPolicies(wrong)) }
}

/// The beginning of a policy, on one line.
fn beginning(policy: &Policy) -> String {
    policy.to_string().split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect()
}

fn alone(message: String) -> BadPolicies {
    BadPolicies(vec![Problem { line: 0, column: 0, message }])
}

/// What Cedar says, with its place in `text`, in the order of the places.
fn problems<'d, D: Diagnostic + 'd>(text: &str, said: impl Iterator<Item = &'d D>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = said
        .map(|problem| {
            let offset = problem.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
            let (line, column) = offset.map_or((0, 0), |offset| place(text, offset));
            let help = problem.help().map(|help| format!("; {help}")).unwrap_or_default();
            let label = problem.labels().and_then(|mut labels| labels.next());
            let expected = label.as_ref().and_then(|label| label.label()).map(|label| format!(": {label}"));
            Problem { line, column, message: format!("{problem}{}{help}", expected.unwrap_or_default()) }
        })
        .collect();
    problems.sort();
    problems
}

/// Line and column of the byte at `offset`, from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::account::Tier;
    use crate::response::Rung;

    fn account(more: serde_json::Value) -> Account {
        let mut account = json!({"id": "acct", "created": Time::from_seconds(0)});
        account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(account).unwrap()
    }

    fn subject(account: &Account) -> Subject<'_> {
        Subject { account, organisation: None, force: Force::default(), suspicion: None, model: Some("m-1") }
    }

    fn at(rung: Rung) -> Decision {
        let account = account(json!({"tier": "business"}));
        let force = Force { rung, assurance: Assurance::Contract };
        default().decide(&Subject { force, ..subject(&account) })
    }

    fn default() -> Policies {
        let (policies, warnings) = Policies::checked(DEFAULT).unwrap();
        assert_eq!(warnings, []);
        policies
    }

    fn taken(rung: Rung) -> String {
        Actions::ALL.minus(at(rung).allowed).to_string()
    }

    /// Whoever may check policies could end the process with them otherwise.
    #[test]
    fn what_is_nested_too_deeply_is_refused_before_it_is_read() {
        let policy =
            |condition: &str| format!("@id(\"x\") permit(principal, action, resource) when {{ {condition} }};");
        let nested = |levels: usize| policy(&format!("{}true{}", "(".repeat(levels), ")".repeat(levels)));
        // The braces are one of them.
        assert!(Policies::parse(&nested(NESTING_MAX - 1)).is_ok());
        let refused = Policies::parse(&format!("\n{}", nested(NESTING_MAX))).unwrap_err();
        assert!(refused.0[0].line == 2 && refused.0[0].message.contains("nested too deeply"), "{refused}");
        // Each `&&` is two of them.
        let chain = |terms: usize| policy(&vec!["true"; terms].join(" && "));
        assert!(Policies::parse(&chain(OPERATORS_MAX / 2 + 1)).is_ok());
        assert!(Policies::parse(&chain(OPERATORS_MAX / 2 + 2)).is_err());
        assert!(Policies::parse(&policy(&"if true then true else ".repeat(NESTING_MAX))).is_err());
        // What is said in texts and comments is no nesting, and each policy is counted for itself.
        let said = format!("// {}\n{}", "(".repeat(99), policy(&format!("\"{}\" == \"\\\"(\"", "(".repeat(99))));
        assert!(too_deep(&said).is_none());
        assert!(too_deep(&nested(NESTING_MAX - 1).repeat(9)).is_none());
    }

    #[test]
    fn in_good_standing_everything_is_allowed_and_a_high_rate_to_businesses() {
        assert_eq!(at(Rung::None).allowed, Actions::ALL);
        for (tier, expected) in
            [(Tier::Free, false), (Tier::Standard, false), (Tier::Business, true), (Tier::Enterprise, true)]
        {
            let account = Account { tier, ..account(json!({})) };
            let allowed = default().decide(&subject(&account)).allowed;
            assert_eq!(allowed.has(Action::HighRate), expected, "{tier:?}");
            assert!(Actions::ALL.minus(allowed).without(Action::HighRate).is_empty());
        }
    }

    #[test]
    fn to_observe_takes_nothing() {
        assert_eq!(taken(Rung::Observe), "");
    }

    #[test]
    fn to_alert_takes_nothing() {
        assert_eq!(taken(Rung::Alert), "");
    }

    #[test]
    fn to_verify_takes_batches_and_a_high_rate_until_it_is_done() {
        assert_eq!(taken(Rung::Verify), "batch, high_rate");
        assert_eq!(at(Rung::Verify).after_verification.to_string(), "batch, high_rate");
        let account = account(json!({"tier": "business", "assurance": "phone"}));
        let verified =
            Subject { force: Force { rung: Rung::Verify, assurance: Assurance::Phone }, ..subject(&account) };
        assert_eq!(default().decide(&verified).allowed, Actions::ALL);
    }

    #[test]
    fn to_share_a_budget_takes_batches_and_a_high_rate() {
        assert_eq!(taken(Rung::ShareBudget), "batch, high_rate");
        assert!(at(Rung::ShareBudget).after_verification.is_empty());
    }

    #[test]
    fn to_shield_takes_what_helps_to_train() {
        assert_eq!(
            taken(Rung::Shield),
            "logprobs, reasoning_text, batch, alternatives, embeddings, high_rate, sampling"
        );
    }

    #[test]
    fn to_block_takes_everything() {
        assert_eq!(taken(Rung::Block), Actions::ALL.to_string());
    }

    #[test]
    fn each_rung_takes_what_the_one_before_it_takes() {
        for (milder, harder) in Rung::ALL.iter().zip(&Rung::ALL[1..]) {
            assert!(at(*harder).allowed.minus(at(*milder).allowed).is_empty(), "{milder:?} {harder:?}");
        }
    }

    #[test]
    fn policies_look_at_all_that_the_schema_tells() {
        let account = account(json!({"tier": "standard", "programme": "research", "assurance": "payment",
            "region": "eu", "organisation": "org_1"}));
        let asks = |condition: &str| {
            let text = format!(
                "@id(\"one\") permit (principal, action == Action::\"infer\", resource) when {{ {condition} }};"
            );
            let policies = Policies::parse(&text).unwrap_or_else(|error| panic!("{condition}: {error}"));
            policies.decide(&subject(&account)).allowed.has(Action::Infer)
        };
        for (condition, expected) in [
            ("principal.tier == Tier::\"standard\"", true),
            ("principal.tier == Tier::\"free\"", false),
            ("principal.programme == Programme::\"research\"", true),
            ("principal.assurance >= 3", true),
            ("principal.assurance > 3", false),
            ("principal has region && principal.region == \"eu\"", true),
            ("principal has region && principal.region == \"us\"", false),
            ("principal in Organisation::\"org_1\"", true),
            ("principal in Organisation::\"org_2\"", false),
            ("principal == Account::\"acct\"", true),
            ("resource == Model::\"m-1\"", true),
            ("resource.name like \"m-*\"", true),
            ("resource.name like \"x-*\"", false),
            ("principal.rung == Rung::\"none\" && principal.verified", true),
        ] {
            assert_eq!(asks(condition), expected, "{condition}");
        }
    }

    #[test]
    fn what_the_schema_does_not_allow_is_told_with_its_place() {
        for (text, expected) in [
            ("@id(\"a\")\npermit (principal, action, resource)\nwhen { principal.teir == 1 };", "line 3, column 8: "),
            ("@id(\"a\")\npermit (principal, action == Action::\"inferr\", resource);", "inferr"),
            ("@id(\"a\") permit (principal, action, resource) when { principal.tier == Tier::\"fre\" };", "fre"),
            ("@id(\"a\") permit (principal, action, resource) when { principal.region == \"eu\" };", "region"),
            ("@id(\"a\") permit (principal, action, resource) when { principal.assurance == \"phone\" };", "column 54"),
            ("@id(\"a\") permit (principal, action, resource", "line 1, column "),
            ("permit (principal, action, resource);", "without a name"),
            (
                "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);",
                "two policies are called `a`",
            ),
            ("@id(\"a\") permit (principal == ?principal, action, resource);", "templates"),
        ] {
            let error = Policies::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }

    #[test]
    fn what_looks_like_a_mistake_is_told() {
        let never = "@id(\"a\")\npermit (principal, action, resource) when { principal.assurance > 1 && false };";
        let (_, warnings) = Policies::checked(never).unwrap();
        assert_eq!((warnings.len(), warnings[0].line), (1, 1), "{warnings:?}");
    }

    /// Cedar skips a policy that fails, so what it forbids would be allowed.
    #[test]
    fn where_a_policy_fails_the_action_is_denied() {
        let text = format!(
            "{DEFAULT}@id(\"overflow\") forbid (principal, action == Action::\"infer\", resource)
            when {{ principal.assurance + 9223372036854775807 < 0 }};"
        );
        let policies = Policies::parse(&text).unwrap();
        let known = account(json!({"assurance": "email"}));
        let decision = policies.decide(&subject(&known));
        assert!(!decision.allowed.has(Action::Infer) && decision.allowed.has(Action::Stream));
        assert_eq!(decision.failed.to_string(), "infer");
        let explained = policies.explain(&subject(&known));
        assert!(!explained[0].allowed && explained[0].failures[0].contains("overflow"), "{:?}", explained[0]);
        let unknown = account(json!({}));
        assert!(policies.decide(&subject(&unknown)).allowed.has(Action::Infer), "nothing fails for this one");
    }

    #[test]
    fn an_explanation_names_the_policies() {
        let account = account(json!({}));
        let shielded = Subject { force: Force { rung: Rung::Shield, ..Force::default() }, ..subject(&account) };
        let explained = default().explain(&shielded);
        let of = |action: Action| explained.iter().find(|explained| explained.action == action).unwrap();
        assert_eq!(
            (of(Action::Infer).allowed, of(Action::Infer).policies.as_slice()),
            (true, ["every-account".to_owned()].as_slice())
        );
        assert_eq!(
            (of(Action::Logprobs).allowed, of(Action::Logprobs).policies.as_slice()),
            (false, ["shield".to_owned()].as_slice())
        );
        let decided = default().decide(&shielded).allowed;
        assert!(explained.iter().all(|explained| explained.allowed == decided.has(explained.action)));
    }

    #[test]
    fn policies_have_limits() {
        let policy = |n: usize| format!("@id(\"p{n}\") permit (principal, action, resource);\n");
        let many = |count: usize| (0..count).map(policy).collect::<String>();
        assert_eq!(Policies::parse(&many(POLICIES_MAX)).unwrap().len(), POLICIES_MAX);
        assert!(Policies::parse(&many(POLICIES_MAX + 1)).unwrap_err().to_string().contains("at most 500"));
        let long = |bytes: usize| format!("//{}", "x".repeat(bytes - 2));
        assert!(Policies::parse(&long(POLICIES_BYTES_MAX)).unwrap().is_empty());
        assert!(Policies::parse(&long(POLICIES_BYTES_MAX + 1)).unwrap_err().to_string().contains("at most"));
    }

    /// What Cedar says of entities: every word of ours is one of the schema's.
    #[test]
    fn every_value_of_an_account_is_in_the_schema() {
        let words = |text: &str, kind: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.starts_with(&format!("entity {kind} enum"))).unwrap();
            line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
        };
        for (kind, field) in [("Tier", "tier"), ("Programme", "programme")] {
            for word in words(SCHEMA, kind) {
                assert!(
                    serde_json::from_value::<Account>(
                        json!({"id": "a", "created": Time::from_seconds(0), field: word})
                    )
                    .is_ok(),
                    "{word}"
                );
            }
        }
        assert_eq!(words(SCHEMA, "Rung"), Rung::ALL.map(|rung| rung.name().to_owned()));
        let actions: BTreeSet<String> = SCHEMA
            .split("action \"")
            .nth(1)
            .unwrap()
            .split("applies")
            .next()
            .unwrap()
            .split('"')
            .step_by(2)
            .map(str::to_owned)
            .collect();
        assert_eq!(
            actions.into_iter().filter(|word| !word.trim().is_empty()).collect::<BTreeSet<_>>(),
            Action::ALL.map(|action| action.name().to_owned()).into()
        );
    }
}
