//! Catalogues of others that rules speak to: their names, versions and ids. Wordings are theirs and not repeated here.

use serde::{Deserialize, Serialize};

/// A catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catalogue {
    /// OWASP's AI Security Verification Standard.
    Aisvs,
    /// MITRE ATLAS.
    Atlas,
    /// OWASP's Top 10 for applications of large language models.
    LlmTop10,
    /// NIST's catalogue of security and privacy controls.
    Nist,
    /// The EU's code of practice for general-purpose AI, chapter on safety and security.
    GpaiCode,
}

impl Catalogue {
    /// All of them.
    pub const ALL: [Catalogue; 5] =
        [Catalogue::Aisvs, Catalogue::Atlas, Catalogue::LlmTop10, Catalogue::Nist, Catalogue::GpaiCode];

    /// A short name, of letters and `-`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Catalogue::Aisvs => "OWASP-AISVS",
            Catalogue::Atlas => "MITRE-ATLAS",
            Catalogue::LlmTop10 => "OWASP-LLM",
            Catalogue::Nist => "NIST-SP-800-53",
            Catalogue::GpaiCode => "EU-GPAI-Code",
        }
    }

    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Catalogue::Aisvs => "OWASP Artificial Intelligence Security Verification Standard",
            Catalogue::Atlas => "MITRE ATLAS",
            Catalogue::LlmTop10 => "OWASP Top 10 for LLM Applications",
            Catalogue::Nist => "NIST SP 800-53, Security and Privacy Controls",
            Catalogue::GpaiCode => "EU Code of Practice for General-Purpose AI Models, Safety and Security Chapter",
        }
    }

    /// The version that the ids are of.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Catalogue::Aisvs => "1.0",
            Catalogue::Atlas => "5.6.0",
            Catalogue::LlmTop10 => "2025",
            Catalogue::Nist => "5.1.1",
            Catalogue::GpaiCode => "2025-07-10",
        }
    }

    /// Who keeps it.
    #[must_use]
    pub fn organisation(self) -> &'static str {
        match self {
            Catalogue::Aisvs | Catalogue::LlmTop10 => "OWASP Foundation",
            Catalogue::Atlas => "The MITRE Corporation",
            Catalogue::Nist => "National Institute of Standards and Technology",
            Catalogue::GpaiCode => "European Commission",
        }
    }

    /// Where it is told of.
    #[must_use]
    pub fn address(self) -> &'static str {
        match self {
            Catalogue::Aisvs => "https://github.com/OWASP/AISVS",
            Catalogue::Atlas => "https://atlas.mitre.org",
            Catalogue::LlmTop10 => "https://genai.owasp.org",
            Catalogue::Nist => "https://csrc.nist.gov/pubs/sp/800/53/r5/upd1/final",
            Catalogue::GpaiCode => "https://digital-strategy.ec.europa.eu/en/policies/contents-code-gpai",
        }
    }
}

/// A requirement of a catalogue, by its id there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Requirement {
    /// Whose.
    pub catalogue: Catalogue,
    /// Which.
    pub id: &'static str,
}

pub(crate) const fn aisvs(id: &'static str) -> Requirement {
    Requirement { catalogue: Catalogue::Aisvs, id }
}

pub(crate) const fn atlas(id: &'static str) -> Requirement {
    Requirement { catalogue: Catalogue::Atlas, id }
}

pub(crate) const fn llm(id: &'static str) -> Requirement {
    Requirement { catalogue: Catalogue::LlmTop10, id }
}

pub(crate) const fn nist(id: &'static str) -> Requirement {
    Requirement { catalogue: Catalogue::Nist, id }
}

pub(crate) const fn gpai(id: &'static str) -> Requirement {
    Requirement { catalogue: Catalogue::GpaiCode, id }
}
