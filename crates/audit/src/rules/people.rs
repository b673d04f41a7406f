//! Rules about those who may sign in to the console.

use super::common::{is_older, key};
use crate::catalogue::{aisvs, gpai, nist};
use crate::facts::{Part, Person};
use crate::rule::{Confidence, Hit, Persona, Place, Rule, Severity, when};

/// Days for which somebody may keep the password that was made for them.
const FIRST_PASSWORD_DAYS_MAX: i64 = 7;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "first-password-unchanged",
        title: "Somebody still has the password that was made for them",
        why: "It was shown to somebody else once, and lies in a mail or a chat.",
        fix: "Have them sign in and change it, or shut them out (`stillwatch person change NAME --shut-out`).",
        part: Part::Control,
        severity: Severity::Medium,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[nist("ia-5.1"), nist("ia-5"), gpai("Appendix 4.1")],
        check: |facts| {
            let (control, at) = (facts.control.as_ref()?, facts.at?);
            let old = |person: &&Person| {
                person.first_password_since.is_some_and(|since| is_older(since, at, FIRST_PASSWORD_DAYS_MAX))
            };
            let hit = |person: &Person| {
                Hit::new(
                    Place::of(format!("person {}", person.name)),
                    format!("for more than {FIRST_PASSWORD_DAYS_MAX} days"),
                )
            };
            Some(control.people.iter().filter(old).map(hit).collect())
        },
    },
    Rule {
        id: "no-second-approver",
        title: "Nobody could approve what one person asks for",
        why: "Large blocks wait for a second person; with one who may, they wait for ever, or the admin credential is used for it.",
        fix: "Give a second person the role responder or admin.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[nist("ac-5"), nist("ac-3.2")],
        check: |facts| {
            let people = &facts.control.as_ref()?.people;
            let able = people.iter().filter(|person| matches!(person.role.as_str(), "responder" | "admin")).count();
            Some(when(able < 2, Place::of("people"), format!("{able} may respond")))
        },
    },
    Rule {
        id: "passwords-only",
        title: "People sign in by passwords alone",
        why: "One password that somebody guesses or phishes opens the evidence, the policies and every account.",
        fix: "Configure `[sign_in.provider]` or `passkeys` under `[sign_in]`, and set `passwords = false`.",
        part: Part::Configuration,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C5.1.1"), nist("ia-2.1"), gpai("Appendix 4.1")],
        check: |facts| {
            let it = facts.configuration.as_ref()?;
            Some(when(!it.strong_sign_in, key(it, "sign_in"), "there is no provider, and passkeys are off"))
        },
    },
    Rule {
        id: "passwords-still-allowed",
        title: "Passwords still sign people in beside a provider or passkeys",
        why: "The stronger way protects nobody who may still take the weaker one.",
        fix: "Set `passwords = false` under `[sign_in]` once everybody has the other.",
        part: Part::Configuration,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Auditor,
        requirements: &[aisvs("v1.0-C5.1.1"), nist("ia-2.1")],
        check: |facts| {
            let it = facts.configuration.as_ref()?;
            let place = key(it, "sign_in.passwords");
            Some(when(it.strong_sign_in && it.passwords, place, "passwords are on"))
        },
    },
];
