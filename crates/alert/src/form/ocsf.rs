//! A notice as a Detection Finding of the Open Cybersecurity Schema Framework 1.3: class 2004 in category 2.
//!
//! A campaign is one finding: created when it was detected, updated when accounts joined, closed when it stands no longer. What the schema has
//! no place for stands in `unmapped`.

use serde_json::{Value, json};

use crate::notice::{Kind, Notice, Origin, milliseconds};

/// The version of the schema.
const SCHEMA_VERSION: &str = "1.3.0";
/// Findings.
const CATEGORY: u32 = 2;
/// Detection Finding.
const CLASS: u32 = 2004;

/// The finding.
#[must_use]
pub fn finding(notice: &Notice, origin: &Origin) -> Value {
    let (activity, activity_name) = match notice.kind {
        Kind::Detected => (1, "Create"),
        Kind::Joined => (2, "Update"),
        Kind::Withdrawn => (3, "Close"),
    };
    let (severity, severity_name) = match notice.kind {
        Kind::Detected | Kind::Joined => (4, "High"),
        Kind::Withdrawn => (1, "Informational"),
    };
    json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "severity_id": severity,
        "severity": severity_name,
        "time": milliseconds(notice.time),
        "message": notice.sentence(),
        "finding_info": {
            "uid": origin.campaign_uid(notice),
            "title": notice.title(),
            "desc": notice.sentence(),
            "created_time": milliseconds(notice.since),
            "modified_time": milliseconds(notice.time),
            "src_url": origin.link(notice),
            "types": ["Distillation campaign"],
        },
        "metadata": {
            "uid": origin.alert_id(notice),
            "version": SCHEMA_VERSION,
            "product": {"name": "Stillwatch", "vendor_name": "Stillwatch", "version": origin.version},
        },
        "unmapped": {
            "campaign_id": notice.campaign,
            "source": origin.source,
            "accounts": notice.accounts,
            "accounts_joined": notice.joined,
            "evidence_log10": notice.log10_e,
            "evidence_threshold_log10": notice.log10_threshold,
            "nearest_honest_explanation": notice.rival,
        },
    })
}
