//! What a private key is locked by: a passphrase, a key on a token, or a command that asks somebody else's key service.
//!
//! Promises that what locks is never written down, and that a lock is bound to what it was made for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use verify::sealed::KEY_BYTES;
use zeroize::Zeroizing;

use crate::account::fill;
use crate::error::SealError;
use crate::limits::{
    COMMAND_TIME_MAX, KEY_FILE_BYTES_MAX, PASSPHRASE_BYTES_MAX, PASSPHRASE_KIB_MAX, PASSPHRASE_PASSES_MAX,
};
use crate::token::Token;

/// Memory that a passphrase is hashed with, in KiB, and how often over: more than OWASP's least (19 MiB, twice), for a key that is used a few
/// times a day.
const KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const SALT_BYTES: usize = 16;
/// How often it is seen whether a command has ended.
const STEP_TIME: Duration = Duration::from_millis(10);

/// What locks and unlocks.
pub enum Lock {
    /// A passphrase (argon2id).
    Passphrase(Zeroizing<String>),
    /// A key on a token.
    Token(Token),
    /// A program that is run with `wrap` or `unwrap`, gets a key in base64 as one line, and answers by one line.
    Command(PathBuf),
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lock::Passphrase(_) => out.write_str("a passphrase"),
            Lock::Token(token) => write!(out, "{token:?}"),
            Lock::Command(path) => write!(out, "the command {}", path.display()),
        }
    }
}

/// Something that is locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    by: Means,
    nonce: String,
    key: String,
}

/// How the key comes about that it is encrypted with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Means {
    Passphrase { kib: u32, passes: u32, salt: String },
    Token { wrapped: String },
    Command { wrapped: String },
}

impl Means {
    fn named(&self) -> &'static str {
        match self {
            Means::Passphrase { .. } => "a passphrase",
            Means::Token { .. } => "a key on a token",
            Means::Command { .. } => "a command",
        }
    }
}

type Key = Zeroizing<[u8; KEY_BYTES]>;

impl Lock {
    /// Locks a secret, bound to what it is for.
    ///
    /// # Errors
    ///
    /// When what locks it cannot be used.
    pub fn close(&self, secret: &[u8], bound: &[u8]) -> Result<Locked, SealError> {
        let (key, by) = self.begin()?;
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut bytes = Zeroizing::new(secret.to_vec());
        let sealed =
            cipher(&key)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut *bytes);
        sealed.map_err(|_| SealError::Crypto)?;
        Ok(Locked { by, nonce: STANDARD.encode(nonce), key: STANDARD.encode(&*bytes) })
    }

    /// Unlocks a secret, as what it is bound to.
    ///
    /// # Errors
    ///
    /// When it is locked by something else, or was changed.
    pub fn open(&self, locked: &Locked, bound: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let wrong = || SealError::Locked(format!("{self:?} does not open it"));
        let key = self.key(&locked.by)?;
        let array = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let nonce: [u8; NONCE_LEN] = array(&locked.nonce).ok_or_else(wrong)?;
        let mut bytes = Zeroizing::new(STANDARD.decode(&locked.key).map_err(|_| wrong())?);
        let opened = cipher(&key)?.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut bytes);
        let length = opened.map_err(|_| wrong())?.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Another key, and how it comes about again.
    fn begin(&self) -> Result<(Key, Means), SealError> {
        match self {
            Lock::Passphrase(_) => {
                let mut salt = [0; SALT_BYTES];
                fill(&mut salt)?;
                let by = Means::Passphrase { kib: KIB, passes: PASSES, salt: STANDARD.encode(salt) };
                Ok((self.key(&by)?, by))
            }
            Lock::Token(token) => {
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                fill(key.as_mut())?;
                let wrapped = token.close(&key)?;
                Ok((key, Means::Token { wrapped }))
            }
            Lock::Command(path) => {
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                fill(key.as_mut())?;
                let wrapped = asked(path, "wrap", &Zeroizing::new(STANDARD.encode(key.as_ref())))?.to_string();
                Ok((key, Means::Command { wrapped }))
            }
        }
    }

    fn key(&self, by: &Means) -> Result<Key, SealError> {
        match (self, by) {
            (Lock::Passphrase(words), Means::Passphrase { kib, passes, salt }) => {
                if words.is_empty() || words.len() > PASSPHRASE_BYTES_MAX {
                    let expected = format!("expected a passphrase of 1 to {PASSPHRASE_BYTES_MAX} bytes");
                    return Err(SealError::Refused(expected));
                }
                if *passes > PASSPHRASE_PASSES_MAX {
                    let reason =
                        format!("its passphrase takes {passes} passes; expected at most {PASSPHRASE_PASSES_MAX}");
                    return Err(SealError::Refused(reason));
                }
                if *kib > PASSPHRASE_KIB_MAX {
                    let reason =
                        format!("its passphrase takes {kib} KiB of memory; expected at most {PASSPHRASE_KIB_MAX}");
                    return Err(SealError::Refused(reason));
                }
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                let salt = STANDARD.decode(salt).map_err(|_| SealError::Crypto)?;
                let params = Params::new(*kib, *passes, 1, Some(KEY_BYTES)).map_err(|_| SealError::Crypto)?;
                let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                hash.hash_password_into(words.as_bytes(), &salt, key.as_mut()).map_err(|_| SealError::Crypto)?;
                Ok(key)
            }
            (Lock::Command(path), Means::Command { wrapped }) => {
                let answer = asked(path, "unwrap", &Zeroizing::new(wrapped.clone()))?;
                let key = Zeroizing::new(STANDARD.decode(answer.as_bytes()).unwrap_or_default());
                let key = key.as_slice().try_into().map(Zeroizing::new);
                key.map_err(|_| SealError::Locked(format!("{self:?} answered something else than 32 bytes in base64")))
            }
            (Lock::Token(token), Means::Token { wrapped }) => {
                let key = token.open(wrapped)?;
                key.as_slice().try_into().map(Zeroizing::new).map_err(|_| SealError::Crypto)
            }
            (lock, by) => Err(SealError::Locked(format!("it is locked by {}, and not by {lock:?}", by.named()))),
        }
    }
}

fn cipher(key: &Key) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key.as_ref()).map(LessSafeKey::new).map_err(|_| SealError::Crypto)
}

/// What a command answers to one line.
fn asked(path: &PathBuf, word: &str, line: &str) -> Result<Zeroizing<String>, SealError> {
    let failed = |why: String| SealError::Locked(format!("the command {} {word}: {why}", path.display()));
    let unusable = |error: std::io::Error| failed(error.to_string());
    let mut command = Command::new(path);
    // In a group of its own, so that what it begins can be ended with it.
    command.arg(word).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(unusable)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let line = Zeroizing::new(format!("{line}\n"));
    // Neither of these is waited for: what reads nothing and what never ends its output would hold them.
    std::thread::spawn(move || input.map(|mut input| input.write_all(line.as_bytes())));
    let (told, answers) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Zeroizing::new(String::new());
        let read = output.map(|output| BufReader::new(output.take(KEY_FILE_BYTES_MAX as u64)).read_line(&mut text));
        let _ = told.send(read.transpose().map(|_| text));
    });
    let mut waited = Duration::ZERO;
    let mut status = None;
    while status.is_none() && waited < COMMAND_TIME_MAX {
        std::thread::sleep(STEP_TIME);
        waited += STEP_TIME;
        status = child.try_wait().map_err(unusable)?;
    }
    let Some(status) = status else {
        end(&mut child);
        return Err(failed(format!("it did not end within {} s", COMMAND_TIME_MAX.as_secs())));
    };
    if !status.success() {
        return Err(failed(format!("it ended with {status}")));
    }
    let answer = answers.recv_timeout(COMMAND_TIME_MAX.saturating_sub(waited));
    let text = answer.map_err(|_| failed("expected one line with an answer".to_owned()))?.map_err(unusable)?;
    let answer = text.trim();
    if answer.is_empty() || answer.contains(char::is_whitespace) {
        return Err(failed("expected one line with an answer".to_owned()));
    }
    Ok(Zeroizing::new(answer.to_owned()))
}

/// Ends a command and what it began.
fn end(child: &mut std::process::Child) {
    let group = rustix::process::Pid::from_child(child);
    // Where that cannot be, the command itself is ended.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let _ = child.kill();
    let _ = child.wait();
}
