//! Knobs that are out of their range.

/// A knob out of its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{knob}` is {value}, expected {min} to {max}")]
pub struct BadScenario {
    /// The knob.
    pub knob: String,
    /// Its value.
    pub value: f64,
    /// The least it may be.
    pub min: f64,
    /// The most it may be.
    pub max: f64,
}

pub(super) fn within(knob: &str, value: f64, min: f64, max: f64) -> Result<(), BadScenario> {
    // Written so that NaN is refused too.
    if value >= min && value <= max { Ok(()) } else { Err(BadScenario { knob: knob.to_owned(), value, min, max }) }
}
