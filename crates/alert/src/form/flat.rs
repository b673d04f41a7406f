//! A notice as one flat object: keys in snake case, no value an object or a list, so that a rule (Sigma and the like) names a field and is done.

use serde_json::{Value, json};

use crate::notice::{Kind, Notice, Origin};

/// The object.
#[must_use]
pub fn object(notice: &Notice, origin: &Origin) -> Value {
    json!({
        "product": "stillwatch",
        "product_version": origin.version,
        "source": origin.source,
        "event_type": notice.kind.name(),
        "alert_id": origin.alert_id(notice),
        "time": notice.time,
        "severity": match notice.kind {
            Kind::Detected | Kind::Joined => "high",
            Kind::Withdrawn => "informational",
        },
        "message": notice.sentence(),
        "link": origin.link(notice),
        "campaign_id": notice.campaign,
        "campaign_since": notice.since,
        "accounts": notice.accounts,
        "accounts_joined": notice.joined,
        "evidence_log10": notice.log10_e,
        "evidence_threshold_log10": notice.log10_threshold,
        "nearest_honest_explanation": notice.rival,
    })
}
