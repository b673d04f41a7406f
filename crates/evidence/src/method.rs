//! How campaigns are found, and how often that was wrong where the truth was known.

use serde::Serialize;

/// A measurement with known truth.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    /// What was measured.
    pub what: &'static str,
    /// What came out.
    pub result: &'static str,
    /// With which build.
    pub build: &'static str,
}

/// What was measured where the truth was known. Each is in docs/evaluation.md or docs/status.md, where it is told how.
pub const MEASURED: [Measured; 4] = [
    Measured {
        what: "Simulated honest traffic with habits that look like one hand: 64 runs, 16 kinds, 1,642 groups tested",
        result: "0 of 36,480 honest accounts named",
        build: "commit \"Members whose use is unlike that of the rest of their group are told with a lower probability\"",
    },
    Measured {
        what: "Simulated campaigns of 18 kinds, four runs each",
        result: "56 of 72 found; of relays, agents and accounts that live as people do none",
        build: "commit \"Members whose use is unlike that of the rest of their group are told with a lower probability\"",
    },
    Measured {
        what: "Large simulated honest traffic, also without account facts: 4,332 groups tested",
        result: "0 of 82,142 honest accounts named",
        build: "see docs/status.md",
    },
    Measured {
        what: "Members that were named in 152 simulated runs with campaigns, eight of each kind",
        result: "56 of 29,784 were honest (0.2 %)",
        build: "commit \"Members whose use is unlike that of the rest of their group are told with a lower probability\"",
    },
];

/// How it works, in sentences.
pub const STEPS: [&str; 5] = [
    "Each exchange leaves fingerprints of its text, of where it came from and of its settings; exchanges that share texts which few others send form a cluster, and accounts that share rare infrastructure or signed up in one burst a group.",
    "When enough paying accounts are in a cluster its members are fixed. What they send after that is tested; what made them members does not count any more.",
    "Signs are numbers of a group (how evenly work is spread, how alike contents and hours are, whether sign-ups come in bursts, and the like), each compared with the same number of the deployment's other groups where enough of them can be compared, and with a fixed assumption where not (such a sign says `Not calibrated`).",
    "A sign's weight is an e-value: if the group were like honest ones its mean would be 1 at most. Signs are combined, and so are honest explanations, each of which a finding has to beat.",
    "Findings are chosen by e-BH, so that of all that is reported at most the share alpha is expected to be wrong, as far as the comparison groups are like the deployment's honest groups.",
];

/// What has to hold for it, and what it cannot do.
pub const ASSUMED: [&str; 4] = [
    "The record is complete enough: what was not recorded, or recorded without the field that a sign needs, counts neither for nor against anybody.",
    "Most groups of the deployment are honest: signs are compared with them.",
    "A probability of a member says how often an account like it sent the campaign's leading text on the campaign's behalf, not who the person behind it is.",
    "All figures above are of simulated traffic or of public corpora. No figure is of real campaigns in real traffic of this deployment.",
];

#[cfg(test)]
mod tests {
    /// What is claimed here is what the documents say.
    #[test]
    fn figures_are_those_of_the_documents() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
        let text = format!("{}\n{}", read("evaluation.md"), read("status.md"));
        let told: String = super::MEASURED.iter().map(|one| format!("{} {}\n", one.what, one.result)).collect();
        for figure in ["36,480", "1,642", "56 of 72", "82,142", "4,332", "29,784"] {
            assert!(text.contains(figure) && told.contains(figure), "{figure}");
        }
    }
}
