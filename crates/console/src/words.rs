//! What things are called on pages and in addresses.

use policy::Rung;

/// A rung in words.
pub(crate) fn rung(rung: Rung) -> &'static str {
    match rung {
        Rung::None => "nothing",
        Rung::Observe => "watched",
        Rung::Alert => "told",
        Rung::Verify => "has to verify itself",
        Rung::ShareBudget => "shares a budget",
        Rung::Shield => "shielded",
        Rung::Block => "blocked",
    }
}

/// The name of a value, as it is written.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().replace('_', " ")
}
