//! What browsers keep for the console, or are asked with, sealed so that nobody else can make it. Holds until the process ends.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::secret::NoRandom;

/// Seals and opens, with a key of this process.
#[derive(Debug)]
pub(crate) struct Keeper(Option<RandomizedNonceKey>);

impl Default for Keeper {
    fn default() -> Keeper {
        let mut key = Zeroizing::new([0; 32]);
        let filled = aws_lc_rs::rand::fill(key.as_mut_slice());
        Keeper(filled.and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, key.as_slice())).ok())
    }
}

impl Keeper {
    /// No two are the same, whatever is in them.
    pub(crate) fn seal(&self, what: &impl Serialize) -> Result<String, NoRandom> {
        let key = self.0.as_ref().ok_or(NoRandom)?;
        let mut text = serde_json::to_vec(what).map_err(|_| NoRandom)?;
        let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut text).map_err(|_| NoRandom)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &text].concat()))
    }

    /// What was sealed here; none of anything else.
    pub(crate) fn open<T: DeserializeOwned>(&self, sealed: &str) -> Option<T> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.as_ref()?.open_in_place(nonce, Aad::empty(), sealed).ok()?;
        serde_json::from_slice(text).ok()
    }
}
