//! Where alerts go, and how they get there; one way in each module.
//!
//! Promises that an attempt ends within [`crate::limits::ATTEMPT_TIME_MAX`], and that what is said of a failure names neither a secret nor a URL.

pub mod failed;
pub mod mail;
pub mod syslog;
pub mod webhook;

use exchange::Time;
use tokio::time::timeout;

use crate::form::Form;
use crate::limits::ATTEMPT_TIME_MAX;
use crate::notice::{Notice, Origin};

pub use failed::Failed;
pub use mail::Mail;
pub use syslog::Syslog;
pub use webhook::Webhook;

/// Where alerts go.
#[derive(Debug)]
pub enum Target {
    /// A URL, in a form.
    Webhook(Webhook, Form),
    /// A server of syslog, in a form.
    Syslog(Syslog, Form),
    /// Mailboxes.
    Mail(Mail),
}

impl Target {
    /// Brings a notice there; `now` is the time of this attempt.
    ///
    /// # Errors
    ///
    /// When it was not taken.
    pub async fn send(&self, notice: &Notice, origin: &Origin, now: Time) -> Result<(), Failed> {
        let sent = async {
            match self {
                Target::Webhook(webhook, form) => {
                    webhook.send(&origin.alert_id(notice), &form.json(notice, origin), &origin.version, now).await
                }
                Target::Syslog(syslog, form) => {
                    let text = form.json(notice, origin);
                    syslog.send(&crate::form::syslog::message(notice, origin, &text)).await
                }
                Target::Mail(mail) => mail.send(notice, origin, now).await,
            }
        };
        timeout(ATTEMPT_TIME_MAX, sent).await.unwrap_or(Err(Failed::Slow))
    }
}
