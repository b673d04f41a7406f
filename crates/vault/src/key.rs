//! Keys that sign models: ECDSA on P-256, P-384 and P-521.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use verify::hash::Hash;

use crate::error::VaultError;
use crate::limits::KEY_BYTES_MAX;

/// Whatever signs.
pub trait Signs {
    /// The half that everybody may know.
    fn public(&self) -> &PublicKey;

    /// The signature of a text, ECDSA in ASN.1.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, VaultError>;
}

/// A curve, with the hash that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    /// P-256 with SHA-256.
    P256,
    /// P-384 with SHA-384.
    P384,
    /// P-521 with SHA-512.
    P521,
}

impl Curve {
    const ALL: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    fn verifying(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_ASN1,
            Curve::P384 => &ECDSA_P384_SHA384_ASN1,
            Curve::P521 => &ECDSA_P521_SHA512_ASN1,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    /// What stands before a point of this curve that is not compressed, in SubjectPublicKeyInfo; and bytes of the point.
    fn head(self) -> (&'static [u8], usize) {
        match self {
            Curve::P256 => (
                &[
                    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
                    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
                ],
                65,
            ),
            Curve::P384 => (
                &[
                    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
                ],
                97,
            ),
            Curve::P521 => (
                &[
                    0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05,
                    0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
                ],
                133,
            ),
        }
    }
}

/// The half of a key that everybody may know.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    curve: Curve,
    /// SubjectPublicKeyInfo.
    der: Vec<u8>,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the key {}", self.id())
    }
}

impl PublicKey {
    /// The one in a PEM file.
    ///
    /// # Errors
    ///
    /// When there is none, or it is another kind of key.
    pub fn of_pem(text: &[u8]) -> Result<PublicKey, VaultError> {
        let expected = "expected an EC public key on P-256, P-384 or P-521 as PEM (`-----BEGIN PUBLIC KEY-----`)";
        if text.len() > KEY_BYTES_MAX {
            return Err(VaultError::Key(expected.to_owned()));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text).map_err(|_| VaultError::Key(expected.to_owned()))?;
        PublicKey::of_der(&der).ok_or_else(|| VaultError::Key(expected.to_owned()))
    }

    pub(crate) fn of_der(der: &[u8]) -> Option<PublicKey> {
        let fits = |curve: &Curve| {
            let (head, bytes) = curve.head();
            der.strip_prefix(head).is_some_and(|point| point.len() == bytes && point.starts_with(&[4]))
        };
        let curve = Curve::ALL.into_iter().find(fits)?;
        Some(PublicKey { curve, der: der.to_owned() })
    }

    /// The same as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let mut lines = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at_checked(64).unwrap_or((rest, ""));
            lines.push_str(line);
            lines.push('\n');
            rest = more;
        }
        lines.push_str("-----END PUBLIC KEY-----\n");
        lines
    }

    /// What signatures name it by: SHA-256 over its PEM.
    #[must_use]
    pub fn id(&self) -> String {
        Hash::of(&[self.to_pem().as_bytes()]).to_hex()
    }

    /// Whether this key signed a text.
    #[must_use]
    pub fn is_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let (head, _) = self.curve.head();
        let point = self.der.get(head.len()..).unwrap_or_default();
        UnparsedPublicKey::new(self.curve.verifying(), point).verify(text, signature).is_ok()
    }
}

/// A key in a file.
pub struct FileKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the private half of {:?}", self.public)
    }
}

impl FileKey {
    /// The one in a PEM file, as PKCS#8 or as OpenSSL writes keys of curves.
    ///
    /// # Errors
    ///
    /// When there is none, it is another kind of key, or is locked by a passphrase.
    pub fn of_pem(text: &[u8]) -> Result<FileKey, VaultError> {
        let wrong = |why: &str| VaultError::Key(why.to_owned());
        let expected = "expected an EC private key on P-256, P-384 or P-521 as PEM";
        if text.len() > KEY_BYTES_MAX {
            return Err(wrong(expected));
        }
        if text.windows(9).any(|part| part == b"ENCRYPTED") {
            return Err(wrong("it is locked by a passphrase; keep it on a token, or unlock it with `openssl pkey`"));
        }
        let der = PrivateKeyDer::from_pem_slice(text).map_err(|_| wrong(expected))?;
        let pair = |curve: Curve| EcdsaKeyPair::from_private_key_der(curve.signing(), der.secret_der()).ok();
        let pair = Curve::ALL.into_iter().find_map(pair).ok_or_else(|| wrong(expected))?;
        let der = pair.public_key().as_der().map_err(|_| VaultError::Crypto)?;
        let public = PublicKey::of_der(der.as_ref()).ok_or(VaultError::Crypto)?;
        Ok(FileKey { pair, public })
    }
}

impl Signs for FileKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, VaultError> {
        let signature = self.pair.sign(&SystemRandom::new(), text).map_err(|_| VaultError::Crypto)?;
        Ok(signature.as_ref().to_owned())
    }
}
