//! A request to come, and what is asked with it.

use crate::arrival::Ms;
use crate::draw::mix;
use crate::text::Habit;

/// One request to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub at: Ms,
    pub account: u32,
    pub work: Work,
    /// Which conversation or item of the work.
    pub serial: u32,
    /// Which session of the account.
    pub session: u32,
    /// Which request of the conversation.
    pub turn: u8,
}

/// What is asked. The number names the template, product, class or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Chat,
    Coding,
    Product(u32),
    Agent(u32),
    Batch(u32),
    Benchmark(u32),
    Class(u32),
    Hackathon(u32),
    LoadTest(u32),
    Research(u32),
    Campaign(u32),
    /// What comes with a habit that strangers share.
    Habit(Habit, u32),
}

/// The number that names a template's randomness.
pub(crate) fn template_seed(seed: u64, work: Work) -> u64 {
    match work {
        // Public things are the same in every run.
        Work::Agent(number) | Work::Benchmark(number) => u64::from(number),
        Work::Product(number) => mix(seed, &[1, number.into()]),
        Work::Batch(number) => mix(seed, &[2, number.into()]),
        Work::Class(number) => mix(seed, &[3, number.into()]),
        Work::Hackathon(number) => mix(seed, &[4, number.into()]),
        Work::LoadTest(number) => mix(seed, &[5, number.into()]),
        Work::Research(number) => mix(seed, &[6, number.into()]),
        Work::Campaign(number) => mix(seed, &[7, number.into()]),
        Work::Chat => mix(seed, &[8]),
        Work::Coding => mix(seed, &[9]),
        // A tool is public, an event is not.
        Work::Habit(habit, number) => mix(seed, &[10, habit as u64, number.into()]),
    }
}
