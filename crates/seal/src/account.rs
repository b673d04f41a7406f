//! Keys of accounts: one for each account and day.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use verify::sealed::{KEY_BYTES, RecordKey};
use zeroize::Zeroizing;

use crate::error::SealError;

/// A day in UTC, as `2026-03-01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(String);

impl Day {
    /// The day that a text begins with.
    #[must_use]
    pub fn of(time: &str) -> Option<Day> {
        const FORM: &[u8] = b"0000-00-00";
        let day = time.get(..FORM.len())?;
        let is_digit = |(byte, form): (u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form };
        day.bytes().zip(FORM).all(is_digit).then(|| Day(day.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of an account for a day. Wiped from memory when it is dropped.
#[derive(Clone)]
pub struct AccountKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for AccountKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the key of an account")
    }
}

impl AccountKey {
    /// A key that nobody has seen.
    ///
    /// # Errors
    ///
    /// When the machine gives no random bytes.
    pub fn random() -> Result<AccountKey, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut())?;
        Ok(AccountKey(bytes))
    }

    pub(crate) fn new(bytes: [u8; KEY_BYTES]) -> AccountKey {
        AccountKey(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key of the record with this salt.
    ///
    /// # Errors
    ///
    /// When the cryptography fails.
    pub fn record(&self, salt: &[u8; KEY_BYTES]) -> Result<RecordKey, SealError> {
        let mut bytes = [0; KEY_BYTES];
        let prk = Salt::new(HKDF_SHA256, salt).extract(self.0.as_ref());
        let expanded = prk.expand(&[b"stillwatch seal 1 record"], HKDF_SHA256);
        expanded.and_then(|okm| okm.fill(&mut bytes)).map_err(|_| SealError::Crypto)?;
        Ok(RecordKey::new(bytes))
    }
}

/// Random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), SealError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| SealError::NoRandom)
}
