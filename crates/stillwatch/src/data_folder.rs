//! The data folder of a gateway: its secrets, where it is reached while it runs, and what it recorded.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::Registry;
use exchange::{AccountFact, Notes, Time};
use policy::key::{ADMIN_BRAND, Keys, Secret};
use policy::quota::Quotas;
use policy::{Account, KeyHash, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signals::fingerprint::FingerprintKey;
use xxhash_rust::xxh3::xxh3_64;
use zeroize::Zeroizing;

use crate::cli::Role;
use crate::failure::Failure;
use crate::output::OutputFile;

/// What hashes of keys are keyed with; whoever has it and the database can tell whether a key is one of them, and no more.
const PEPPER: &str = "key-pepper";
/// What fingerprints of sealed texts are keyed with.
const FINGERPRINT_KEY: &str = "fingerprint-key";
const ADMIN_KEY: &str = "admin-key";
/// Files of the folder with secrets, which only their owner may read.
pub(crate) const SECRETS: [&str; 3] = [PEPPER, FINGERPRINT_KEY, ADMIN_KEY];
const RUNNING: &str = "running.json";
/// What is known of accounts, beside the exchanges, where a hunt looks for it.
const ACCOUNTS: &str = "accounts.jsonl";
/// How far quotas are used up.
const QUOTAS_USED: &str = "quotas-used.json";
/// What people said of findings, in the form of files of labels.
const VERDICTS: &str = "verdicts.jsonl";
const HUNTS: &str = "hunts";
/// What detection knows, to go on from.
const DETECTION: &str = "detection.state";
const PAST_CAMPAIGNS: &str = "past-campaigns.json";
/// What was told of campaigns, and what is not delivered yet.
const ALERTS: &str = "alerts.json";
/// By what several detections on one database are told apart.
const SOURCE: &str = "detection-id";
/// What sensors received that is to be put on record, and up to where it is.
const RECEIVED: &str = "received";
const RECEIVED_POSITION: &str = "received.json";
const LOCK: &str = "lock";
const LOCK_DETECT: &str = "lock-detect";
const LOCK_CONSOLE: &str = "lock-console";
const EXCHANGES: &str = "exchanges";
const SECRET_BYTES_MAX: u64 = 1024;

/// Where a running gateway is reached.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Where callers are served, if they are by that process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<String>,
    /// Where it is managed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<String>,
    pub(crate) admin_key_file: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sensors: Option<String>,
    /// The file of its configuration, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<PathBuf>,
    pub(crate) pid: u32,
}

/// A data folder that this process has for itself.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// One for each role, held while the process lives.
    _locks: Vec<File>,
}

/// The admin credential.
pub(crate) struct AdminKey {
    pub(crate) file: PathBuf,
    pub(crate) hash: KeyHash,
    /// In clear where it was made just now.
    pub(crate) made: Option<Secret>,
}

impl DataFolder {
    /// Makes the folder if need be, and takes these roles in it for this process alone.
    pub(crate) fn open(path: &Path, roles: &[Role]) -> Result<DataFolder, Failure> {
        let failed = |error| Failure::io(format!("the data folder `{}` cannot be used", path.display()), error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        // Others may use what is told of it from another folder.
        let path = &path.canonicalize().map_err(failed)?;
        let mut locks = Vec::new();
        for role in roles {
            let name = match role {
                Role::Gateway => LOCK,
                Role::Detect => LOCK_DETECT,
                Role::Console => LOCK_CONSOLE,
            };
            let lock = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path.join(name));
            let lock = lock.map_err(failed)?;
            match lock.try_lock() {
                Ok(()) => locks.push(lock),
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::service(format!(
                        "the data folder `{}` is in use by another process with the role `{role}`; stop it, or name another folder by \
                         --data",
                        path.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Ok(DataFolder { path: path.to_owned(), _locks: locks })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where control state is kept unless somebody says otherwise.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("control.db")
    }

    /// Where exchanges are recorded.
    pub(crate) fn exchanges(&self) -> PathBuf {
        self.path.join(EXCHANGES)
    }

    /// Where it is written what is known of accounts.
    pub(crate) fn accounts(&self) -> AccountFacts {
        AccountFacts { path: self.exchanges().join(ACCOUNTS), written: None }
    }

    /// What people said of findings.
    pub(crate) fn verdicts(&self) -> PathBuf {
        verdicts(&self.path)
    }

    /// Where hunts are kept that people run from the console.
    pub(crate) fn hunts(&self) -> PathBuf {
        self.path.join(HUNTS)
    }

    /// Where detection writes down what it knows.
    pub(crate) fn detection(&self) -> PathBuf {
        self.path.join(DETECTION)
    }

    /// Where it is written down how campaigns were last known.
    pub(crate) fn past_campaigns(&self) -> PathBuf {
        self.path.join(PAST_CAMPAIGNS)
    }

    /// Where what sensors received is kept, and the file that says up to where it is on record.
    pub(crate) fn received(&self) -> (PathBuf, PathBuf) {
        (self.path.join(RECEIVED), self.path.join(RECEIVED_POSITION))
    }

    /// Where it is written what was told of campaigns.
    pub(crate) fn alerts(&self) -> PathBuf {
        self.path.join(ALERTS)
    }

    /// How far quotas are used up.
    pub(crate) fn quotas_used(&self) -> QuotasUsed {
        QuotasUsed { path: self.path.join(QUOTAS_USED), written: Vec::new() }
    }

    /// The name of the detection that goes on here, which no other has; made at the first start.
    pub(crate) fn source(&self) -> Result<String, Failure> {
        let path = self.path.join(SOURCE);
        if let Some(text) = secret(&path)? {
            return Ok(text.to_string());
        }
        let mut random = [0; 8];
        let filled = aws_lc_rs::rand::fill(&mut random);
        filled.map_err(|_| Failure::service("the machine gives no random bytes"))?;
        let text = format!("{:016x}", u64::from_be_bytes(random));
        keep(&path, &text)?;
        Ok(text)
    }

    /// What fingerprints of sealed texts are keyed with; made at the first start.
    pub(crate) fn fingerprint_key(&self) -> Result<FingerprintKey, Failure> {
        let path = self.path.join(FINGERPRINT_KEY);
        let text = match secret(&path)? {
            Some(text) => text,
            None => {
                let mut random = Zeroizing::new([0; 16]);
                let filled = aws_lc_rs::rand::fill(random.as_mut_slice());
                filled.map_err(|_| Failure::service("the machine gives no random bytes"))?;
                let text = Zeroizing::new(format!("{:032x}", u128::from_be_bytes(*random)));
                keep(&path, &text)?;
                text
            }
        };
        read_fingerprint_key(&path, &text)
    }

    /// What hashes of keys are keyed with: what is in the file that is `named`, or made at the first start.
    pub(crate) fn pepper(&self, named: Option<&Path>) -> Result<Zeroizing<[u8; 32]>, Failure> {
        let path = named.map_or_else(|| self.path.join(PEPPER), Path::to_owned);
        if let Some(text) = secret(&path)? {
            let hash = KeyHash::try_from(text.to_string());
            let wrong = |_| Failure::bad_input(format!("`{}` holds no 64 hexadecimal digits", path.display()));
            return hash.map(|hash| Zeroizing::new(hash.0)).map_err(wrong);
        }
        if named.is_some() {
            // One of its own would be of no use: no key that another gateway made would work.
            let advice = "expected a copy of `key-pepper` of the gateway that came first";
            return Err(Failure::bad_input(format!("`key_pepper_file`: there is no `{}`; {advice}", path.display())));
        }
        let mut pepper = Zeroizing::new([0; 32]);
        let filled = aws_lc_rs::rand::fill(pepper.as_mut_slice());
        filled.map_err(|_| Failure::service("the machine gives no random bytes"))?;
        let text = Zeroizing::new(String::from(KeyHash(*pepper)));
        keep(&path, &text)?;
        Ok(pepper)
    }

    /// The admin credential; made at the first start.
    pub(crate) fn admin_key(&self, pepper: [u8; 32]) -> Result<AdminKey, Failure> {
        let file = self.path.join(ADMIN_KEY);
        if let Some(text) = secret(&file)? {
            let keys = Keys::new(pepper);
            let read = keys.read(ADMIN_BRAND, &text);
            let wrong = |error| Failure::bad_input(format!("`{}` holds no admin credential: {error}", file.display()));
            let (_, hash) = read.map_err(wrong)?;
            return Ok(AdminKey { file: file.clone(), hash, made: None });
        }
        let (secret, hash) = Registry::mint_admin(pepper).map_err(|error| Failure::service(error.to_string()))?;
        keep(&file, secret.expose())?;
        Ok(AdminKey { file, hash, made: Some(secret) })
    }

    /// Says where the gateway is reached, for those who manage it, until [`DataFolder::leave`].
    pub(crate) fn tell(&self, running: &Running) -> Result<(), Failure> {
        write_ready(&self.path.join(RUNNING), running)
    }

    /// The gateway is reached no longer.
    pub(crate) fn leave(&self) {
        // Where it stays, whoever follows it finds nobody.
        let _ = fs::remove_file(self.path.join(RUNNING));
    }
}

/// The file that tells detection and hunts what is known of accounts: one line whenever something about one changes.
#[derive(Debug)]
pub(crate) struct AccountFacts {
    path: PathBuf,
    /// What was last written of each account; none before the file was looked at.
    written: Option<BTreeMap<String, Written>>,
}

impl AccountFacts {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what is different of `accounts` at `now`; each with whether it is blocked, which counts from now on where it was not before. What
    /// is new of an account of which nothing was written holds from its sign-up on.
    pub(crate) fn write(&mut self, accounts: &[(Arc<Account>, bool)], now: Time) -> Result<(), Failure> {
        let failed =
            |path: &Path, error: io::Error| Failure::io(format!("`{}` cannot be written", path.display()), error);
        let path = self.path.clone();
        let written = match &mut self.written {
            Some(written) => written,
            none => none.insert(written_before(&path).map_err(|error| failed(&path, error))?),
        };
        let mut lines = Vec::new();
        let mut anew = Vec::new();
        for (account, is_blocked) in accounts {
            let known = written.get(account.id.as_str());
            let closes = *is_blocked || account.status == Status::Closed;
            let closed = closes.then(|| known.and_then(|known| known.closed).unwrap_or(now));
            let fact = fact(account, closed, if known.is_some() { now } else { account.created });
            let is_new = Written { sum: sum(&fact), closed };
            if known != Some(&is_new) {
                // Writing into memory does not fail.
                let _ = exchange::write_account(&fact, &mut lines);
                anew.push((account.id.as_str().to_owned(), is_new));
            }
        }
        if !lines.is_empty() {
            let add = || {
                let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
                file.write_all(&lines)?;
                file.sync_data()
            };
            add().map_err(|error| failed(&path, error))?;
            written.extend(anew);
        }
        Ok(())
    }
}

/// What was written of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    /// The sum of it without its time.
    sum: u64,
    closed: Option<Time>,
}

/// What there is to say of an account.
fn fact(account: &Account, closed: Option<Time>, time: Time) -> AccountFact<'_> {
    // As they are written in policies and by the API.
    let word = |word: serde_json::Result<Value>| word.ok()?.as_str().map(str::to_owned);
    AccountFact {
        time,
        account: account.id.as_str().into(),
        org: account.organisation.as_ref().map(|organisation| organisation.as_str().into()),
        // Of one that was discovered only what was entered since is known.
        created: (!account.discovered).then_some(account.created),
        plan: (!account.discovered).then(|| word(serde_json::to_value(account.tier))).flatten().map(Into::into),
        program: word(serde_json::to_value(account.programme)).map(Into::into),
        assurance: Some(account.assurance),
        payment: account.payment.as_ref().map(|payment| payment.as_str().into()),
        email_domain: None,
        phone_country: None,
        status: word(serde_json::to_value(account.status)).map(Into::into),
        closed,
        cleared: account.cleared.map(|_| true),
    }
}

/// The sum of a fact without its time.
fn sum(fact: &AccountFact<'_>) -> u64 {
    let mut bytes = Vec::new();
    let _ = exchange::write_account(&AccountFact { time: Time::from_seconds(0), ..fact.clone() }, &mut bytes);
    xxh3_64(&bytes)
}

/// What was last written of each account; a last line that was cut off is ended, so that the next one stands alone.
fn written_before(path: &Path) -> io::Result<BTreeMap<String, Written>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text?,
    };
    if text.last().is_some_and(|last| *last != b'\n') {
        OpenOptions::new().append(true).open(path)?.write_all(b"\n")?;
    }
    let facts =
        text.split(|byte| *byte == b'\n').filter_map(|line| exchange::read_account(line, &mut Notes::default()).ok());
    let written = |fact: AccountFact<'_>| {
        let what = Written { sum: sum(&fact), closed: fact.closed };
        (fact.account.as_str().to_owned(), what)
    };
    Ok(facts.map(written).collect())
}

/// The file that says how far quotas are used up.
#[derive(Debug)]
pub(crate) struct QuotasUsed {
    path: PathBuf,
    /// What is written there, so far as this process wrote it.
    written: Vec<u8>,
}

impl QuotasUsed {
    /// Takes up what was written down last.
    pub(crate) fn restore(&self, quotas: &Quotas) -> Result<(), Failure> {
        let wrong = |error| Failure::io(format!("`{}` cannot be read", self.path.display()), error);
        match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            text => {
                let saved = serde_json::from_slice(&text.map_err(wrong)?);
                let unusable =
                    |error| Failure::bad_input(format!("`{}`: {error}; remove it to begin anew", self.path.display()));
                quotas.restore(saved.map_err(unusable)?);
                Ok(())
            }
        }
    }

    /// Writes it down, where it changed.
    pub(crate) fn save(&mut self, quotas: &Quotas, now: Time) -> Result<(), Failure> {
        let json = serde_json::to_vec(&quotas.save(now)).map_err(Failure::unreadable)?;
        if json != self.written {
            OutputFile::create(&self.path)?.write_whole(&json)?;
            self.written = json;
        }
        Ok(())
    }
}

/// Where a gateway recorded exchanges, if `path` is its data folder.
pub(crate) fn recorded(path: &Path) -> Option<PathBuf> {
    let exchanges = path.join(EXCHANGES);
    (path.join(ADMIN_KEY).is_file() && exchanges.is_dir()).then_some(exchanges)
}

/// Where the gateway with this data folder records exchanges.
pub(crate) fn recorded_in(path: &Path) -> PathBuf {
    path.join(EXCHANGES)
}

/// What fingerprints of the gateway with this data folder are keyed with, if there is one.
pub(crate) fn known_fingerprint_key(path: &Path) -> Result<Option<FingerprintKey>, Failure> {
    let path = path.join(FINGERPRINT_KEY);
    secret(&path)?.map(|text| read_fingerprint_key(&path, &text)).transpose()
}

fn read_fingerprint_key(path: &Path, text: &str) -> Result<FingerprintKey, Failure> {
    FingerprintKey::parse(text)
        .map_err(|error| Failure::bad_input(format!("the key in `{}` cannot be read: {error}", path.display())))
}

/// What is known of accounts, beside what a gateway recorded in `folder`.
pub(crate) fn facts_in(folder: &Path) -> PathBuf {
    folder.join(ACCOUNTS)
}

/// What people said of the findings of the gateway with this data folder.
pub(crate) fn verdicts(path: &Path) -> PathBuf {
    path.join(VERDICTS)
}

/// Writes where a gateway is reached, whole or not at all.
pub(crate) fn write_ready(path: &Path, running: &Running) -> Result<(), Failure> {
    let json = serde_json::to_string(running).map_err(Failure::unreadable)?;
    OutputFile::create(path)?.write_whole(format!("{json}\n").as_bytes())
}

/// Where the gateway with this data folder is reached.
pub(crate) fn running(path: &Path) -> Result<Running, Failure> {
    let file = path.join(RUNNING);
    let text = fs::read(&file).map_err(|error| {
        let advice = "start it by `stillwatch up`, or say where it is by --data, or by --server and --admin-key-file";
        Failure::io(format!("no gateway runs with the data folder `{}` ({advice})", path.display()), error)
    })?;
    serde_json::from_slice(&text).map_err(|error| Failure::bad_input(format!("`{}`: {error}", file.display())))
}

/// The secret in a file, without the newline at its end; none if there is no file.
pub(crate) fn secret(path: &Path) -> Result<Option<Zeroizing<String>>, Failure> {
    let failed = |error: io::Error| Failure::io(format!("`{}` cannot be read", path.display()), error);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(Zeroizing::new(text.trim_end().to_owned())))
}

/// Writes a secret that only the owner can read, on disk when this returns.
fn keep(path: &Path, text: &str) -> Result<(), Failure> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    written().map_err(|error| Failure::io(format!("`{}` cannot be written", path.display()), error))
}
