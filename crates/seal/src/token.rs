//! A key on a token (PKCS#11), such as a hardware security module or a smart card: it encrypts, decrypts and signs there, and never leaves it.

use std::path::PathBuf;

use aws_lc_rs::aead::NONCE_LEN;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use verify::sealed::KEY_BYTES;
use zeroize::Zeroizing;

use crate::account::fill;
use crate::error::SealError;

const TAG_BITS: u64 = 128;

/// A key on a token.
pub struct Token {
    /// The library that speaks to the token.
    pub module: PathBuf,
    /// The token's label; of the only one there is where none is named.
    pub token: Option<String>,
    /// The label of the key. What locks is AES with 256 bits, made there where it is not yet; what signs is a pair on a curve.
    pub label: String,
    /// What the token opens by.
    pub pin: Zeroizing<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the key `{}` of a token", self.label)
    }
}

impl Token {
    /// A key, encrypted on the token: what comes before it, and the rest, in base64.
    pub(crate) fn close(&self, key: &[u8; KEY_BYTES]) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let sealed = self.with(|session| {
            let handle = match self.find(session)? {
                Some(handle) => handle,
                None => self.made(session)?,
            };
            let mut iv = nonce;
            let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, &[], TAG_BITS.into())?);
            session.encrypt(&mechanism, handle, key)
        })?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// The key again.
    pub(crate) fn open(&self, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let wrong = || SealError::Locked(format!("{self:?} does not open it"));
        let bytes = STANDARD.decode(wrapped).map_err(|_| wrong())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let opened = self.with(|session| {
            let Some(handle) = self.find(session)? else { return Ok(None) };
            let mut iv = *nonce;
            let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, &[], TAG_BITS.into())?);
            session.decrypt(&mechanism, handle, sealed).map(Some)
        })?;
        let missing = || SealError::Locked(format!("the token has no key `{}`", self.label));
        opened.map(Zeroizing::new).ok_or_else(missing)
    }

    /// The public half of the pair that signs: its curve (`CKA_EC_PARAMS`), and its point (`CKA_EC_POINT`), as the token has them.
    ///
    /// # Errors
    ///
    /// When the token cannot be used, or has no such pair.
    pub fn curve_and_point(&self) -> Result<(Vec<u8>, Vec<u8>), SealError> {
        let found = self.with(|session| {
            let Some(handle) = self.find_of(session, ObjectClass::PUBLIC_KEY, KeyType::EC)? else { return Ok(None) };
            session.get_attributes(handle, &[AttributeType::EcParams, AttributeType::EcPoint]).map(Some)
        })?;
        let (mut curve, mut point) = (None, None);
        for attribute in found.into_iter().flatten() {
            match attribute {
                Attribute::EcParams(bytes) => curve = Some(bytes),
                Attribute::EcPoint(bytes) => point = Some(bytes),
                _ => {}
            }
        }
        let missing = || SealError::Locked(format!("the token has no public key `{}` on a curve", self.label));
        curve.zip(point).ok_or_else(missing)
    }

    /// Signs a hash by ECDSA: two numbers of the same length, one behind the other.
    ///
    /// # Errors
    ///
    /// When the token cannot be used, or has no such key.
    pub fn sign(&self, hash: &[u8]) -> Result<Vec<u8>, SealError> {
        let signature = self.with(|session| {
            let Some(handle) = self.find_of(session, ObjectClass::PRIVATE_KEY, KeyType::EC)? else { return Ok(None) };
            session.sign(&Mechanism::Ecdsa, handle, hash).map(Some)
        })?;
        signature.ok_or_else(|| SealError::Locked(format!("the token has no private key `{}` on a curve", self.label)))
    }

    /// Does something with the token, logged in.
    fn with<T>(&self, work: impl FnOnce(&Session) -> cryptoki::error::Result<T>) -> Result<T, SealError> {
        let failed = |error: cryptoki::error::Error| {
            SealError::Locked(format!("the token behind `{}`: {error}", self.module.display()))
        };
        let library = Pkcs11::new(&self.module).map_err(failed)?;
        library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(failed)?;
        let (mut fits, mut labels) = (Vec::new(), Vec::new());
        for slot in library.get_slots_with_token().map_err(failed)? {
            let label = library.get_token_info(slot).map_err(failed)?.label().trim().to_owned();
            // One that nobody initialised has none.
            if !label.is_empty() && self.token.as_ref().is_none_or(|token| *token == label) {
                fits.push(slot);
            }
            labels.push(label);
        }
        let [slot] = fits[..] else {
            let named: Vec<&str> = labels.iter().filter(|label| !label.is_empty()).map(String::as_str).collect();
            return Err(SealError::Locked(format!(
                "which token behind `{}` is meant is not told: there are {}; name one by its label",
                self.module.display(),
                named.join(", ")
            )));
        };
        let session = library.open_rw_session(slot).map_err(failed)?;
        session.login(UserType::User, Some(&AuthPin::new(self.pin.as_str().into()))).map_err(failed)?;
        let done = work(&session).map_err(failed);
        drop(session);
        let _ = library.finalize();
        done
    }

    fn find(&self, session: &Session) -> cryptoki::error::Result<Option<ObjectHandle>> {
        self.find_of(session, ObjectClass::SECRET_KEY, KeyType::AES)
    }

    fn find_of(
        &self,
        session: &Session,
        class: ObjectClass,
        kind: KeyType,
    ) -> cryptoki::error::Result<Option<ObjectHandle>> {
        let wanted =
            [Attribute::Class(class), Attribute::KeyType(kind), Attribute::Label(self.label.clone().into_bytes())];
        Ok(session.find_objects(&wanted)?.into_iter().next())
    }

    /// Makes the key, which cannot be taken from the token.
    fn made(&self, session: &Session) -> cryptoki::error::Result<ObjectHandle> {
        let wanted = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen((KEY_BYTES as u64).into()),
            Attribute::Label(self.label.clone().into_bytes()),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &wanted)
    }
}
