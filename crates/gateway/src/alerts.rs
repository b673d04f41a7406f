//! `[[alert]]` of the configuration: who is told what becomes of campaigns, checked.
//!
//! Promises that what [`AlertTable::check`] lets pass can be used, so far as no file is needed for that. Secrets are not in it; it names the files that
//! hold them, and shows no more of a URL than its host, since the paths of some are secret.

use std::path::PathBuf;

use hyper::Uri;
use hyper::http::uri::Authority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{MAILBOXES_MAX, REPEAT_MINUTES_MAX, SETTLE_MINUTES_MAX};

/// `[[alert]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertTable {
    /// Its name, which no other has: what was told to it is kept by it.
    pub name: String,
    /// A URL to which alerts are posted, signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// A server of syslog: `udp://HOST[:PORT]` or `tcp://HOST[:PORT]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syslog: Option<String>,
    /// The form of what a webhook or syslog is sent; `flat` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<AlertForm>,
    /// The file with the key that a webhook's alerts are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The authorities by which the certificate of a webhook is believed, PEM; the machine's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// How many minutes lie between two alerts of accounts that joined one campaign.
    #[serde(default = "default_repeat")]
    #[schemars(range(min = 1, max = 10080))]
    pub repeat_minutes: u32,
    /// After how many minutes a campaign that stands no longer counts as gone.
    #[serde(default = "default_settle")]
    #[schemars(range(min = 1, max = 1440))]
    pub settle_minutes: u32,
    /// A part of each day, `HH:MM-HH:MM` in UTC, in which nothing is told but that a campaign was detected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// Whether that waits as well.
    #[serde(default)]
    pub quiet_detected: bool,
    /// Where a campaign is looked at, with `{id}` in the place of its name; the admin API when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// A relay and mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailTable>,
}

/// `mail` of `[[alert]]`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailTable {
    /// The relay, `HOST[:PORT]`.
    pub relay: String,
    /// Who writes.
    pub from: String,
    /// Who is written to.
    pub to: Vec<String>,
    /// Whether the relay must speak TLS.
    #[serde(default)]
    pub starttls: bool,
    /// As whom it is logged in to; with STARTTLS only, but for a relay on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file with the password of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// The form of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertForm {
    /// One flat object of our own.
    Flat,
    /// A Detection Finding of the Open Cybersecurity Schema Framework.
    Ocsf,
}

/// Where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A URL that begins with `http://` or `https://` and has a host.
    Webhook(Uri),
    /// A server of syslog.
    Syslog {
        /// Whether it is reached by TCP; by UDP otherwise.
        is_tcp: bool,
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A mail relay.
    Mail {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// A key, and what was expected of its value.
type Wrong = (&'static str, String);

impl AlertTable {
    /// Where its alerts go.
    ///
    /// # Errors
    ///
    /// When that cannot be used: the key, and what was expected.
    pub fn place(&self) -> Result<Place, Wrong> {
        match (&self.webhook, &self.syslog, &self.mail) {
            (Some(url), None, None) => webhook(url).map(Place::Webhook),
            (None, Some(url), None) => syslog(url),
            (None, None, Some(mail)) => {
                let wrong = || wrong("mail.relay", "expected `HOST` or `HOST:PORT`");
                let authority: Authority = mail.relay.parse().map_err(|_| wrong())?;
                if authority.as_str().contains('@') {
                    return Err(wrong());
                }
                Ok(Place::Mail { host: host(&authority), port: port(&authority, 25).ok_or_else(wrong)? })
            }
            _ => Err(wrong("webhook", "expected exactly one of `webhook`, `syslog` and `mail`")),
        }
    }

    /// Checks every value.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(wrong("name", "expected some text on one line"));
        }
        let is_webhook = matches!(self.place()?, Place::Webhook(_));
        if is_webhook && self.key_file.is_none() {
            return Err(wrong("key_file", "expected the file with the key that alerts are signed with"));
        }
        if !is_webhook && self.key_file.is_some() {
            return Err(wrong("key_file", "expected none but for a webhook; nothing else is signed"));
        }
        if !is_webhook && self.authorities.is_some() {
            return Err(wrong("authorities", "expected none but for a webhook"));
        }
        if let Some(mail) = &self.mail {
            if self.form.is_some() {
                return Err(wrong("form", "expected none; a mail is plain text"));
            }
            if mail.user.is_some() != mail.password_file.is_some() {
                return Err(wrong("mail.password_file", "expected with `user`, and only with it"));
            }
            let is_here = matches!(self.place()?, Place::Mail { host, .. } if is_loopback(&host));
            if mail.user.is_some() && !mail.starttls && !is_here {
                return Err(wrong(
                    "mail.starttls",
                    "expected `true`; without it whoever listens on the way reads the password",
                ));
            }
            if !(1..=MAILBOXES_MAX).contains(&mail.to.len()) {
                return Err(wrong("mail.to", format!("expected 1 to {MAILBOXES_MAX} mailboxes")));
            }
        }
        if !(1..=REPEAT_MINUTES_MAX).contains(&self.repeat_minutes) {
            return Err(wrong("repeat_minutes", format!("expected 1 to {REPEAT_MINUTES_MAX}")));
        }
        if !(1..=SETTLE_MINUTES_MAX).contains(&self.settle_minutes) {
            return Err(wrong("settle_minutes", format!("expected 1 to {SETTLE_MINUTES_MAX}")));
        }
        if self.quiet_detected && self.quiet.is_none() {
            return Err(wrong("quiet_detected", "expected `quiet` beside it"));
        }
        let is_link = |link: &String| {
            let url = link.replace("{id}", "cmp_1").parse::<Uri>().ok();
            let is_web = url.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")));
            is_web && link.contains("{id}") && !link.contains(['"', '<', '>'])
        };
        if !self.link.as_ref().is_none_or(is_link) {
            return Err(wrong("link", "expected a URL with `{id}` in the place of the campaign's name"));
        }
        Ok(())
    }

    /// The same without what may be secret.
    pub(crate) fn without_secrets(&self) -> AlertTable {
        let shown = |url: &String| {
            let uri = url.parse::<Uri>().ok()?;
            let is_bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
            let hidden = format!("{}://{}/***", uri.scheme_str()?, uri.authority()?);
            Some(if is_bare { url.clone() } else { hidden })
        };
        let webhook = self.webhook.as_ref().map(|url| shown(url).unwrap_or_else(|| "***".to_owned()));
        AlertTable { webhook, ..self.clone() }
    }
}

fn webhook(url: &str) -> Result<Uri, Wrong> {
    let expected =
        "expected http:// or https:// with a host, and no credential; `key_file` names the file with the key";
    let uri: Uri = url.parse().map_err(|_| wrong("webhook", expected))?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain =
        uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && port(authority, 1).is_some());
    if is_web && is_plain { Ok(uri) } else { Err(wrong("webhook", expected)) }
}

fn syslog(url: &str) -> Result<Place, Wrong> {
    let wrong = || wrong("syslog", "expected `udp://HOST:PORT` or `tcp://HOST:PORT`");
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let is_tcp = match scheme {
        "udp" => false,
        "tcp" => true,
        _ => return Err(wrong()),
    };
    let authority: Authority = rest.parse().map_err(|_| wrong())?;
    if authority.as_str().contains('@') {
        return Err(wrong());
    }
    // Ports of RFC 5426 and, by custom, of RFC 6587.
    Ok(Place::Syslog { is_tcp, host: host(&authority), port: port(&authority, 514).ok_or_else(wrong)? })
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A host as sockets take it.
fn host(authority: &Authority) -> String {
    authority.host().trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// The port that is named, or the usual one; none where what is named is no port that can be reached.
fn port(authority: &Authority, usual: u16) -> Option<u16> {
    if authority.host().is_empty() {
        return None;
    }
    match authority.as_str().strip_prefix(authority.host()) {
        Some("") => Some(usual),
        _ => authority.port_u16().filter(|port| *port > 0),
    }
}

fn wrong(key: &'static str, expected: impl Into<String>) -> Wrong {
    (key, expected.into())
}

fn default_repeat() -> u32 {
    60
}

fn default_settle() -> u32 {
    10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AlertTable {
        toml::from_str(&format!("name = 'a'\n{text}")).unwrap()
    }

    #[test]
    fn places_are_read() {
        let syslog = |is_tcp, host: &str, port| Place::Syslog { is_tcp, host: host.to_owned(), port };
        for (text, place) in [
            ("syslog = 'udp://logs.example:5514'", syslog(false, "logs.example", 5514)),
            ("syslog = 'tcp://[::1]'", syslog(true, "::1", 514)),
            (
                "mail = { relay = 'relay.example', from = 'a@b', to = ['c@d'] }",
                Place::Mail { host: "relay.example".to_owned(), port: 25 },
            ),
            (
                "mail = { relay = '[::1]:2525', from = 'a@b', to = ['c@d'] }",
                Place::Mail { host: "::1".to_owned(), port: 2525 },
            ),
            (
                "webhook = 'https://hooks.example/a?b=c'\nkey_file = 'k'\nform = 'ocsf'",
                Place::Webhook("https://hooks.example/a?b=c".parse().unwrap()),
            ),
        ] {
            let table = read(text);
            assert_eq!(table.check(), Ok(()), "{text}");
            assert_eq!(table.place().unwrap(), place, "{text}");
            assert_eq!((table.repeat_minutes, table.settle_minutes), (60, 10));
        }
    }

    #[test]
    fn mistakes_are_told_by_their_key() {
        let mail = |to: usize| format!("mail = {{ relay = 'r', from = 'a@b', to = {:?} }}", vec!["c@d"; to]);
        for (text, key, expected) in [
            ("", "webhook", "exactly one of"),
            ("syslog = 'udp://h'\nwebhook = 'http://h'", "webhook", "exactly one of"),
            ("webhook = 'ftp://h'\nkey_file = 'k'", "webhook", "expected http://"),
            ("webhook = 'http://u:p@h'\nkey_file = 'k'", "webhook", "no credential"),
            ("webhook = 'http://h:0'\nkey_file = 'k'", "webhook", "expected http://"),
            ("webhook = 'http://h'", "key_file", "signed with"),
            ("syslog = 'udp://h'\nkey_file = 'k'", "key_file", "expected none but for a webhook"),
            ("syslog = 'udp://h'\nauthorities = 'ca.pem'", "authorities", "expected none but for a webhook"),
            ("syslog = 'h:514'", "syslog", "expected `udp://"),
            ("syslog = 'tls://h:514'", "syslog", "expected `udp://"),
            ("syslog = 'udp://h:514/path'", "syslog", "expected `udp://"),
            ("syslog = 'udp://h:99999'", "syslog", "expected `udp://"),
            ("syslog = 'udp://:514'", "syslog", "expected `udp://"),
            ("mail = { relay = 'a@r', from = 'a@b', to = ['c@d'] }", "mail.relay", "`HOST:PORT`"),
            ("form = 'flat'\nmail = { relay = 'r', from = 'a@b', to = ['c@d'] }", "form", "plain text"),
            (&mail(0), "mail.to", "1 to 32"),
            (&mail(MAILBOXES_MAX + 1), "mail.to", "1 to 32"),
            ("syslog = 'udp://h'\nquiet_detected = true", "quiet_detected", "`quiet`"),
            ("syslog = 'udp://h'\nlink = 'https://console.example/'", "link", "`{id}`"),
            ("syslog = 'udp://h'\nlink = 'console/{id}'", "link", "`{id}`"),
        ] {
            let (told, reason) = read(text).check().unwrap_err();
            assert!(told == key && reason.contains(expected), "{text}: `{told}`: {reason}");
        }
        assert_eq!(read(&mail(MAILBOXES_MAX)).check(), Ok(()));
        assert_eq!(read("syslog = 'udp://h'\nlink = 'https://console.example/campaigns/{id}'").check(), Ok(()));
        assert!(AlertTable { name: "a\nb".to_owned(), ..read("syslog = 'udp://h'") }.check().is_err());
    }

    #[test]
    fn minutes_have_limits() {
        for (key, max) in [("repeat_minutes", REPEAT_MINUTES_MAX), ("settle_minutes", SETTLE_MINUTES_MAX)] {
            for (minutes, is_fine) in [(0, false), (1, true), (max, true), (max + 1, false)] {
                let checked = read(&format!("syslog = 'udp://h'\n{key} = {minutes}")).check();
                assert_eq!(checked.is_ok(), is_fine, "{key} = {minutes}: {checked:?}");
            }
        }
    }

    #[test]
    fn the_path_of_a_webhook_is_not_shown() {
        let shown = |url: &str| read(&format!("webhook = '{url}'")).without_secrets().webhook.unwrap();
        assert_eq!(shown("https://hooks.example/services/T0/secret?token=x"), "https://hooks.example/***");
        assert_eq!(shown("https://hooks.example?token=x"), "https://hooks.example/***");
        assert_eq!(shown("https://hooks.example/"), "https://hooks.example/");
    }
}
