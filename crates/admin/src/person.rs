//! People who may sign in to the console: what they may do, and by which password.
//!
//! Promises that a password is kept as its argon2id hash only.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use exchange::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::PASSWORD_BYTES_MAX;

/// What somebody may do in the console. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything but texts.
    Viewer,
    /// Sees what detection keeps of texts, and whole ones for a reason; says what a finding is; works on cases.
    Analyst,
    /// Responds, approves and undoes; decides appeals; manages accounts and keys.
    Responder,
    /// Manages policies and people.
    Admin,
}

impl Role {
    /// All of them, from the least to the most.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Analyst, Role::Responder, Role::Admin];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Responder => "responder",
            Role::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(name: &str) -> Result<Role, ()> {
        Role::ALL.into_iter().find(|role| role.name() == name).ok_or(())
    }
}

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name that everything they do is put down under.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The argon2id hash of the password, as a PHC string; empty for whoever has none.
    pub(crate) password: String,
    /// Whether the password is the one that was made for them, which they have to change.
    pub must_change: bool,
    /// When they were added.
    pub since: Time,
    /// When they last got another password or role; whoever signed in before signs in again.
    pub changed: Time,
    /// By what else than the password they sign in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<Passkey>,
    /// Since when they are shut out, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
}

/// A passkey of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its id, in base64url, by which it is found.
    pub id: String,
    /// What its holder calls it.
    pub name: String,
    /// Its algorithm, by its number (RFC 9053).
    pub algorithm: i32,
    /// Its public key, SubjectPublicKeyInfo in base64url.
    pub key: String,
    /// Since when it holds.
    pub since: Time,
}

impl fmt::Debug for Person {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Person").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Person {
    /// Somebody who was added now, and cannot sign in by a password.
    pub(crate) fn new(name: &str, role: Role, now: Time) -> Person {
        Person {
            name: name.to_owned(),
            role,
            password: String::new(),
            must_change: false,
            since: now,
            changed: now,
            passkeys: Vec::new(),
            ended: None,
        }
    }

    /// Whether a password is theirs. Takes some hundredths of a second of a core.
    #[must_use]
    pub fn is_password(&self, password: &str) -> bool {
        if self.password.is_empty() {
            Person::nobody(password);
            return false;
        }
        password.len() <= PASSWORD_BYTES_MAX
            && PasswordHash::new(&self.password)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }

    /// Whether there is a password by which they sign in.
    #[must_use]
    pub fn has_password(&self) -> bool {
        !self.password.is_empty()
    }

    /// Takes as long as [`Person::is_password`], where there is nobody, so that how long an answer takes names nobody.
    pub fn nobody(password: &str) {
        let _ = Argon2::default().hash_password_with_salt(password.as_bytes(), &[0; 16]);
    }
}

/// What is different of somebody; what is none stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct PersonChange {
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they are shut out.
    pub is_ended: Option<bool>,
}

/// The argon2id hash of a password, as a PHC string; none where no random bytes can be had.
pub(crate) fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}
