//! Keys that sign models: ECDSA on P-256, P-384 and P-521.

use aws_lc_rs::digest;
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
use seal::Token;
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

    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Curve::P256 => &digest::SHA256,
            Curve::P384 => &digest::SHA384,
            Curve::P521 => &digest::SHA512,
        }
    }

    /// Its name as an object identifier, in ASN.1.
    fn oid(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Curve::P384 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
            Curve::P521 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
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

/// A key on a token (PKCS#11), which signs there.
#[derive(Debug)]
pub struct TokenKey {
    token: Token,
    public: PublicKey,
}

impl TokenKey {
    /// The one that a token has by a label.
    ///
    /// # Errors
    ///
    /// When the token cannot be used, or the key is of another kind.
    pub fn of(token: Token) -> Result<TokenKey, VaultError> {
        let (curve, point) = token.curve_and_point().map_err(|error| VaultError::Key(error.to_string()))?;
        let expected = || VaultError::Key("expected a key on P-256, P-384 or P-521 on the token".to_owned());
        let curve = Curve::ALL.into_iter().find(|known| known.oid() == curve).ok_or_else(expected)?;
        let (head, bytes) = curve.head();
        // The point itself, or within an OCTET STRING: what comes before it there is its length.
        let point = point.len().checked_sub(bytes).and_then(|from| point.get(from..)).ok_or_else(expected)?;
        let public = PublicKey::of_der(&[head, point].concat()).ok_or_else(expected)?;
        Ok(TokenKey { token, public })
    }
}

impl Signs for TokenKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, VaultError> {
        let hash = digest::digest(self.public.curve.hash(), text);
        let signature = self.token.sign(hash.as_ref()).map_err(|error| VaultError::Key(error.to_string()))?;
        let signature = asn1(&signature).ok_or(VaultError::Crypto)?;
        // A token that signs by another key than it shows is noticed before anybody believes it.
        if self.public.is_signed(text, &signature) {
            Ok(signature)
        } else {
            Err(VaultError::Key("the token signed by another key than the public half that it shows".to_owned()))
        }
    }
}

/// A signature of two numbers, one behind the other, in ASN.1.
fn asn1(signature: &[u8]) -> Option<Vec<u8>> {
    let (one, other) = signature.split_at_checked(signature.len() / 2)?;
    let numbers = [asn1_number(one)?, asn1_number(other)?].concat();
    let length = u8::try_from(numbers.len()).ok()?;
    let head = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    (one.len() == other.len()).then(|| [head, numbers].concat())
}

fn asn1_number(bytes: &[u8]) -> Option<Vec<u8>> {
    let from = bytes.iter().position(|byte| *byte != 0)?;
    let value = bytes.get(from..)?;
    // Without it the number would be negative.
    let sign = if value.first().is_some_and(|byte| byte & 0x80 != 0) { &[0][..] } else { &[] };
    let length = u8::try_from(sign.len() + value.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[0x02, length], sign, value].concat())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_written_as_asn1_has_them() {
        assert_eq!(asn1(&[0, 1, 0x80, 2]), Some(vec![0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 2]));
        // Of P-521: 66 bytes each.
        let long = asn1(&[[1; 66], [0x7f; 66]].concat()).unwrap();
        assert_eq!((&long[..5], long.len()), (&[0x30, 0x81, 136, 2, 66][..], 139));
        for odd in [&[][..], &[1], &[0, 0], &[1, 0], &[1; 3], &[1; 300]] {
            assert_eq!(asn1(odd), None, "{odd:?}");
        }
    }
}
