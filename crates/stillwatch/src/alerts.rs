//! Where alerts go, from the configuration: with what the files that it names hold.
//!
//! Promises that a mistake is told with its key and what was expected, in the same words by whoever checks and whoever starts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alert::form::Form;
use alert::send::mail::{Login, Relay};
use alert::send::webhook::Key;
use alert::send::{Mail, Syslog, Webhook};
use alert::{Destination, Quiet, Rules, Target};
use gateway::alerts::{AlertForm, AlertTable, Place};
use gateway::config::Config;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Who is told what becomes of campaigns; `path` is where the configuration stands.
pub(crate) fn destinations(config: &Config, path: &Path) -> Result<Vec<Destination>, Failure> {
    config.alert.iter().enumerate().map(|(index, table)| destination(table, path, index)).collect()
}

fn destination(table: &AlertTable, path: &Path, index: usize) -> Result<Destination, Failure> {
    let wrong = |key: &str, reason: &dyn std::fmt::Display| {
        Failure::bad_input(format!("{}: `alert[{index}].{key}`: {reason}", path.display()))
    };
    let quiet = table.quiet.as_deref().map(str::parse::<Quiet>).transpose().map_err(|error| wrong("quiet", &error))?;
    let seconds = |minutes: u32| i64::from(minutes) * 60;
    let rules = Rules {
        repeat_seconds: seconds(table.repeat_minutes),
        settle_seconds: seconds(table.settle_minutes),
        quiet,
        quiet_detected: table.quiet_detected,
    };
    let form = match table.form {
        None | Some(AlertForm::Flat) => Form::Flat,
        Some(AlertForm::Ocsf) => Form::Ocsf,
    };
    let target = match table.place().map_err(|(key, reason)| wrong(key, &reason))? {
        Place::Webhook(url) => {
            let file = table.key_file.as_deref().ok_or_else(|| wrong("key_file", &"expected a file"))?;
            let key = key(file).map_err(|error| wrong("key_file", &format!("{}: {error}", file.display())))?;
            let tls = gateway::tls::towards(table.authorities.as_deref()).map_err(Failure::unreadable)?;
            Target::Webhook(Webhook::new(url, key, Arc::new(tls)), form)
        }
        Place::Syslog { is_tcp, host, port } => Target::Syslog(Syslog { is_tcp, host, port }, form),
        Place::Mail { host, port } => {
            let mail = table.mail.as_ref().ok_or_else(|| wrong("mail", &"expected a relay and mailboxes"))?;
            let login = mail.user.clone().zip(mail.password_file.as_ref()).map(|(user, file)| {
                let password = password(file).map_err(|error| wrong("mail.password_file", &error))?;
                Ok::<_, Failure>(Login { user, password })
            });
            let relay = Relay { host: &host, port, is_starttls: mail.starttls, login: login.transpose()? };
            let mail = Mail::new(relay, &mail.from, &mail.to);
            Target::Mail(mail.map_err(|error| wrong("mail", &error))?)
        }
    };
    Ok(Destination { name: table.name.clone(), rules, target, link: table.link.clone() })
}

/// The password in a file; what is wrong with it, without any of it.
fn password(file: &Path) -> Result<Zeroizing<String>, String> {
    let text = fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.contains(['\r', '\n']) {
        return Err(format!("{}: expected one line", file.display()));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// The key in a file; what is wrong with it, without any of it.
fn key(file: &Path) -> Result<Key, String> {
    let text = fs::read_to_string(file).map(Zeroizing::new).map_err(|error| format!("cannot be read: {error}"))?;
    Key::read(&text).map_err(|error| error.to_string())
}
