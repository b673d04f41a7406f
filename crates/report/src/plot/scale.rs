//! Scales from values to places in a picture: linear or logarithmic, and never beyond its edges.

/// Where values stand between two edges.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    values: (f64, f64),
    edges: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// A linear scale from the first and last value to the edges where they stand.
    pub fn linear(values: (f64, f64), edges: (f64, f64)) -> Scale {
        Scale { values, edges, logarithmic: false }
    }

    /// A scale over all values that are finite: logarithmic where they are positive and span more than [`LOG_SPAN_MIN`].
    pub fn over(values: impl Iterator<Item = f64>, edges: (f64, f64)) -> Scale {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            (from, to) = (from.min(value), to.max(value));
        }
        Scale { values: (from, to), edges, logarithmic: from > 0.0 && to / from >= LOG_SPAN_MIN }
    }

    /// Whether it is logarithmic.
    #[must_use]
    pub fn is_logarithmic(self) -> bool {
        self.logarithmic
    }

    /// Where a value stands; in the middle, where all are the same.
    pub fn at(self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.ln() } else { value };
        let ((from, to), (first, last)) = (self.values, self.edges);
        let span = scale(to) - scale(from);
        let share = if span > 0.0 { (scale(value) - scale(from)) / span } else { 0.5 };
        first + share.clamp(0.0, 1.0) * (last - first)
    }
}

const LOG_SPAN_MIN: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_spans_are_logarithmic_from_the_limit_on() {
        let scale = |from, to| Scale::over([from, to].into_iter(), (10.0, 110.0));
        assert!(scale(1.0, LOG_SPAN_MIN).is_logarithmic());
        assert!(!scale(1.0, LOG_SPAN_MIN - 0.001).is_logarithmic());
        assert!(!scale(0.0, 1000.0).is_logarithmic());
        assert_eq!(scale(1.0, 100.0).at(10.0), 60.0);
    }

    #[test]
    fn nothing_stands_beyond_the_edges() {
        let scale = Scale::linear((0.0, 1.0), (356.0, 52.0));
        assert_eq!([-1.0, 0.0, 0.5, 1.0, 7.0].map(|value| scale.at(value)), [356.0, 356.0, 204.0, 52.0, 52.0]);
        assert_eq!(Scale::linear((3.0, 3.0), (0.0, 10.0)).at(3.0), 5.0);
    }
}
