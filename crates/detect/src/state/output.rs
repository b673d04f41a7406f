//! Served outputs, remembered by a few fingerprints each, to know them again when they come back as input.

use event::Print;
use serde::{Deserialize, Serialize};

use crate::limits::OUTPUTS_MAX;
use crate::state::recent::Recent;

/// Fingerprints of recent outputs; the oldest are forgotten beyond [`OUTPUTS_MAX`].
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Outputs(Recent<OUTPUTS_MAX>);

impl Outputs {
    /// Remembers an output by its sketch.
    pub(crate) fn remember(&mut self, sketch: &[u64]) {
        for &key in sketch {
            self.0.insert(key);
        }
    }

    /// Whether what was asked quotes a remembered output at length.
    #[must_use]
    pub(crate) fn echo(&self, asked: &[Print]) -> bool {
        asked.iter().filter(|print| self.0.has(print.key)).take(ECHO_PRINTS).count() >= ECHO_PRINTS
    }
}

/// Fingerprints in common from which an output counts as quoted.
const ECHO_PRINTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(keys: std::ops::Range<u64>) -> Vec<Print> {
        keys.map(|key| Print { key, exact: 0 }).collect()
    }

    #[test]
    fn quotations_at_length_are_echoes() {
        let mut outputs = Outputs::default();
        outputs.remember(&[1, 2, 3, 4, 5]);
        assert!(outputs.echo(&asked(2..9)));
        assert!(!outputs.echo(&asked(3..9)));
    }

    #[test]
    fn the_oldest_are_forgotten_at_the_limit() {
        let mut outputs = Outputs::default();
        let keys: Vec<u64> = (0..OUTPUTS_MAX as u64).collect();
        outputs.remember(&keys);
        assert!(outputs.echo(&asked(0..4)));
        outputs.remember(&[u64::MAX]);
        assert!(!outputs.echo(&asked(0..4)));
        assert!(outputs.echo(&asked(1..5)));
    }
}
