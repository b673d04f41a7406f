//! Rules about how much may be taken in which time.

use crate::assumptions::Assumptions;
use crate::budget::{budgets, is_of_strangers};
use crate::catalogue::{aisvs, atlas, gpai, llm, nist};
use crate::facts::{Control, Facts, Part, QuotaOf};
use crate::rule::{Checked, Confidence, Hit, Persona, Place, Rule, Severity, when};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "accounts-without-limit",
        title: "An account may take as much as the servers give",
        why: "One account then takes in days what campaigns of thousands took in weeks, before anything is known of it.",
        fix: "Set a quota for each account: `stillwatch quota set NAME --of each-account --unit requests --amount N --per day`.",
        part: Part::Control,
        severity: Severity::High,
        confidence: Confidence::High,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C11.2.2"),
            atlas("AML.M0004"),
            llm("LLM10:2025"),
            nist("sc-5"),
            gpai("Appendix 4.3"),
        ],
        check: |facts| {
            of(facts, |it| {
                let has_none = !it.quotas.iter().any(|quota| !matches!(quota.of, QuotaOf::Some | QuotaOf::Everybody));
                when(has_none, Place::of("quotas"), format!("no quota holds for each of {} accounts", it.accounts))
            })
        },
    },
    Rule {
        id: "extraction-budget",
        title: "Accounts as anybody gets them take a campaign's worth too soon",
        why: "What the limits permit sets how long detection has before the model's answers are gone.",
        fix: "Lower quotas for each account, share one among those who pay alike (`--of each-payment-group`), or give everybody together one (`--of everybody`).",
        part: Part::Control,
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        persona: Persona::Regular,
        requirements: &[
            aisvs("v1.0-C11.2.2"),
            atlas("AML.M0004"),
            atlas("AML.T0024.002"),
            llm("LLM10:2025"),
            nist("sc-5"),
        ],
        check: |facts| {
            of(facts, |it| {
                let assumptions = facts.assumptions;
                let Assumptions { exchanges, days, .. } = assumptions;
                let soon = budgets(it, &assumptions)
                    .into_iter()
                    .filter(|budget| is_of_strangers(it, budget) && budget.accounts > 1);
                let hits = soon.filter_map(|budget| {
                    let needed = budget.days?;
                    (needed < days as f64).then(|| {
                        let told = format!(
                            "{}: {exchanges} exchanges in {needed:.1} days; at least {days} are wanted (set by {})",
                            budget.who,
                            budget.set_by.join(", ")
                        );
                        Hit::new(Place::of("quotas"), told)
                    })
                });
                hits.collect()
            })
        },
    },
    Rule {
        id: "no-global-limit",
        title: "Nothing bounds what all accounts take together",
        why: "Limits for each account are multiplied by making accounts.",
        fix: "Set one for everybody, well above what honest use comes to: `stillwatch quota set all --of everybody …`.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::High,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.2.2"), atlas("AML.M0004"), nist("sc-5")],
        check: |facts| {
            of(facts, |it| {
                let has_none = !it.quotas.iter().any(|quota| quota.of == QuotaOf::Everybody);
                when(has_none, Place::of("quotas"), "no quota is of everybody")
            })
        },
    },
    Rule {
        id: "no-payment-group-limit",
        title: "Accounts that pay alike have a limit each",
        why: "Pools share payment instruments; a limit for each instrument is the one that costs them most.",
        fix: "Set one: `stillwatch quota set payers --of each-payment-group …`, with `--except-high-rate` for companies.",
        part: Part::Control,
        severity: Severity::Low,
        confidence: Confidence::Medium,
        persona: Persona::Pedantic,
        requirements: &[aisvs("v1.0-C11.2.2"), atlas("AML.M0004"), atlas("AML.T0021")],
        check: |facts| {
            of(facts, |it| {
                let has_none = !it.quotas.iter().any(|quota| quota.of == QuotaOf::EachPaymentGroup);
                when(has_none, Place::of("quotas"), "no quota is of each payment group")
            })
        },
    },
];

/// Checked where there are accounts: before that nothing is taken.
fn of(facts: &Facts, check: impl FnOnce(&Control) -> Vec<Hit>) -> Checked {
    let control = facts.control.as_ref()?;
    Some(if control.accounts == 0 { Vec::new() } else { check(control) })
}
