//! A notice as a mail: plain text, with what it takes to be put with the other mails of its campaign.

use std::time::{Duration, UNIX_EPOCH};

use exchange::Time;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};

use crate::notice::{Notice, Origin, power};

/// The mail, written at `now`.
///
/// # Errors
///
/// When it cannot be written.
pub fn message(
    notice: &Notice,
    origin: &Origin,
    from: &Mailbox,
    to: &[Mailbox],
    now: Time,
) -> Result<Message, lettre::error::Error> {
    let domain = from.email.domain();
    let passed = Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
    let addressed: MessageBuilder = to.iter().cloned().fold(Message::builder().from(from.clone()), MessageBuilder::to);
    addressed
        .subject(format!("[Stillwatch] {}", notice.title()))
        .date(UNIX_EPOCH + passed)
        .message_id(Some(format!("<{}@{domain}>", origin.alert_id(notice))))
        // No mail has that id. All of one campaign name it, so that they are shown together.
        .references(format!("<{}@{domain}>", origin.campaign_uid(notice)))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN)
        .body(text(notice, origin))
}

fn text(notice: &Notice, origin: &Origin) -> String {
    format!(
        "{}\r\n\r\n\
         Campaign:                   {}\r\n\
         Detected at:                {}\r\n\
         Accounts:                   {}, of which {} joined since the last alert\r\n\
         Evidence:                   {}, where {} is needed\r\n\
         Nearest honest explanation: {}\r\n\
         Detection:                  {}\r\n\r\n\
         {}\r\n",
        notice.sentence(),
        notice.campaign,
        notice.since,
        notice.accounts,
        notice.joined,
        power(notice.log10_e),
        power(notice.log10_threshold),
        notice.rival,
        origin.source,
        origin.link(notice),
    )
}
