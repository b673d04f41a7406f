//! What the console works with.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use admin::Admin;
use admin::registry::Registry;
use exchange::Time;
use lake::Lake;
use ledger::View;
use policy::Policies;
use policy::comparison::Comparison;
use policy::directory::Directory;
use tokio::sync::watch::Receiver;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use verify::entry::Statement;

use crate::desk::Desk;
use crate::hunt::Hunter;
use crate::limits::UPLOADS_MAX;
use crate::passkey;
use crate::password::Checks;
use crate::provider::{self, Provider};
use crate::runs::Runs;
use crate::seats::Seats;
use crate::session::{Attempts, Sessions, Visit};

/// Everything that pages show and change.
#[derive(Debug)]
pub struct Console {
    pub(crate) admin: Arc<Admin>,
    /// The ledger, where there is one.
    pub(crate) ledger: Option<View>,
    /// The file of verdicts.
    pub(crate) verdicts: PathBuf,
    pub(crate) scribe: Arc<dyn Scribe>,
    pub(crate) records: Box<dyn Records>,
    pub(crate) hunter: Box<dyn Hunter>,
    pub(crate) runs: Box<dyn Runs>,
    pub(crate) desk: Desk,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
    /// Failures to tell one's password once more.
    pub(crate) attempts_again: Attempts,
    pub(crate) seats: Seats,
    /// Room for people who send files.
    pub(crate) uploads: Semaphore,
    /// What pages are told of now, and when that was looked at.
    pub(crate) pulse: Mutex<Option<(Instant, String)>>,
    pub(crate) checks: Checks,
    /// The configuration that is in force.
    pub(crate) configured: Receiver<Configured>,
    pub(crate) door: Door,
}

/// By what people come in.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) passwords: bool,
    pub(crate) provider: Option<provider::Desk>,
    pub(crate) passkeys: Option<passkey::Desk>,
    /// Whether browsers reach the console by TLS, and keep cookies for that alone.
    pub(crate) is_secure: bool,
}

/// How people sign in.
#[derive(Debug)]
pub struct SignIn {
    /// Where browsers reach the console, where that is known.
    pub url: Option<String>,
    /// Whether passwords hold.
    pub passwords: bool,
    /// Whether passkeys hold; counts where the URL is known.
    pub passkeys: bool,
    /// The provider at which people sign in; counts where the URL is known.
    pub provider: Option<Provider>,
}

impl Door {
    fn new(SignIn { url, passwords, passkeys, provider }: SignIn) -> Door {
        let is_secure = url.as_ref().is_some_and(|url| url.starts_with("https://"));
        Door {
            passwords,
            passkeys: url.as_deref().filter(|_| passkeys).and_then(passkey::Desk::new),
            provider: provider.zip(url).map(|(provider, url)| provider::Desk::new(provider, &url)),
            is_secure,
        }
    }
}

/// A configuration, to be read.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Its file.
    pub file: String,
    /// When it was read.
    pub read: String,
    /// What is in force, without secrets, as TOML.
    pub text: String,
}

/// Puts statements down in the ledger, where there is one.
pub trait Scribe: Debug + Send + Sync {
    /// Puts one down, whose time is now; waits until it is on disk.
    ///
    /// # Errors
    ///
    /// When it cannot be written: why.
    fn put_down(&self, statement: Statement) -> Result<(), String>;
}

/// What a gateway recorded.
pub trait Records: Debug + Send + Sync {
    /// The lake of it, where there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be opened: why.
    fn lake(&self) -> Result<Option<Lake>, String>;

    /// A recorded line of a file, counted from 0; none where it is not there any more.
    ///
    /// # Errors
    ///
    /// When it cannot be read: why.
    fn line(&self, file: &str, line: u64) -> Result<Option<Vec<u8>>, String>;

    /// What recorded requests got under the policies that hold, and would have got under others; the latest that fit in some seconds.
    ///
    /// # Errors
    ///
    /// When they cannot be read: why.
    fn simulate(&self, trial: Trial) -> Result<Comparison, String>;
}

/// Policies that are tried.
#[derive(Debug)]
pub struct Trial {
    /// Who there is.
    pub directory: Arc<Directory>,
    /// The policies that hold.
    pub now: Arc<Policies>,
    /// Those that are tried.
    pub then: Arc<Policies>,
    /// From when requests are looked at.
    pub since: Time,
    /// When it is now: responses that hold then count.
    pub at: Time,
}

/// What a console is made of.
#[derive(Debug)]
pub struct Parts {
    /// The running gateway.
    pub admin: Arc<Admin>,
    /// Its ledger, where there is one, to be read.
    pub ledger: Option<View>,
    /// And to be added to.
    pub scribe: Arc<dyn Scribe>,
    /// The file of verdicts.
    pub verdicts: PathBuf,
    /// What is recorded.
    pub records: Box<dyn Records>,
    /// Who hunts in it.
    pub hunter: Box<dyn Hunter>,
    /// Who keeps playbooks that people walk through.
    pub runs: Box<dyn Runs>,
    /// The configuration that is in force.
    pub configured: Receiver<Configured>,
    /// How people sign in.
    pub sign_in: SignIn,
}

impl Console {
    /// A console over a running gateway.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Console> {
        let Parts { admin, ledger, scribe, verdicts, records, hunter, runs, configured, sign_in } = parts;
        Arc::new(Console {
            admin,
            ledger,
            scribe,
            verdicts,
            records,
            hunter,
            runs,
            desk: Desk::default(),
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            attempts_again: Attempts::default(),
            seats: Seats::default(),
            uploads: Semaphore::new(UPLOADS_MAX),
            pulse: Mutex::default(),
            checks: Checks::default(),
            configured,
            door: Door::new(sign_in),
        })
    }

    /// Who there is, with changes put down as those of whoever is here.
    pub(crate) fn registry(&self, visit: &Visit) -> Registry {
        self.admin.registry.by(visit.name())
    }
}
