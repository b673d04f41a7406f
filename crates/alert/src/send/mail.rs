//! Mail through a relay that the operator names, plain or with STARTTLS.
//!
//! Promises a connection for each alert, and that with STARTTLS nothing is sent to a relay without it.

use std::io;

use exchange::Time;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use zeroize::Zeroizing;

use crate::form;
use crate::limits::ATTEMPT_TIME_MAX;
use crate::notice::{Notice, Origin};
use crate::send::failed::Failed;

/// A relay, and who is written to.
#[derive(Debug)]
pub struct Mail {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// A relay, as it is reached.
#[derive(Debug)]
pub struct Relay<'r> {
    /// Its name or address.
    pub host: &'r str,
    /// Its port.
    pub port: u16,
    /// Whether it must speak TLS.
    pub is_starttls: bool,
    /// As whom it is logged in to, where it asks for that.
    pub login: Option<Login>,
}

/// A user of a relay, and the password.
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why there is no mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadMail {
    /// A text is no mailbox.
    #[error("`{0}`: expected a mailbox, such as `alerts@example.com` or `Stillwatch <alerts@example.com>`")]
    Mailbox(String),
    /// TLS cannot be used.
    #[error("TLS towards the relay cannot be used: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

impl Mail {
    /// From one mailbox to others, through a relay.
    ///
    /// # Errors
    ///
    /// When a mailbox is none, or TLS cannot be used.
    pub fn new(relay: Relay<'_>, from: &str, to: &[String]) -> Result<Mail, BadMail> {
        let Relay { host, port, is_starttls, login } = relay;
        let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|_| BadMail::Mailbox(text.to_owned()));
        let (from, to) = (mailbox(from)?, to.iter().map(|text| mailbox(text)).collect::<Result<_, _>>()?);
        let tls = if is_starttls { Tls::Required(TlsParameters::new(host.to_owned())?) } else { Tls::None };
        let relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        let relay = relay.port(port).tls(tls).timeout(Some(ATTEMPT_TIME_MAX));
        let relay = match login {
            Some(Login { user, password }) => relay.credentials(Credentials::new(user, (*password).clone())),
            None => relay,
        };
        Ok(Mail { relay: relay.build(), from, to })
    }

    /// Brings a notice there.
    ///
    /// # Errors
    ///
    /// When the relay did not take it.
    pub async fn send(&self, notice: &Notice, origin: &Origin, now: Time) -> Result<(), Failed> {
        let written = form::mail::message(notice, origin, &self.from, &self.to, now);
        let message = written.map_err(|error| Failed::ForGood(error.to_string()))?;
        match self.relay.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => {
                let code = error.status().map_or_else(|| "5xx".to_owned(), |code| code.to_string());
                Err(Failed::ForGood(code))
            }
            Err(error) => Err(Failed::Unreachable(io::Error::other(error))),
        }
    }
}
