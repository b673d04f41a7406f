//! What a claim of model extraction has to show, and by which signs a finding shows it.
//!
//! The headings follow the elements of section 3(11) of H.R. 8283 (119th Congress, a bill and no law), which asks for improper access by any of three
//! ways, and names from what the purpose may be inferred. Promises no more than that signs which count for a finding stand under the element that they
//! bear on: whether that is enough is for whoever decides.

use findings::{Evidence, SignalFamily};

/// An element of a claim.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// What has to be shown.
    pub title: &'static str,
    /// What that means here, in a sentence.
    pub meaning: &'static str,
    /// The signs that bear on it.
    pub families: &'static [SignalFamily],
    /// What besides could show it, that no log has.
    pub elsewhere: &'static str,
}

/// The ways of access, of which any is enough.
pub const ACCESS: [Element; 3] = [
    Element {
        title: "Access around technical, contractual, identity or geographic controls",
        meaning: "Limits hold for an account. One hand that works through many accounts, or goes on with others when some are closed, gets around them.",
        families: &[
            SignalFamily::Evenness,
            SignalFamily::WorkQueue,
            SignalFamily::SignUp,
            SignalFamily::Infrastructure,
            SignalFamily::Takeover,
        ],
        elsewhere: "The controls themselves, as they were then: limits, terms, checks at sign-up, blocked regions.",
    },
    Element {
        title: "Access by fraudulent or unauthorised credentials",
        meaning: "False identities, stolen payment instruments or keys, keys that were sold on.",
        families: &[],
        elsewhere: "Records of identity and payment checks, chargebacks, statements of whoever a credential belongs to.",
    },
    Element {
        title: "Access in violation of terms that prohibit training of other models",
        meaning: "The terms that each account accepted, and when.",
        families: &[],
        elsewhere: "The terms, and the record that each account accepted them.",
    },
];

/// From what the purpose of extraction may be inferred.
pub const PURPOSE: [Element; 4] = [
    Element {
        title: "Volume, structure, pattern and timing of the requests",
        meaning: "Requests that repeat one template with other items, come as from a dispatcher and not in sessions as from people, at the same hours or all silent at once.",
        families: &[
            SignalFamily::Template,
            SignalFamily::Rhythm,
            SignalFamily::Hours,
            SignalFamily::Silence,
            SignalFamily::Pivot,
            SignalFamily::Reply,
        ],
        elsewhere: "",
    },
    Element {
        title: "Several accounts acting together",
        meaning: "Work that is spread over accounts more evenly than by chance, lists that are split without overlap, accounts that signed up or pay together.",
        families: &[
            SignalFamily::Evenness,
            SignalFamily::WorkQueue,
            SignalFamily::Content,
            SignalFamily::SignUp,
            SignalFamily::Infrastructure,
            SignalFamily::Takeover,
        ],
        elsewhere: "",
    },
    Element {
        title: "Concentration on capabilities that are worth extracting",
        meaning: "What the requests are after, as far as their words show it.",
        families: &[SignalFamily::Intent],
        elsewhere: "",
    },
    Element {
        title: "Correlation with the development of another model",
        meaning: "What another model could do before and after, and when it was trained.",
        families: &[],
        elsewhere: "Dates of releases, comparisons of the models' answers, documents of the other party.",
    },
];

impl Element {
    /// The signs of a finding that bear on it and count.
    pub fn shown_by<'e>(&self, evidence: &'e [Evidence]) -> Vec<&'e Evidence> {
        evidence.iter().filter(|sign| sign.counts && self.families.contains(&sign.family)).collect()
    }
}
