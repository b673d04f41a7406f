//! What stands around what is asked: a deployment's system prompt, chat markup, a campaign's encoding.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use exchange::Role;

use crate::asked::{self, Asked, message};
use crate::draw::mix;
use crate::plan::{Account, Arrival, Work};
use crate::scenario::{Encoding, Scenario};
use crate::text::preamble;

/// The request as it is sent and logged.
pub(super) fn framed<'a>(scenario: &Scenario, account: &Account, arrival: &Arrival, mut asked: Asked<'a>) -> Asked<'a> {
    if let Work::Campaign(number) = arrival.work
        && let Some(campaign) = scenario.campaigns.get(number as usize)
    {
        encode(campaign.encoding, &mut asked);
    }
    let front = &scenario.preamble;
    let seat = mix(account.seed, &[PRODUCT]);
    let share = (seat >> 11) as f64 / (1_u64 << 53) as f64;
    if front.words > 0 && share < front.share {
        let product = mix(account.seed, &[PRODUCT, 1]) % u64::from(front.products.max(1));
        let text = preamble(mix(scenario.seed, &[PRODUCT, product]), front.words as usize);
        asked.system = Some(match asked.system.take() {
            Some(own) => format!("{text}\n\n{own}").into(),
            None => text.into(),
        });
    }
    if scenario.markup {
        mark_up(&mut asked);
    }
    asked
}

/// Writes what a user says in the campaign's encoding.
fn encode(encoding: Encoding, asked: &mut Asked<'_>) {
    let write: fn(&str) -> String = match encoding {
        Encoding::Plain => return,
        Encoding::Base64 => |text| BASE64_STANDARD.encode(text),
        Encoding::Hex => |text| text.bytes().fold(String::new(), |all, byte| written(all, format_args!("{byte:02x}"))),
        Encoding::Percent => percent,
    };
    for message in asked.messages.iter_mut().filter(|message| message.role == Role::User) {
        let text: String = message.content.texts().collect();
        *message = asked::message(Role::User, write(&text));
    }
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            written(all, format_args!("{}", char::from(byte)))
        }
        _ => written(all, format_args!("%{byte:02X}")),
    })
}

fn written(mut all: String, what: std::fmt::Arguments<'_>) -> String {
    // A String takes whatever is written.
    let _ = all.write_fmt(what);
    all
}

/// Puts the whole conversation into one text, with marks around the turns as a raw completion endpoint gets it.
fn mark_up(asked: &mut Asked<'_>) {
    let mut text = String::from("<|begin_of_text|>");
    let mut turn = |role: &str, said: &str| {
        // A String takes whatever is written.
        let _ = write!(text, "<|start_header_id|>{role}<|end_header_id|>\n\n{said}<|eot_id|>");
    };
    if let Some(system) = asked.system.take() {
        turn("system", &system);
    }
    for message in &asked.messages {
        let role = if message.role == Role::Assistant { "assistant" } else { "user" };
        turn(role, &message.content.texts().collect::<String>());
    }
    text.push_str("<|start_header_id|>assistant<|end_header_id|>\n\n");
    asked.messages = vec![message(Role::User, text)];
}

const PRODUCT: u64 = 0x7072;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_unreserved_is_percent_encoded() {
        assert_eq!(percent("a b/é"), "a%20b%2F%C3%A9");
    }
}
