//! What a request is after, measured on wordings that the rules were not made from.

mod intents;
